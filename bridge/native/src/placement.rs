//! Which worker has which conference, and so which worker carries out a command.

use std::collections::HashMap;

use crate::engine::Command;
use crate::media;

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Conference(u32),
    Transport(u32),
    Source(u32),
    All,
}

fn about(command: &Command) -> About {
    use media::Command as Media;
    match *command {
        Command::AddSocket { .. } | Command::Elsewhere { .. } | Command::Gone { .. } => About::All,
        Command::AddTransport { conference, .. }
        | Command::RemoveConference { conference }
        | Command::Media(
            Media::AddConference { conference, .. }
            | Media::RemoveConference { conference }
            | Media::AddTransport { conference, .. }
            | Media::SetLoudest { conference, .. },
        ) => About::Conference(conference),
        Command::SetRemoteIce { transport, .. }
        | Command::RestartIce { transport, .. }
        | Command::SendDtls { transport, .. }
        | Command::SetSrtp { transport, .. }
        | Command::RemoveTransport { transport }
        | Command::Media(
            Media::RemoveTransport { transport }
            | Media::SetPayloadTypes { transport, .. }
            | Media::SetHeaderExtensions { transport, .. }
            | Media::SetSources { transport, .. }
            | Media::SetRoundTrip { transport, .. }
            | Media::SetRoute { receiver: transport, .. }
            | Media::SetRelay { receiver: transport, .. }
            | Media::RemoveRoute { receiver: transport, .. }
            | Media::SetMid { receiver: transport, .. }
            | Media::SetDemand { receiver: transport, .. },
        ) => About::Transport(transport),
        Command::Media(Media::SetMuted { source, .. } | Media::RequestKeyframe { source }) => {
            About::Source(source)
        }
    }
}

/// A change of what is where, to be made once the command has been taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    None,
    AddConference(u32),
    AddTransport { transport: u32, conference: u32 },
    SetSources { transport: u32, sources: Vec<u32> },
    RemoveTransport(u32),
    RemoveConference(u32),
}

fn change(command: &Command) -> Change {
    use media::Command as Media;
    match command {
        Command::Media(Media::AddConference { conference, .. }) => {
            Change::AddConference(*conference)
        }
        Command::AddTransport { transport, conference, .. } => {
            Change::AddTransport { transport: *transport, conference: *conference }
        }
        Command::Media(Media::SetSources { transport, sources }) => Change::SetSources {
            transport: *transport,
            sources: sources.iter().map(|one| one.source).collect(),
        },
        Command::RemoveTransport { transport } => Change::RemoveTransport(*transport),
        Command::RemoveConference { conference } => Change::RemoveConference(*conference),
        _ => Change::None,
    }
}

#[derive(Debug)]
struct Placed {
    conference: u32,
    worker: usize,
    sources: Vec<u32>,
}

/// Conferences on workers; each goes where the fewest transports are, and stays.
#[derive(Debug)]
pub struct Placement {
    /// Transports of each worker.
    load: Vec<usize>,
    conferences: HashMap<u32, usize>,
    transports: HashMap<u32, Placed>,
    sources: HashMap<u32, usize>,
}

/// Where a command goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Goes {
    To(usize),
    ToAll,
    /// What it is about is not there, so it does nothing.
    Nowhere,
}

impl Placement {
    pub fn new(workers: usize) -> Self {
        Self {
            load: vec![0; workers.max(1)],
            conferences: HashMap::new(),
            transports: HashMap::new(),
            sources: HashMap::new(),
        }
    }

    /// Where a command goes, and what has to be made so with [`Self::apply`] when it is there.
    pub fn find(&self, command: &Command) -> (Goes, Change) {
        let change = change(command);
        let worker = match about(command) {
            About::All => return (Goes::ToAll, change),
            About::Conference(id) => match (self.conferences.get(&id), &change) {
                (None, Change::AddConference(_)) => self.idlest(),
                (worker, _) => worker.copied(),
            },
            About::Transport(id) => self.transports.get(&id).map(|placed| placed.worker),
            About::Source(id) => self.sources.get(&id).copied(),
        };
        (worker.map_or(Goes::Nowhere, Goes::To), change)
    }

    fn idlest(&self) -> Option<usize> {
        // By conferences where transports are equal: many begin before anybody has come.
        let mut conferences = vec![0usize; self.load.len()];
        for &worker in self.conferences.values() {
            if let Some(count) = conferences.get_mut(worker) {
                *count += 1;
            }
        }
        (0..self.load.len()).min_by_key(|&worker| (self.load.get(worker), conferences.get(worker)))
    }

    pub fn apply(&mut self, worker: usize, change: Change) {
        match change {
            Change::None => {}
            Change::AddConference(conference) => {
                self.conferences.entry(conference).or_insert(worker);
            }
            Change::AddTransport { transport, conference } => {
                let load = self.load.get_mut(worker);
                self.transports.entry(transport).or_insert_with(|| {
                    if let Some(load) = load {
                        *load += 1;
                    }
                    Placed { conference, worker, sources: Vec::new() }
                });
            }
            Change::SetSources { transport, sources } => {
                if let Some(placed) = self.transports.get_mut(&transport) {
                    for source in std::mem::replace(&mut placed.sources, sources) {
                        self.sources.remove(&source);
                    }
                    for source in &placed.sources {
                        self.sources.insert(*source, worker);
                    }
                }
            }
            Change::RemoveTransport(transport) => self.remove(transport),
            Change::RemoveConference(conference) => {
                self.conferences.remove(&conference);
                let members = self.transports.iter();
                let members = members.filter(|(_, placed)| placed.conference == conference);
                let members: Vec<_> = members.map(|(id, _)| *id).collect();
                members.into_iter().for_each(|transport| self.remove(transport));
            }
        }
    }

    fn remove(&mut self, transport: u32) {
        if let Some(placed) = self.transports.remove(&transport) {
            if let Some(load) = self.load.get_mut(placed.worker) {
                *load = load.saturating_sub(1);
            }
            for source in placed.sources {
                self.sources.remove(&source);
            }
        }
    }

    /// The transports of a conference.
    pub fn members(&self, conference: u32) -> Vec<u32> {
        let members = self.transports.iter();
        members.filter(|(_, one)| one.conference == conference).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Command as Media, Kind, SourceDescription};

    fn take(placement: &mut Placement, command: &Command) -> Goes {
        let (goes, change) = placement.find(command);
        if let Goes::To(worker) = goes {
            placement.apply(worker, change);
        }
        goes
    }

    fn conference(conference: u32) -> Command {
        Command::Media(Media::AddConference { conference, audio_ssrc: 1, video_ssrc: 2 })
    }

    fn transport(transport: u32, conference: u32) -> Command {
        let (ufrag, pwd) = (vec![1], vec![2]);
        Command::AddTransport {
            transport,
            conference,
            ufrag,
            pwd,
            controlling: true,
            sockets: None,
        }
    }

    fn sources(transport: u32, ids: &[u32]) -> Command {
        let source = |id| SourceDescription { source: id, kind: Kind::Audio, encodings: vec![] };
        let sources = ids.iter().map(|id| source(*id)).collect();
        Command::Media(Media::SetSources { transport, sources })
    }

    fn keyframe(source: u32) -> Command {
        Command::Media(Media::RequestKeyframe { source })
    }

    #[test]
    fn a_conference_goes_where_the_fewest_are_and_stays_there() {
        let mut placement = Placement::new(2);
        assert_eq!(take(&mut placement, &conference(1)), Goes::To(0));
        assert_eq!(take(&mut placement, &conference(2)), Goes::To(1));
        for number in 0..3 {
            assert_eq!(take(&mut placement, &transport(number, 1)), Goes::To(0));
        }
        assert_eq!(take(&mut placement, &conference(3)), Goes::To(1));
        assert_eq!(take(&mut placement, &transport(9, 3)), Goes::To(1));
        assert_eq!(take(&mut placement, &conference(1)), Goes::To(0));
        take(&mut placement, &Command::RemoveConference { conference: 1 });
        assert_eq!(take(&mut placement, &conference(4)), Goes::To(0));
    }

    #[test]
    fn commands_follow_their_transports_and_sources() {
        let mut placement = Placement::new(2);
        take(&mut placement, &conference(1));
        take(&mut placement, &conference(2));
        take(&mut placement, &transport(7, 2));
        assert_eq!(take(&mut placement, &sources(7, &[70, 71])), Goes::To(1));
        assert_eq!(take(&mut placement, &keyframe(71)), Goes::To(1));
        take(&mut placement, &sources(7, &[71]));
        assert_eq!(take(&mut placement, &keyframe(70)), Goes::Nowhere);
        take(&mut placement, &Command::RemoveTransport { transport: 7 });
        assert_eq!(take(&mut placement, &keyframe(71)), Goes::Nowhere);
        assert_eq!(take(&mut placement, &sources(7, &[72])), Goes::Nowhere);
        assert_eq!(take(&mut placement, &transport(8, 5)), Goes::Nowhere);
    }

    #[test]
    fn nothing_is_left_of_what_has_ended() {
        let mut placement = Placement::new(3);
        for number in 0..100 {
            take(&mut placement, &conference(number));
            take(&mut placement, &transport(number, number));
            take(&mut placement, &sources(number, &[number]));
            assert_eq!(placement.members(number), [number]);
        }
        for number in 0..100 {
            take(&mut placement, &Command::RemoveConference { conference: number });
        }
        assert_eq!(placement.load, [0, 0, 0]);
        assert!(placement.conferences.is_empty() && placement.transports.is_empty());
        assert!(placement.sources.is_empty());
    }
}

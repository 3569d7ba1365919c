//! What a command makes necessary: which workers are told what, and what changes in the placement
//! once they have been.

use super::Placement;
use crate::engine::Command;
use crate::media::Command as Media;

/// Who carries out a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Everybody,
    /// All that have a part of a conference.
    Parts(u32),
    /// The worker of a transport.
    Transport(u32),
    /// And those that mirror it.
    TransportAndMirrors(u32),
    /// The worker of a source.
    Source(u32),
    SourceAndMirrors(u32),
}

fn who(command: &Command) -> Who {
    match *command {
        Command::AddSocket { .. } | Command::Elsewhere { .. } | Command::Gone { .. } => {
            Who::Everybody
        }
        Command::RemoveConference { conference }
        | Command::OpenPart { conference, .. }
        | Command::Part { conference, .. }
        | Command::Media(
            Media::AddConference { conference, .. }
            | Media::RemoveConference { conference }
            | Media::SetLoudest { conference, .. },
        ) => Who::Parts(conference),
        Command::AddTransport { transport, .. }
        | Command::RemoveTransport { transport }
        | Command::Media(
            Media::AddTransport { transport, .. }
            | Media::AddMirror { transport, .. }
            | Media::RemoveTransport { transport }
            | Media::SetPayloadTypes { transport, .. }
            | Media::SetHeaderExtensions { transport, .. }
            | Media::SetSources { transport, .. },
        ) => Who::TransportAndMirrors(transport),
        Command::OpenTap(ref tap) => Who::Transport(tap.transport()),
        Command::SetRemoteIce { transport, .. }
        | Command::RestartIce { transport, .. }
        | Command::SendDtls { transport, .. }
        | Command::SetSrtp { transport, .. }
        | Command::Media(
            Media::SetRoundTrip { transport, .. }
            | Media::SetRoute { receiver: transport, .. }
            | Media::SetRelay { receiver: transport, .. }
            | Media::RemoveRoute { receiver: transport, .. }
            | Media::SetMid { receiver: transport, .. }
            | Media::SetDemand { receiver: transport, .. },
        ) => Who::Transport(transport),
        Command::Media(Media::RequestKeyframe { source }) => Who::Source(source),
        Command::Media(Media::SetMuted { source, .. }) => Who::SourceAndMirrors(source),
    }
}

/// What changes in the placement.
#[derive(Debug)]
pub(super) enum Change {
    None,
    AddConference {
        add: Media,
        worker: usize,
        pinned: bool,
    },
    AddTransport {
        transport: u32,
        conference: u32,
        worker: usize,
    },
    RemoveTransport(u32),
    RemoveConference(u32),
    /// A mirror that begins later has to be told as well.
    Told(Media),
}

/// What to tell whom.
pub(super) struct Plan {
    pub(super) orders: Vec<(usize, Command)>,
    pub(super) change: Change,
}

impl Placement {
    /// What a command makes necessary; nothing if what it is about is not there.
    pub(super) fn plan(
        &self,
        worker: Option<usize>,
        command: Command,
        busy: impl Fn(usize) -> u32,
    ) -> Plan {
        let mut plan = Plan { orders: Vec::new(), change: Change::None };
        let (own, parts) = match who(&command) {
            Who::Everybody => return plan,
            Who::Parts(conference) => (None, self.parts(conference)),
            Who::Transport(transport) => (self.worker_of(transport), Vec::new()),
            Who::Source(source) => (self.worker_of_source(source), Vec::new()),
            Who::TransportAndMirrors(transport) => {
                let conference = match command {
                    Command::AddTransport { conference, .. } => Some(conference),
                    _ => self.transports.get(&transport).map(|there| there.conference),
                };
                let parts = conference.map_or(Vec::new(), |conference| self.parts(conference));
                (self.worker_of(transport), parts)
            }
            Who::SourceAndMirrors(source) => {
                let transport = self.sources.get(&source).and_then(|id| self.transports.get(id));
                let parts = transport.map_or(Vec::new(), |there| self.parts(there.conference));
                (self.worker_of_source(source), parts)
            }
        };
        match command {
            Command::Media(add @ Media::AddConference { conference, .. }) => {
                let pinned = worker.is_some();
                let known = parts.first().copied();
                let Some(worker) = known.or(worker).or_else(|| self.idlest(busy)) else {
                    return plan;
                };
                plan.orders.push((worker, Command::Media(add.clone())));
                if !self.conferences.contains_key(&conference) {
                    plan.change = Change::AddConference { add, worker, pinned };
                }
            }
            Command::AddTransport { transport, conference, ref ufrag, .. } => {
                let place = || self.place(conference, busy);
                let Some(worker) = own.or_else(place) else {
                    return plan;
                };
                let others = parts.iter().filter(|part| **part != worker);
                plan.orders
                    .extend(others.map(|&part| {
                        (part, Command::Media(mirror(transport, conference, worker)))
                    }));
                self.tell_elsewhere(&mut plan, transport, ufrag, worker);
                plan.orders.push((worker, command));
                plan.change = Change::AddTransport { transport, conference, worker };
            }
            Command::RestartIce { transport, ref ufrag, .. } => {
                let Some(worker) = own else {
                    return plan;
                };
                self.tell_elsewhere(&mut plan, transport, ufrag, worker);
                plan.orders.push((worker, command));
            }
            Command::RemoveTransport { transport } => {
                let Some(worker) = own else {
                    return plan;
                };
                let others = parts.iter().filter(|part| **part != worker);
                plan.orders.extend(
                    others
                        .map(|&part| (part, Command::Media(Media::RemoveTransport { transport }))),
                );
                self.tell_gone(&mut plan, transport, worker);
                plan.orders.push((worker, command));
                plan.change = Change::RemoveTransport(transport);
            }
            Command::RemoveConference { conference } => {
                for (&id, there) in &self.transports {
                    if there.conference == conference {
                        self.tell_gone(&mut plan, id, there.worker);
                    }
                }
                let parts = parts.into_iter();
                plan.orders
                    .extend(parts.map(|part| (part, Command::RemoveConference { conference })));
                plan.change = Change::RemoveConference(conference);
            }
            Command::Media(media) if !parts.is_empty() => {
                let orders = parts.into_iter().map(|part| (part, Command::Media(media.clone())));
                plan.orders.extend(orders);
                plan.change = Change::Told(media);
            }
            command => plan.orders.extend(own.map(|own| (own, command))),
        }
        plan
    }

    fn tell_elsewhere(&self, plan: &mut Plan, transport: u32, ufrag: &[u8], worker: usize) {
        let others = (0..self.load.len()).filter(|other| *other != worker);
        let number = u8::try_from(worker).unwrap_or(u8::MAX);
        plan.orders.extend(others.map(|other| {
            let ufrag = ufrag.to_vec();
            (other, Command::Elsewhere { transport, ufrag, worker: number })
        }));
    }

    fn tell_gone(&self, plan: &mut Plan, transport: u32, worker: usize) {
        let others = (0..self.load.len()).filter(|other| *other != worker);
        plan.orders.extend(others.map(|other| (other, Command::Gone { transport })));
    }

    fn parts(&self, conference: u32) -> Vec<usize> {
        let there = self.conferences.get(&conference);
        there.map_or(Vec::new(), |there| there.parts.iter().map(|(worker, _)| *worker).collect())
    }

    fn worker_of(&self, transport: u32) -> Option<usize> {
        self.transports.get(&transport).map(|there| there.worker)
    }

    fn worker_of_source(&self, source: u32) -> Option<usize> {
        self.sources.get(&source).and_then(|transport| self.worker_of(*transport))
    }
}

pub(super) fn mirror(transport: u32, conference: u32, worker: usize) -> Media {
    let worker = u8::try_from(worker).unwrap_or(u8::MAX);
    Media::AddMirror { transport, conference, worker }
}

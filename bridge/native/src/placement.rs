//! Which worker has which transport, and so which workers carry out a command.
//!
//! A conference begins on the idlest worker, and its transports go there.  One that is too large
//! for a worker has parts on several: each has some of the transports, and mirrors of all others
//! ([`Media::AddMirror`]).  A transport stays where it began.

mod plan;

use std::collections::HashMap;
use std::mem::discriminant;

use crate::engine::{Command, Rejected};
use crate::media::Command as Media;

use plan::{mirror, Change, Plan};

/// Transports of one conference that a worker takes before another one takes part.
pub const PART: usize = 64;
/// A worker that has used so much of its time lately, in parts of a thousand, is given no more
/// people while there are others.
const BUSY: u32 = 500;

#[derive(Debug)]
struct Conference {
    add: Media,
    loudest: Option<Media>,
    /// Workers, with how many of its transports each has.
    parts: Vec<(usize, usize)>,
    /// The worker whose part is about to begin: not all have been told yet.
    opening: Option<usize>,
    /// It has one part for ever.
    pinned: bool,
}

#[derive(Debug)]
struct Transport {
    conference: u32,
    worker: usize,
    /// Ids of its sources, and whether they are muted.
    sources: Vec<(u32, bool)>,
    /// What mirrors have been told, the last of each kind.
    told: Vec<Media>,
}

/// Conferences and transports on workers.
#[derive(Debug)]
pub struct Placement {
    part: usize,
    /// Transports of each worker.
    load: Vec<usize>,
    conferences: HashMap<u32, Conference>,
    transports: HashMap<u32, Transport>,
    /// The transports of sources.
    sources: HashMap<u32, u32>,
}

impl Placement {
    /// `part` transports of a conference go to one worker before another one takes part.
    pub fn new(workers: usize, part: usize) -> Self {
        Self {
            part: part.max(1),
            load: vec![0; workers.max(1)],
            conferences: HashMap::new(),
            transports: HashMap::new(),
            sources: HashMap::new(),
        }
    }

    /// Have the workers that a command concerns told by `order`; a new conference goes to
    /// `worker` if one is named, and stays there.  `busy` is how much of its time a worker uses,
    /// in parts of a thousand.
    ///
    /// If one of them cannot be told the command is to be given again until all are: what has
    /// been told then is told again, to the same workers, and does nothing the second time.
    pub fn carry_out(
        &mut self,
        worker: Option<usize>,
        command: Command,
        busy: impl Fn(usize) -> u32 + Copy,
        order: impl Fn(usize, Command) -> Result<(), Rejected>,
    ) -> Result<(), Rejected> {
        self.open(&command, busy, &order)?;
        let Plan { orders, change } = self.plan(worker, command, busy);
        // Where a transport is must be settled before anybody hears of it.
        let added = matches!(change, Change::AddTransport { .. });
        let (mut concerned, mut after) = (None, Some(change));
        if added {
            concerned = after.take().and_then(|change| self.apply(change));
        }
        for (worker, command) in orders {
            order(worker, command)?;
        }
        concerned = after.and_then(|change| self.apply(change)).or(concerned);
        if let Some(conference) = concerned {
            self.close_empty(conference, &order);
        }
        Ok(())
    }

    /// Begin another part of a conference if a new transport finds none that has room.
    fn open(
        &mut self,
        command: &Command,
        busy: impl Fn(usize) -> u32,
        order: impl Fn(usize, Command) -> Result<(), Rejected>,
    ) -> Result<(), Rejected> {
        let &Command::AddTransport { transport, conference, .. } = command else {
            return Ok(());
        };
        if self.transports.contains_key(&transport) {
            return Ok(());
        }
        let Some(there) = self.conferences.get(&conference) else {
            return Ok(());
        };
        let Some(worker) = there.opening.or_else(|| self.room(there, busy)) else {
            return Ok(());
        };
        let number = |worker: usize| u8::try_from(worker).unwrap_or(u8::MAX);
        let parts: Vec<_> = there.parts.iter().map(|(worker, _)| *worker).collect();
        let orders = self.orders(conference, there);
        if let Some(there) = self.conferences.get_mut(&conference) {
            there.opening = Some(worker);
        }
        let others = parts.iter().map(|part| number(*part)).collect();
        order(worker, Command::OpenPart { conference, others, orders })?;
        for part in parts {
            order(part, Command::Part { conference, worker: number(worker), there: true })?;
        }
        if let Some(there) = self.conferences.get_mut(&conference) {
            there.opening = None;
            there.parts.push((worker, 0));
        }
        Ok(())
    }

    /// The worker for one more part, if there has to be one and can be.
    fn room(&self, there: &Conference, busy: impl Fn(usize) -> u32) -> Option<usize> {
        let full = |&(worker, count): &(usize, usize)| count >= self.part || busy(worker) >= BUSY;
        if there.pinned || !there.parts.iter().all(full) {
            return None;
        }
        let free = (0..self.load.len())
            .filter(|worker| !there.parts.iter().any(|(other, _)| other == worker))
            .filter(|&worker| busy(worker) < BUSY);
        free.min_by_key(|&worker| self.load.get(worker))
    }

    /// End the parts that have nobody, if there is one that has.
    fn close_empty(
        &mut self,
        conference: u32,
        order: impl Fn(usize, Command) -> Result<(), Rejected>,
    ) {
        let Some(there) = self.conferences.get_mut(&conference) else {
            return;
        };
        if there.parts.iter().all(|(_, count)| *count == 0) {
            return;
        }
        // With a full queue it goes on, and is the first to get somebody again.
        let ends = |part: &(usize, usize)| {
            part.1 == 0 && order(part.0, Command::RemoveConference { conference }).is_ok()
        };
        let (ended, left): (Vec<_>, Vec<_>) = there.parts.drain(..).partition(ends);
        there.parts = left;
        for (worker, _) in ended {
            let worker = u8::try_from(worker).unwrap_or(u8::MAX);
            for (part, _) in &there.parts {
                // Who does not hear of it sends packets for nobody.
                let _ = order(*part, Command::Part { conference, worker, there: false });
            }
        }
    }

    /// All that a worker has to be told to mirror a conference.
    fn orders(&self, conference: u32, there: &Conference) -> Vec<Media> {
        // If it was told before and something went wrong then, it begins anew.
        let mut orders = vec![Media::RemoveConference { conference }, there.add.clone()];
        orders.extend(there.loudest.clone());
        for (&id, transport) in &self.transports {
            if transport.conference == conference {
                orders.push(mirror(id, conference, transport.worker));
                orders.extend(transport.told.iter().cloned());
                let muted = transport.sources.iter().filter(|(_, muted)| *muted);
                orders.extend(muted.map(|&(source, muted)| Media::SetMuted { source, muted }));
            }
        }
        orders
    }

    fn idlest(&self, busy: impl Fn(usize) -> u32) -> Option<usize> {
        // By conferences where transports are equal: many begin before anybody has come.
        let mut conferences = vec![0usize; self.load.len()];
        for there in self.conferences.values() {
            for &(worker, _) in &there.parts {
                if let Some(count) = conferences.get_mut(worker) {
                    *count += 1;
                }
            }
        }
        (0..self.load.len()).min_by_key(|&worker| {
            (busy(worker) >= BUSY, self.load.get(worker), conferences.get(worker))
        })
    }

    /// The part that a new transport goes to.
    fn place(&self, conference: u32, busy: impl Fn(usize) -> u32) -> Option<usize> {
        let parts = self.conferences.get(&conference)?.parts.iter();
        let part = parts.min_by_key(|&&(worker, count)| (busy(worker) >= BUSY, count));
        part.map(|(worker, _)| *worker)
    }

    /// Make a change; the conference in which somebody came or went.
    fn apply(&mut self, change: Change) -> Option<u32> {
        match change {
            Change::None => {}
            Change::AddConference { add, worker, pinned } => {
                if let Media::AddConference { conference, .. } = add {
                    let parts = vec![(worker, 0)];
                    let (loudest, opening) = (None, None);
                    let there = Conference { add, loudest, parts, opening, pinned };
                    self.conferences.entry(conference).or_insert(there);
                }
            }
            Change::AddTransport { transport, conference, worker } => {
                if !self.transports.contains_key(&transport) {
                    self.count(conference, worker, 1);
                    let (sources, told) = (Vec::new(), Vec::new());
                    let there = Transport { conference, worker, sources, told };
                    self.transports.insert(transport, there);
                }
                return Some(conference);
            }
            Change::RemoveTransport(transport) => {
                return self.remove(transport).map(|there| there.conference);
            }
            Change::RemoveConference(conference) => {
                let members = self.transports.iter();
                let members = members.filter(|(_, there)| there.conference == conference);
                let members: Vec<_> = members.map(|(id, _)| *id).collect();
                for transport in members {
                    self.remove(transport);
                }
                self.conferences.remove(&conference);
            }
            Change::Told(media) => self.told(media),
        }
        None
    }

    fn told(&mut self, media: Media) {
        match media {
            Media::SetLoudest { conference, .. } => {
                if let Some(there) = self.conferences.get_mut(&conference) {
                    there.loudest = Some(media);
                }
            }
            Media::SetMuted { source, muted } => {
                let transport = self.sources.get(&source);
                let there = transport.and_then(|id| self.transports.get_mut(id));
                let sources = there.into_iter().flat_map(|there| &mut there.sources);
                for known in sources.filter(|(id, _)| *id == source) {
                    known.1 = muted;
                }
            }
            Media::SetPayloadTypes { transport, .. }
            | Media::SetHeaderExtensions { transport, .. }
            | Media::SetSources { transport, .. } => {
                let Some(there) = self.transports.get_mut(&transport) else {
                    return;
                };
                if let Media::SetSources { sources, .. } = &media {
                    let former = std::mem::take(&mut there.sources);
                    for (source, _) in &former {
                        self.sources.remove(source);
                    }
                    for source in sources.iter().map(|one| one.source) {
                        let known = former.iter().find(|(id, _)| *id == source);
                        there.sources.push((source, known.is_some_and(|(_, muted)| *muted)));
                        self.sources.insert(source, transport);
                    }
                }
                there.told.retain(|other| discriminant(other) != discriminant(&media));
                there.told.push(media);
            }
            _ => {}
        }
    }

    fn remove(&mut self, transport: u32) -> Option<Transport> {
        let there = self.transports.remove(&transport)?;
        self.count(there.conference, there.worker, -1);
        for (source, _) in &there.sources {
            self.sources.remove(source);
        }
        Some(there)
    }

    /// So many more transports of a conference on a worker.
    fn count(&mut self, conference: u32, worker: usize, more: isize) {
        let parts = self.conferences.get_mut(&conference).map(|there| there.parts.iter_mut());
        let part = parts.into_iter().flatten().find(|(other, _)| *other == worker);
        let counts = part.map(|(_, count)| count).into_iter().chain(self.load.get_mut(worker));
        for count in counts {
            *count = count.saturating_add_signed(more);
        }
    }
}

#[cfg(test)]
mod tests;

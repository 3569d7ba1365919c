//! What a worker takes from its sockets, and in which order it does it.
//!
//! As a rule in that in which it came.  When more came than one turn takes, all that waits is
//! taken in, and only pictures wait on: sound, reports, checks and handshakes are small, and it is
//! they that a call cannot do without.  Which source a datagram is of says its SSRC, which nobody
//! has vouched for yet: a forged one waits behind pictures, or is refused where its like always
//! was.

use crate::clock::{monotonic, Stage};
use crate::demux::{classify, Kind};
use crate::handover::PACKETS;
use crate::ice::Path;
use crate::media::Time;
use crate::socket::{ReceiveBatch, RECEIVE_BATCH};

use super::backlog::{Backlog, Relief};
use super::{Worker, MS};

/// So long at most a turn that is behind takes in, and so long it does what waits: sound that
/// comes meanwhile is late by no more.
const SLICE: Time = 5 * MS;
/// Datagrams of one socket that are looked through after a stop; its buffer holds fewer.
const MAX_WAITING: usize = 1 << 17;

/// What becomes of media that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    Carried,
    /// Pictures wait until all else is done.
    Sorted,
    /// It is too old.
    Dropped,
}

#[derive(Default)]
pub(super) struct Intake {
    batch: ReceiveBatch,
    backlog: Backlog,
    relief: Relief,
    /// More may have waited than was read last.
    unread: bool,
}

impl Intake {
    /// Whether there is something to do though nothing comes.
    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }
}

impl Worker {
    /// Read the sockets that are `ready`, and do what there is time for.
    pub(super) fn receive(&mut self, now: Time, ready: &[bool], intake: &mut Intake) {
        let is_behind = intake.unread || intake.is_waiting();
        let media = if is_behind { Media::Sorted } else { Media::Carried };
        let end = now.saturating_add(SLICE);
        intake.unread = false;
        for index in 0..self.outgoing.sockets.len() {
            if ready.get(index) == Some(&true) {
                let mut full = self.take(now, index, intake, media) == RECEIVE_BATCH;
                while full && is_behind && monotonic() < end {
                    full = self.take(now, index, intake, media) == RECEIVE_BATCH;
                }
                intake.unread |= full;
            }
        }
        self.carry_waiting(now, intake);
    }

    /// Pictures that wait, oldest first; if they wait too long, fewer from then on.
    fn carry_waiting(&mut self, now: Time, intake: &mut Intake) {
        let end = monotonic().saturating_add(SLICE);
        while let Some((path, datagram)) = intake.backlog.pop() {
            self.datagram(now, path, datagram);
            if monotonic() >= end {
                break;
            }
        }
        if intake.relief.is_due(now, intake.backlog.level(now)) {
            self.media.relieve(now);
        }
    }

    /// Of what waits take only what is not media, and nothing of other parts.
    pub(super) fn drop_stale(&mut self, now: Time, intake: &mut Intake) {
        for _ in 0..PACKETS {
            if let Some(parcel) = self.handover.take_packets() {
                self.outgoing.counters.dropped_stale += parcel.count() as u64;
                self.handover.give_back(parcel);
            }
        }
        self.outgoing.counters.dropped_stale += intake.backlog.clear() as u64;
        for index in 0..self.outgoing.sockets.len() {
            let mut left = MAX_WAITING;
            while left > 0 {
                let count = self.take(now, index, intake, Media::Dropped);
                left = left.saturating_sub(count.max(1));
                if count == 0 {
                    break;
                }
            }
        }
    }

    /// Take a batch from a socket; how many datagrams it was.
    fn take(&mut self, now: Time, index: usize, intake: &mut Intake, media: Media) -> usize {
        let (Some(socket), Ok(number)) = (self.outgoing.sockets.get(index), u8::try_from(index))
        else {
            return 0;
        };
        let stage = Stage::begin();
        self.outgoing.counters.receive_calls += 1;
        let count = match intake.batch.receive(socket) {
            Ok(count) => count,
            Err(_) => {
                self.outgoing.counters.receive_errors += 1;
                0
            }
        };
        stage.end(&mut self.outgoing.counters.receive_ns);
        for index in 0..count {
            let Some((remote, datagram)) = intake.batch.datagram(index) else {
                continue;
            };
            let path = Path { socket: number, remote };
            let counters = &mut self.outgoing.counters;
            counters.packets_received += 1;
            counters.bytes_received += datagram.len() as u64;
            match media {
                Media::Dropped if classify(datagram).is_some_and(Kind::is_media) => {
                    counters.dropped_stale += 1;
                }
                Media::Sorted if self.is_picture(&path, datagram) => {
                    let counters = &mut self.outgoing.counters;
                    if intake.backlog.push(now, path, datagram) {
                        counters.waited += 1;
                    } else {
                        counters.dropped_backlog += 1;
                    }
                }
                _ => self.datagram(now, path, datagram),
            }
        }
        count
    }

    /// Whether a datagram says that it is of a picture.
    fn is_picture(&self, path: &Path, datagram: &[u8]) -> bool {
        classify(datagram) == Some(Kind::Rtp)
            && self.transports.by_path(path).is_some_and(|id| self.media.is_picture(id, datagram))
    }
}

#[cfg(test)]
mod tests;

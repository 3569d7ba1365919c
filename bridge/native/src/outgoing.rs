//! Everything that leaves: one batch for all sockets, into which agents write plainly and the
//! media half through encryption.

use crate::clock::{monotonic, Stage};
use crate::counters::Counters;
use crate::demux::MAX_DATAGRAM;
use crate::engine::Event;
use crate::ice::{self, Path};
use crate::media;
use crate::socket::{Lane, SendBatch, Socket};
use crate::srtp::MAX_OVERHEAD;
use crate::tap::{Tap, Way};
use crate::transports::Transports;

/// Everything that sends: the batch, the sockets under it, and what counts.
pub struct Outgoing {
    pub sockets: Vec<Socket>,
    pub batch: SendBatch,
    pub counters: Counters,
    pub events: Vec<Event>,
    /// What other workers are to be asked for.
    pub asks: Vec<(u8, media::Ask)>,
    /// Who looks at the headers of one transport.
    pub tap: Option<Box<Tap>>,
}

impl Outgoing {
    pub fn flush(&mut self) {
        if !self.batch.is_empty() {
            let stage = Stage::begin();
            let flushed = self.batch.flush(&mut self.sockets);
            self.counters.flushed(flushed);
            stage.end(&mut self.counters.send_ns);
        }
    }

    pub fn send_plain(&mut self, path: Path, lane: &mut Lane, datagram: &[u8]) {
        if self.batch.is_full() {
            self.flush();
        }
        let room = self.batch.slot().and_then(|slot| slot.get_mut(..datagram.len()));
        if let Some(room) = room.filter(|room| room.len() <= MAX_DATAGRAM) {
            room.copy_from_slice(datagram);
            self.batch.commit(datagram.len(), path, lane);
        } else {
            self.counters.dropped_too_long += 1;
        }
    }
}

/// What an agent has to say goes out, and changes of its paths are kept for after the call.
pub struct IceOutput<'a> {
    pub outgoing: &'a mut Outgoing,
    pub events: &'a mut Vec<ice::Event>,
}

impl ice::Output for IceOutput<'_> {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.outgoing.counters.stun_sent += 1;
        self.outgoing.send_plain(path, &mut Lane::default(), datagram);
    }

    fn event(&mut self, event: ice::Event) {
        self.events.push(event);
    }
}

/// Encrypts what the media half sends straight into the send slots.
pub struct MediaOutput<'a> {
    pub transports: &'a mut Transports,
    pub outgoing: &'a mut Outgoing,
}

impl MediaOutput<'_> {
    /// Copy `parts` into a slot, encrypt with `protect`, and queue.
    fn send(&mut self, receiver: u32, header: &[u8], payload: &[u8], rtp: bool) {
        let outgoing = &mut *self.outgoing;
        let stage = Stage::begin();
        let Some(transport) = self.transports.get_mut(receiver) else {
            outgoing.counters.dropped_no_destination += 1;
            return;
        };
        let Some(path) = transport.destination else {
            outgoing.counters.dropped_no_destination += 1;
            return;
        };
        let Some(sender) = transport.sender.as_mut() else {
            outgoing.counters.dropped_no_keys += 1;
            return;
        };
        if outgoing.batch.is_full() {
            outgoing.flush();
        }
        let length = header.len() + payload.len();
        if length + MAX_OVERHEAD > MAX_DATAGRAM {
            outgoing.counters.dropped_too_long += 1;
            return;
        }
        let Some(slot) = outgoing.batch.slot() else {
            return;
        };
        let Some((first, rest)) = slot.split_at_mut_checked(header.len()) else {
            return;
        };
        let Some(second) = rest.get_mut(..payload.len()) else {
            return;
        };
        first.copy_from_slice(header);
        second.copy_from_slice(payload);
        if let Some(tap) = outgoing.tap.as_mut().filter(|tap| tap.transport() == receiver) {
            let packet = slot.get(..length).unwrap_or_default();
            if rtp {
                tap.rtp(monotonic(), Way::Sent, packet);
            } else {
                tap.rtcp(monotonic(), Way::Sent, packet);
            }
        }
        let protected = if rtp {
            sender.protect_rtp(slot, header.len(), length)
        } else {
            sender.protect_rtcp(slot, length)
        };
        match protected {
            Ok(length) => {
                transport.packets_sent += 1;
                transport.bytes_sent += length as u64;
                outgoing.batch.commit(length, path, &mut transport.lane);
            }
            Err(why) => outgoing.counters.refused(why),
        }
        stage.end(&mut outgoing.counters.encrypt_ns);
    }
}

impl media::Output for MediaOutput<'_> {
    fn send_rtp(&mut self, receiver: u32, header: &[u8], payload: &[u8]) {
        self.send(receiver, header, payload, true);
    }

    fn send_rtcp(&mut self, receiver: u32, compound: &[u8]) {
        self.send(receiver, compound, &[], false);
    }

    fn event(&mut self, event: media::Event) {
        self.outgoing.events.push(Event::Media(event));
    }

    fn ask(&mut self, worker: u8, ask: media::Ask) {
        self.outgoing.asks.push((worker, ask));
    }
}

//! What goes between workers: datagrams that came to the wrong one, and decrypted packets for
//! receivers in another part of their conference.

use crate::clock::Stage;
use crate::demux::Kind;
use crate::handover::What;
use crate::ice::Path;
use crate::media::{self, Media, Time};
use crate::outgoing::MediaOutput;

use super::Worker;

/// Parcels of one turn, so that those who send more than can be sent on do not keep a worker from
/// everything else.
const PARCELS_A_TURN: usize = 16;

impl Worker {
    /// Datagrams that are ours and came to another worker, and packets of mirrors.
    pub(super) fn take_parcels(&mut self, now: Time) {
        for taken in 0..=PARCELS_A_TURN {
            if taken == PARCELS_A_TURN {
                self.shared.ring_commands(); // more may wait
                break;
            }
            let Some(mut parcel) = self.handover.take() else {
                break;
            };
            for (what, octets) in parcel.pieces() {
                self.take_piece(now, what, octets);
            }
            self.handover.give_back(parcel);
        }
        while let Some(source) = self.handover.keyframe() {
            self.apply(now, media::Command::RequestKeyframe { source });
        }
    }

    fn take_piece(&mut self, now: Time, what: What, octets: &mut [u8]) {
        if let What::Datagram(path) = what {
            let counters = &mut self.outgoing.counters;
            counters.packets_received += 1;
            counters.bytes_received += octets.len() as u64;
            return self.datagram(now, path, octets);
        }
        let stage = Stage::begin();
        let mut out =
            MediaOutput { transports: &mut self.transports, outgoing: &mut self.outgoing };
        match what {
            What::Datagram(_) => {}
            What::Rtp { transport } => {
                self.media.receive_mirrored_rtp(now, transport, octets, &mut out);
            }
            What::Rtcp { transport } => {
                self.media.receive_mirrored_rtcp(now, transport, octets, &mut out);
            }
        }
        stage.end(&mut self.outgoing.counters.media_ns);
    }

    /// Give a decrypted packet to the other workers that it concerns.
    pub(super) fn share(&mut self, transport: u32, conference: u32, kind: Kind, packet: &[u8]) {
        if !self.handover.parts.is_split(conference) {
            return;
        }
        let (what, concerns) = match kind {
            Kind::Rtp => (What::Rtp { transport }, self.media.rtp_concerns(transport, packet)),
            _ => (What::Rtcp { transport }, Media::rtcp_concerns(packet)),
        };
        let concerned = self.handover.parts.concerned(conference, concerns);
        for worker in concerned {
            self.handover.hand_over(worker, what, packet);
            self.outgoing.counters.mirrored += 1;
        }
    }

    /// Give a datagram to the worker whose it is; false if it is nobody's.
    pub(super) fn is_elsewhere(&mut self, worker: Option<u8>, path: Path, datagram: &[u8]) -> bool {
        let Some(worker) = worker else {
            return false;
        };
        // That worker counts it.
        self.outgoing.counters.packets_received -= 1;
        self.outgoing.counters.bytes_received -= datagram.len() as u64;
        self.handover.hand_over(worker, What::Datagram(path), datagram);
        true
    }
}

#[cfg(test)]
mod tests;

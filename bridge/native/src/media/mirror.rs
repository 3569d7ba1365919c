//! Transports that another worker has: their packets come decrypted, and go on to receivers here.
//!
//! A mirror is told everything that the transport itself is told.  It answers nothing: losses
//! are made good, keyframes asked for, and reports written where the transport is.

use super::engine::Media;
use super::interface::*;
use super::rtcp::{self, Rtcp};
use super::source::SenderClock;

/// Whom else a packet concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// Every part of the conference: who is loud is decided by each.
    All,
    /// Those that have asked for the source's packets.
    WhoAsked(u32),
    Nobody,
}

impl Media {
    /// Whom else a decrypted RTP packet of a transport concerns.
    pub fn rtp_concerns(&self, transport: u32, packet: &[u8]) -> Concerns {
        let Some(&[a, b, c, d]) = packet.get(8..12) else {
            return Concerns::Nobody;
        };
        let index = self.transports.index(transport);
        let origin = index
            .and_then(|index| self.transports.get(index))
            .and_then(|transport| transport.origin(u32::from_be_bytes([a, b, c, d])));
        match origin.and_then(|origin| self.sources.get(origin.source)) {
            Some(source) if source.muted => Concerns::Nobody,
            Some(source) if source.kind == Kind::Audio => Concerns::All,
            Some(source) => Concerns::WhoAsked(source.id),
            None => Concerns::Nobody,
        }
    }

    /// Whom else a decrypted RTCP compound concerns: senders tell their clocks.
    pub fn rtcp_concerns(compound: &[u8]) -> Concerns {
        let reports = |packet| matches!(packet, Rtcp::SenderReport { .. });
        if rtcp::parse(compound).any(reports) {
            return Concerns::All;
        }
        Concerns::Nobody
    }

    /// Take a decrypted RTP packet that came to the worker of a mirror.
    pub fn receive_mirrored_rtp(
        &mut self,
        now: Time,
        transport: u32,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        self.take_rtp(now, transport, packet, out);
    }

    /// Take a decrypted RTCP compound that came to the worker of a mirror.
    pub fn receive_mirrored_rtcp(
        &mut self,
        now: Time,
        transport: u32,
        compound: &[u8],
        out: &mut impl Output,
    ) {
        let Some(index) = self.transports.index(transport) else {
            self.stats.dropped_unknown_transport += 1;
            return;
        };
        for packet in rtcp::parse(compound) {
            if let Rtcp::SenderReport { ssrc, ntp, timestamp, .. } = packet {
                self.sender_report(now, index, ssrc, SenderClock { ntp, timestamp }, out);
            }
        }
    }
}

//! The machine that owns conferences, transports, sources and routes.

use super::interface::*;

/// Every conference of one worker.
pub struct Media {
    stats: Stats,
}

impl Media {
    /// `seed` feeds the random starts of sequence numbers and timestamps.
    pub fn new(_seed: u64) -> Self {
        Media { stats: Stats::default() }
    }

    pub fn apply(&mut self, _now: Time, _command: Command, _out: &mut impl Output) {}

    /// Take one decrypted RTP packet.  Its bytes are changed.
    pub fn receive_rtp(
        &mut self,
        _now: Time,
        _transport: u32,
        _packet: &mut [u8],
        _out: &mut impl Output,
    ) {
        self.stats.rtp_received += 1;
    }

    /// Take one decrypted RTCP compound packet.
    pub fn receive_rtcp(
        &mut self,
        _now: Time,
        _transport: u32,
        _compound: &[u8],
        _out: &mut impl Output,
    ) {
        self.stats.rtcp_received += 1;
    }

    /// When to call [`Media::timeout`] at the latest; None while there is nothing to wait for.
    pub fn next_timeout(&self) -> Option<Time> {
        None
    }

    pub fn timeout(&mut self, _now: Time, _out: &mut impl Output) {}

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    pub fn transport_stats(&self, _transport: u32) -> Option<TransportStats> {
        None
    }
}

//! Fewer pictures for a while, when there is more to do than can be done.
//!
//! What would be too much otherwise is lost packet by packet, and every picture with it.  So some
//! sources rest: each receiver gets the frame that it has begun with, then nothing, in numbers
//! without a gap, and when the time is over a keyframe is asked for as after any interruption.
//! Links to other bridges carry on: one copy for many people, and they have no other.

use super::engine::Media;
use super::interface::*;
use super::source::Source;

/// Of so many pictures one rests with each step.
const SHARE: usize = 8;
/// A rest takes so long, and by chance up to as long again: those that begin together do not end
/// together.
const REST: Time = 2 * SECOND;

impl Media {
    /// Leave out some of the pictures that are forwarded.
    pub fn relieve(&mut self, now: Time) {
        let mut seen = self.sources.values_mut().filter(|source| source.is_shown()).count();
        let mut wanted = seen.div_ceil(SHARE);
        for index in 0..self.sources.len() {
            let random = self.random();
            let Some(source) = self.sources.get_mut(index).filter(|source| source.is_shown())
            else {
                continue;
            };
            // Each with the same chance, and in the end as many as are wanted.
            if random % (seen as u64) < wanted as u64 {
                source.rest_until(now + REST + (random >> 32) * REST / (1 << 32));
                wanted -= 1;
                self.stats.rests += 1;
            }
            seen -= 1;
        }
    }

    /// Whether an RTP packet that is encrypted still says that it is of a picture.
    pub fn is_picture(&self, transport: u32, packet: &[u8]) -> bool {
        let index = self.transports.index(transport);
        let transport = index.and_then(|index| self.transports.get(index));
        let ssrc = packet.get(8..12).and_then(|octets| octets.try_into().ok());
        let origin = transport.zip(ssrc).and_then(|(transport, octets)| {
            transport.origin(u32::from_be_bytes(octets)) // RFC 3550, section 5.1
        });
        let source = origin.and_then(|origin| self.sources.get(origin.source));
        source.is_some_and(|source| source.kind == Kind::Video)
    }
}

impl Source {
    /// Whether it is a picture that somebody gets.
    fn is_shown(&self) -> bool {
        self.kind == Kind::Video
            && self.rests_until.is_none()
            && self
                .routes
                .iter()
                .any(|route| !route.projection.is_relay() && route.projection.current().is_some())
    }

    fn rest_until(&mut self, end: Time) {
        self.rests_until = Some(end);
        for route in &mut self.routes {
            route.projection.rest();
        }
    }

    /// A packet has come: end a rest whose time is over.
    pub(super) fn end_rest(&mut self, now: Time) {
        if self.rests_until.is_some_and(|end| end <= now) {
            self.rests_until = None;
            for route in &mut self.routes {
                route.projection.resume();
            }
        }
    }
}

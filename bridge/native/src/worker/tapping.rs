//! What a worker does for its tap, if it has one.

use crate::clock::monotonic;
use crate::demux::Kind;
use crate::tap::{Tap, Way};

use super::Worker;

impl Worker {
    pub(super) fn open_tap(&mut self, tap: Box<Tap>) {
        let known = self.transports.get_mut(tap.transport()).is_some();
        self.outgoing.tap = known.then_some(tap);
        self.renew_tap();
    }

    /// The tap's transport is gone, if it is that one.
    pub(super) fn close_tap(&mut self, transport: u32) {
        self.outgoing.tap.take_if(|tap| tap.transport() == transport);
    }

    /// The meaning of header extensions may have changed.
    pub(super) fn renew_tap(&mut self) {
        if let Some(tap) = &mut self.outgoing.tap {
            if let Some(extensions) = self.media.extensions(tap.transport()) {
                tap.set_extensions(extensions);
            }
        }
    }

    /// A packet that came and was decrypted.
    #[inline]
    pub(super) fn tap_received(&mut self, transport: u32, kind: Kind, packet: &[u8]) {
        if let Some(tap) = self.outgoing.tap.as_mut().filter(|tap| tap.transport() == transport) {
            if kind == Kind::Rtp {
                tap.rtp(monotonic(), Way::Received, packet);
            } else {
                tap.rtcp(monotonic(), Way::Received, packet);
            }
        }
    }

    /// Once a turn: what was noted goes to whoever reads it.
    pub(super) fn hand_over_tapped(&mut self) {
        self.outgoing.tap.take_if(|tap| !tap.hand_over());
    }
}

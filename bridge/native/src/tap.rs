//! A tap: the headers of what one transport carries, both ways, for whoever looks for a fault.
//!
//! Of RTP it keeps fixed header, CSRCs and those extensions that the bridge itself reads, but for
//! the audio level, which says who speaks and how loud.  The rest of the extension block is zeros
//! (padding, RFC 8285).  Of RTCP it keeps reports and feedback that the bridge understands; no
//! SDES, no BYE, no APP, and nothing that somebody appended.  No payload gets in here.
//!
//! The worker writes into a buffer of its own and hands it over once a turn; a reader that does
//! not keep up ends the tap, so that what was read has no gaps.

use std::sync::{Arc, Mutex};

use crate::engine::lock;
use crate::media::extension::{Extension, ExtensionMap};
use crate::media::rtcp;
use crate::media::rtp::{Header, HEADER_LENGTH};
use crate::media::Time;

/// Octets that a worker keeps until it can hand them over: about 5,000 packets.
const TURN: usize = 1 << 18;
/// Octets that wait for the reader: 20,000 packets, several seconds of a busy transport; more
/// would keep the event loop that reads them from everything else.
const WAITING: usize = 1 << 20;
/// Time (u64, nanoseconds of CLOCK_MONOTONIC), octets that were carried, octets that are here
/// (u16), flags (u16); all little endian.
pub const RECORD: usize = 16;
/// The bridge sent it.
pub const SENT: u16 = 1;
/// It is RTCP.
pub const RTCP: u16 = 2;
/// Extensions that are shown; what others hold is not for those who look for faults.
const SHOWN: [Extension; 5] = [
    Extension::TransportCc,
    Extension::Orientation,
    Extension::DependencyDescriptor,
    Extension::Mid,
    Extension::AbsSendTime,
];

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Received,
    Sent,
}

struct Waiting {
    octets: Vec<u8>,
    /// Either side has ended it.
    is_over: bool,
}

/// Where the worker leaves records, and the reader finds them.
pub struct Records(Mutex<Waiting>);

impl Records {
    fn new() -> Arc<Self> {
        let octets = Vec::with_capacity(WAITING);
        Arc::new(Self(Mutex::new(Waiting { octets, is_over: false })))
    }

    /// Have `read` see what came since the last time, and whether no more comes.
    pub fn take<T>(&self, read: impl FnOnce(&[u8], bool) -> T) -> T {
        let mut waiting = lock(&self.0);
        let result = read(&waiting.octets, waiting.is_over);
        waiting.octets.clear();
        result
    }

    /// No more is wanted.
    pub fn end(&self) {
        lock(&self.0).is_over = true;
    }
}

/// The worker's end.  Dropped, wherever that is, it tells the reader that no more comes.
pub struct Tap {
    transport: u32,
    /// What the ids in the headers mean.
    extensions: ExtensionMap,
    octets: Vec<u8>,
    is_full: bool,
    records: Arc<Records>,
}

impl Tap {
    /// Everything that it will ever need is allocated here.
    pub fn new(transport: u32) -> (Box<Self>, Arc<Records>) {
        let records = Records::new();
        let tap = Self {
            transport,
            extensions: ExtensionMap::new(&[]),
            octets: Vec::with_capacity(TURN),
            is_full: false,
            records: Arc::clone(&records),
        };
        (Box::new(tap), records)
    }

    pub fn transport(&self) -> u32 {
        self.transport
    }

    /// What the ids in the headers mean from now on.
    pub fn set_extensions(&mut self, extensions: &ExtensionMap) {
        self.extensions.clone_from(extensions);
    }

    /// Note the header of a packet in plain text; what is not valid RTP is left out.
    pub fn rtp(&mut self, now: Time, way: Way, packet: &[u8]) {
        let Some(header) = Header::parse(packet, &self.extensions) else {
            return;
        };
        let Some(whole) = packet.get(..header.payload_start) else {
            return;
        };
        let Some(start) = self.begin(now, way, 0, packet.len(), whole.len()) else {
            return;
        };
        self.octets.extend_from_slice(whole);
        let csrcs = 4 * usize::from(packet.first().copied().unwrap_or(0) & 0x0f);
        let extension = HEADER_LENGTH + csrcs;
        // Profile and length stay; the first octet tells apart the two forms of elements.
        let lead = if whole.get(extension) == Some(&0xbe) { 1 } else { 2 };
        let kept = self.octets.get_mut(start..).unwrap_or_default();
        if let Some(block) = kept.get_mut(extension + 4..) {
            block.fill(0);
        }
        for place in SHOWN.iter().filter_map(|kind| header.extensions.place(*kind)) {
            let element = place.start.saturating_sub(lead)..place.end;
            if let (Some(to), Some(from)) = (kept.get_mut(element.clone()), whole.get(element)) {
                to.copy_from_slice(from);
            }
        }
    }

    /// Note a compound in plain text.
    pub fn rtcp(&mut self, now: Time, way: Way, compound: &[u8]) {
        let shown = || rtcp::understood(compound);
        let length = shown().map(|(head, body)| head.len() + body.len()).sum();
        if length == 0 || self.begin(now, way, RTCP, length, length).is_none() {
            return;
        }
        for (head, body) in shown() {
            self.octets.extend_from_slice(&head);
            self.octets.extend_from_slice(body);
        }
    }

    /// Begin a record with room for `kept` octets; where they go.
    fn begin(
        &mut self,
        now: Time,
        way: Way,
        flags: u16,
        carried: usize,
        kept: usize,
    ) -> Option<usize> {
        self.is_full |= self.octets.len() + RECORD + kept > TURN;
        let (carried, kept) = (u32::try_from(carried).ok()?, u16::try_from(kept).ok()?);
        if self.is_full {
            return None;
        }
        let flags = flags | if way == Way::Sent { SENT } else { 0 };
        self.octets.extend_from_slice(&now.to_le_bytes());
        self.octets.extend_from_slice(&carried.to_le_bytes());
        self.octets.extend_from_slice(&kept.to_le_bytes());
        self.octets.extend_from_slice(&flags.to_le_bytes());
        Some(self.octets.len())
    }

    /// Hand over what there is, unless the reader is reading right now; false when it is over.
    pub fn hand_over(&mut self) -> bool {
        let Ok(mut waiting) = self.records.0.try_lock() else {
            return true;
        };
        if waiting.octets.len() + self.octets.len() <= WAITING {
            waiting.octets.extend_from_slice(&self.octets);
            self.octets.clear();
            waiting.is_over |= self.is_full;
        }
        !waiting.is_over
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.hand_over();
        self.records.end();
    }
}

#[cfg(test)]
mod tests;

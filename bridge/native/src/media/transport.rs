//! One participant's transport, as sender of its sources and as receiver of others'.

use super::extension::ExtensionMap;
use super::feedback::Arrivals;
use super::interface::{Mid, Time, TransportStats, MILLISECOND};
use super::leg::Leg;
use super::payload_types::PayloadTypes;
use super::projection::Numbers;

/// Unannounced SSRCs that are reported.
const MAX_UNKNOWN: usize = 64;
/// SSRCs that a receiver can be sent to over its whole life; their numbers are never forgotten,
/// since a number that comes again would repeat an encryption nonce.
const MAX_SLOTS: usize = 4096;
/// The share of what was sent that may be sent again, and the burst, in bytes.
const RESEND_SHARE: usize = 4;
const RESEND_BURST: usize = 64 << 10;

/// Where packets of an SSRC belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index of the source.
    pub source: usize,
    pub encoding: u8,
    pub rtx: bool,
}

/// An SSRC that we send to a receiver.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub ssrc: u32,
    /// Up to date only while no route uses the slot.
    pub numbers: Numbers,
    /// Index of the source whose route uses the slot.
    pub source: Option<usize>,
    pub mid: Option<Mid>,
}

#[derive(Debug)]
pub struct Transport {
    pub id: u32,
    pub conference: usize,
    /// The worker that has it, if that is another.
    pub mirror_of: Option<u8>,
    pub payload_types: PayloadTypes,
    pub extensions: ExtensionMap,
    /// Ascending by SSRC.
    origins: Vec<(u32, Origin)>,
    /// Ids of the sources it owns.
    pub sources: Vec<u32>,
    unknown: Vec<u32>,
    pub arrivals: Option<Arrivals>,
    /// Ascending by SSRC.
    slots: Vec<Slot>,
    pub leg: Leg,
    resend_allowance: usize,
    pub stats: TransportStats,
    /// When the next receiver report is due.
    pub report_at: Option<Time>,
}

impl Transport {
    pub fn new(id: u32, conference: usize) -> Self {
        Transport {
            id,
            conference,
            mirror_of: None,
            payload_types: PayloadTypes::default(),
            extensions: ExtensionMap::new(&[]),
            origins: Vec::new(),
            sources: Vec::new(),
            unknown: Vec::new(),
            arrivals: None,
            slots: Vec::new(),
            leg: Leg::default(),
            resend_allowance: RESEND_BURST,
            stats: TransportStats::default(),
            report_at: None,
        }
    }

    pub fn origin(&self, ssrc: u32) -> Option<Origin> {
        let at = self.origins.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc).ok()?;
        Some(self.origins[at].1)
    }

    /// Announce an SSRC; the first announcement of one stays.
    pub fn announce(&mut self, ssrc: u32, origin: Origin) {
        if let Err(at) = self.origins.binary_search_by_key(&ssrc, |(ssrc, _)| *ssrc) {
            self.origins.insert(at, (ssrc, origin));
        }
        self.unknown.retain(|unknown| *unknown != ssrc);
    }

    pub fn withdraw_all(&mut self) {
        self.origins.clear();
    }

    /// Remember an unannounced SSRC; true if it is new and to be reported.
    pub fn is_news(&mut self, ssrc: u32) -> bool {
        if self.unknown.len() >= MAX_UNKNOWN || self.unknown.contains(&ssrc) {
            return false;
        }
        self.unknown.push(ssrc);
        true
    }

    pub fn slot(&mut self, ssrc: u32) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&ssrc, |slot| slot.ssrc).ok()?;
        Some(&mut self.slots[at])
    }

    /// The slot, made if need be; None if there are too many.
    pub fn slot_or_new(&mut self, ssrc: u32, random: u64) -> Option<&mut Slot> {
        let at = match self.slots.binary_search_by_key(&ssrc, |slot| slot.ssrc) {
            Ok(at) => at,
            Err(_) if self.slots.len() >= MAX_SLOTS => return None,
            Err(at) => {
                let numbers = Numbers::start(random);
                self.slots.insert(at, Slot { ssrc, numbers, source: None, mid: None });
                at
            }
        };
        self.slots.get_mut(at)
    }

    #[inline]
    pub fn count_sent(&mut self, bytes: usize) {
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += bytes as u64;
        self.resend_allowance = (self.resend_allowance + bytes / RESEND_SHARE).min(RESEND_BURST);
    }

    /// Take a retransmission's bytes from the allowance, if they are there.
    pub fn may_resend(&mut self, bytes: usize) -> bool {
        if bytes > self.resend_allowance {
            return false;
        }
        self.resend_allowance -= bytes;
        true
    }

    /// How long a packet that was sent is left alone before it is sent again.
    pub fn resend_guard(&self) -> Time {
        match self.stats.rtt {
            Some(rtt) => (rtt * 9 / 10).min(rtt.saturating_sub(5 * MILLISECOND)),
            None => 0,
        }
    }

    pub fn measured(&mut self, rtt: Time) {
        self.stats.rtt = Some(match self.stats.rtt {
            Some(old) => (old * 7 + rtt) / 8,
            None => rtt,
        });
    }
}

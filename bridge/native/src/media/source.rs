//! A source: its encodings as they come in, and the routes they go out on.

use super::bwe::Losses;
use super::cache::Cache;
use super::codec::Memory;
use super::interface::{Ask, Encoding, Kind, LayerFigures, Mid, Time, MILLISECOND};
use super::keyframes::KeyframeRequests;
use super::loudness::Loudness;
use super::meter::{self, Meter};
use super::nack::Nacks;
use super::payload_types::Mapping;
use super::projection::Projection;
use super::reception::Reception;
use super::rtcp::ReportBlock;

pub const MAX_ENCODINGS: usize = 4;
/// Silent packets in a row that are still forwarded, so that comfort noise ends cleanly.
const FORWARDED_SILENCE: u8 = 3;
/// The RFC 6464 level of silence.
const SILENCE: u8 = 127;
/// An encoding that is this far behind the source's newest packet has been stopped; sooner, if
/// another has begun so many frames meanwhile.
const STALLED: Time = 700 * MILLISECOND;
const OVERTAKEN: Time = 250 * MILLISECOND;
const OVERTAKEN_FRAMES: u32 = 5;
/// A sender cannot make the control side busy: between two news of one encoding's size, and
/// between two audio levels of one source.
const SIZE_INTERVAL: Time = 200 * MILLISECOND;
const LEVEL_INTERVAL: Time = 2 * MILLISECOND;
/// Sender reports of which the round trip can be told.
const REPORTS: usize = 4;

/// The last sender report of an encoding: NTP and RTP time.
#[derive(Clone, Copy, Debug)]
pub struct SenderClock {
    pub ntp: u64,
    pub timestamp: u32,
}

#[derive(Debug)]
pub struct Incoming {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub reception: Reception,
    pub nacks: Nacks,
    pub cache: Option<Cache>,
    pub clock: Option<SenderClock>,
    pub last_packet: Option<Time>,
    /// Frames begun so far, the last of them by timestamp, and how many each encoding of the
    /// source had begun when the last packet came.
    frames: u32,
    frame: Option<u32>,
    others: [u32; MAX_ENCODINGS],
    /// Reported as active.
    pub active: bool,
    pub size: Option<(u16, u16)>,
    size_told: Option<Time>,
    /// The last keyframe, by RTP timestamp.
    pub keyframe: Option<u32>,
    pub memory: Memory,
    pub meter: Meter,
    pub nack_at: Option<Time>,
    /// Of audio: how many numbers were closed, and the newest of them.
    closed: u16,
    closed_last: u64,
}

impl Incoming {
    fn new(encoding: &Encoding) -> Self {
        Incoming {
            ssrc: encoding.ssrc,
            rtx_ssrc: encoding.rtx_ssrc,
            reception: Reception::default(),
            nacks: Nacks::default(),
            cache: None,
            clock: None,
            last_packet: None,
            frames: 0,
            frame: None,
            others: [0; MAX_ENCODINGS],
            active: false,
            size: None,
            size_told: None,
            keyframe: None,
            memory: Memory::default(),
            meter: Meter::default(),
            nack_at: None,
            closed: 0,
            closed_last: 0,
        }
    }

    /// The audio packet `number` is dropped for all receivers and leaves no gap: those after it
    /// count on from those before.
    pub fn close(&mut self, number: u64) {
        self.closed = self.closed.wrapping_add(1);
        self.closed_last = number;
    }

    /// The sequence number of an audio packet without those that were closed; None if it came
    /// too late to have one.
    pub fn without_closed(&self, number: u64) -> Option<u16> {
        (number > self.closed_last).then(|| (number as u16).wrapping_sub(self.closed))
    }

    /// The sender counts anew.
    pub fn reopen(&mut self) {
        self.closed_last = 0;
    }

    /// Whether news of the size may be told now; a keyframe that may not is followed by others.
    pub fn may_tell_size(&mut self, now: Time) -> bool {
        let may = self.size_told.is_none_or(|told| now >= told + SIZE_INTERVAL);
        if may {
            self.size_told = Some(now);
        }
        may
    }
}

#[derive(Debug)]
pub struct Route {
    /// Index and id of the receiving transport.
    pub receiver: usize,
    pub receiver_id: u32,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    /// The slot's.
    pub mid: Option<Mid>,
    pub projection: Projection,
    /// The last incoming payload type and what it maps to; 255 for none.
    pub mapped: u8,
    pub mapping: Option<Mapping>,
    /// To another bridge, one of several.
    pub is_relay: bool,
    /// It has begun with a packet that others had followed; see `Media::catch_up`.
    pub behind: bool,
    /// Sender reports sent: the middle of the NTP time, and when.
    reports: [(u32, Time); REPORTS],
    next_report: usize,
    told: Option<Told>,
}

/// What a receiver has said of its stream, and when.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Time,
    highest: u32,
    lost: u32,
    /// What it misses that was not sent.
    absent: u32,
}

impl Route {
    pub fn new(receiver: usize, receiver_id: u32, ssrc: u32, projection: Projection) -> Self {
        Route {
            receiver,
            receiver_id,
            ssrc,
            rtx_ssrc: None,
            mid: None,
            projection,
            mapped: 255,
            mapping: None,
            is_relay: false,
            behind: false,
            reports: [(0, 0); REPORTS],
            next_report: 0,
            told: None,
        }
    }

    /// Count a packet for sender reports.
    #[inline]
    pub fn count(&mut self, octets: usize) {
        let numbers = &mut self.projection.numbers;
        numbers.packets = numbers.packets.wrapping_add(1);
        numbers.octets = numbers.octets.wrapping_add(octets as u32);
    }

    pub fn reported(&mut self, now: Time, middle: u32) {
        self.reports[self.next_report % REPORTS] = (middle, now);
        self.next_report = (self.next_report + 1) % REPORTS;
    }

    /// What the receiver has lost since its last report; what did not come to us, or comes to us
    /// late, is not its way's loss.  None if that cannot be told.
    pub fn losses(&mut self, now: Time, block: &ReportBlock) -> Option<Losses> {
        let told = Told {
            at: now,
            highest: block.highest,
            lost: block.cumulative_lost,
            absent: self.projection.absent(),
        };
        let before = self.told.replace(told)?;
        let step = |now: u32, before: u32| i64::from(now.wrapping_sub(before) as i32);
        let packets = step(told.highest, before.highest);
        let absent = step(told.absent, before.absent);
        let lost = step(told.lost, before.lost) - absent;
        (packets > 0).then_some(Losses { since: before.at, packets: packets - absent, lost })
    }

    /// When the sender report with this middle was last sent.
    pub fn report_sent_at(&self, middle: u32) -> Option<Time> {
        let sent = self.reports.iter().filter(|(known, at)| *known == middle && *at > 0);
        sent.map(|(_, at)| *at).max()
    }
}

/// Whether a packet with this RFC 6464 byte is silent.
pub fn says_silence(level: Option<u8>) -> bool {
    level.map(|level| level & 0x7f) == Some(SILENCE)
}

#[derive(Debug)]
pub struct Source {
    pub id: u32,
    /// Index of the owning transport.
    pub transport: usize,
    pub conference: usize,
    /// The worker that has it, if that is another.
    pub mirror_of: Option<u8>,
    /// Of a mirror: its packets of video have been asked for.
    asked_for: bool,
    pub kind: Kind,
    pub encodings: Vec<Incoming>,
    pub routes: Vec<Route>,
    pub muted: bool,
    /// Too much is to be done, so nobody gets it until then.
    pub rests_until: Option<Time>,
    pub keyframes: KeyframeRequests,
    /// Bit mask of the encodings that are coming.
    pub flowing: u8,
    silent: u8,
    pub loudness: Loudness,
    /// Its newest packet was among the loudest.
    pub loud: bool,
    level_told: Option<Time>,
    metered: Option<Time>,
}

impl Source {
    pub fn new(id: u32, transport: usize, conference: usize, kind: Kind) -> Self {
        Source {
            id,
            transport,
            conference,
            mirror_of: None,
            asked_for: false,
            kind,
            encodings: Vec::new(),
            routes: Vec::new(),
            muted: false,
            rests_until: None,
            keyframes: KeyframeRequests::default(),
            flowing: 0,
            silent: 0,
            loudness: Loudness::default(),
            loud: false,
            level_told: None,
            metered: None,
        }
    }

    /// Take the announced encodings; those known by SSRC at the same place keep their state.
    pub fn announce(&mut self, encodings: &[Encoding]) {
        let encodings = &encodings[..encodings.len().min(MAX_ENCODINGS)];
        let same = self.encodings.len() == encodings.len()
            && self.encodings.iter().zip(encodings).all(|(old, new)| old.ssrc == new.ssrc);
        if same {
            for (old, new) in self.encodings.iter_mut().zip(encodings) {
                old.rtx_ssrc = new.rtx_ssrc;
            }
            return;
        }
        self.encodings = encodings.iter().map(Incoming::new).collect();
        self.flowing = 0;
        for route in &mut self.routes {
            route.projection.interrupt();
            route.projection.forget();
        }
    }

    /// What a mirror has to ask for, now that its routes are as they are.
    pub fn ask(&mut self) -> Option<(u8, Ask)> {
        let worker = self.mirror_of.filter(|_| self.kind == Kind::Video)?;
        let wanted = self.routes.iter().any(|route| !route.projection.is_paused());
        if wanted == std::mem::replace(&mut self.asked_for, wanted) {
            return None;
        }
        let source = self.id;
        if wanted {
            return Some((worker, Ask::Packets { source }));
        }
        self.rest();
        Some((worker, Ask::NoPackets { source }))
    }

    /// No packets of a mirror come for a while, and then with any numbers.
    pub fn rest(&mut self) {
        self.flowing = 0;
        for incoming in &mut self.encodings {
            let Incoming { ssrc, rtx_ssrc, clock, .. } = *incoming;
            *incoming = Incoming { clock, ..Incoming::new(&Encoding { ssrc, rtx_ssrc }) };
        }
    }

    /// Whether packets of it are taken: of a mirror what is still on its way is not.
    pub fn takes(&self) -> bool {
        self.mirror_of.is_none() || self.kind == Kind::Audio || self.asked_for
    }

    /// Whether this worker tells of it; of a mirror the one does that has the source.
    pub fn is_own(&self) -> bool {
        self.mirror_of.is_none()
    }

    /// Keep `flowing` up to date with a packet of an encoding.
    pub fn flows(&mut self, now: Time, encoding: usize, timestamp: u32) {
        if self.is_own() {
            self.metered.get_or_insert(now);
        }
        if let Some(incoming) = self.encodings.get_mut(encoding) {
            incoming.last_packet = Some(now);
            if incoming.frame != Some(timestamp) {
                incoming.frame = Some(timestamp);
                incoming.frames = incoming.frames.wrapping_add(1);
            }
        }
        let mut frames = [0; MAX_ENCODINGS];
        for (place, incoming) in frames.iter_mut().zip(&self.encodings) {
            *place = incoming.frames;
        }
        if let Some(incoming) = self.encodings.get_mut(encoding) {
            incoming.others = frames;
        }
        self.flowing = 0;
        for (index, incoming) in self.encodings.iter().enumerate() {
            let Some(age) = incoming.last_packet.map(|at| now.saturating_sub(at)) else {
                continue;
            };
            let mut begun =
                frames.iter().zip(&incoming.others).map(|(now, then)| now.wrapping_sub(*then));
            let overtaken = age >= OVERTAKEN && begun.any(|begun| begun >= OVERTAKEN_FRAMES);
            if age < STALLED && !overtaken {
                self.flowing |= 1 << index;
            }
        }
    }

    /// Figures of all layers, once a second while something flows.
    pub fn measure(&mut self, now: Time) -> Option<Vec<LayerFigures>> {
        let since = self.metered?;
        let elapsed = now.saturating_sub(since);
        if elapsed < meter::INTERVAL {
            return None;
        }
        let flows = self.encodings.iter().any(|incoming| incoming.active);
        self.metered = flows.then_some(now);
        let mut figures = Vec::with_capacity(MAX_ENCODINGS * meter::LAYERS);
        for (encoding, incoming) in (0u8..).zip(&mut self.encodings) {
            incoming.meter.tell(encoding, elapsed, &mut figures);
        }
        flows.then_some(figures)
    }

    /// When `measure` has something to tell.
    pub fn measured_at(&self) -> Option<Time> {
        self.metered.map(|at| at + meter::INTERVAL)
    }

    /// Whether an audio level may be told now.
    pub fn may_tell_level(&mut self, now: Time) -> bool {
        let may = self.level_told.is_none_or(|told| now >= told + LEVEL_INTERVAL);
        if may {
            self.level_told = Some(now);
        }
        may
    }

    /// Whether an audio packet of this level is to be dropped as silence.
    pub fn is_silence(&mut self, level: Option<u8>) -> bool {
        if !says_silence(level) {
            self.silent = 0;
            return false;
        }
        self.silent = self.silent.saturating_add(1).min(FORWARDED_SILENCE + 1);
        self.silent > FORWARDED_SILENCE
    }

    /// A packet of an audio encoding goes out; true if that is news.
    pub fn sounds(&mut self, now: Time, encoding: usize) -> bool {
        self.encodings.get_mut(encoding).is_some_and(|incoming| {
            incoming.last_packet = Some(now);
            !std::mem::replace(&mut incoming.active, true)
        })
    }

    /// The SSRC to name in a keyframe request: the lowest that is coming; encoders answer on all.
    pub fn keyframe_ssrc(&self) -> Option<u32> {
        let lowest = self.flowing.trailing_zeros() as usize;
        self.encodings.get(lowest).or(self.encodings.first()).map(|incoming| incoming.ssrc)
    }

    /// The route by which `receiver` gets it under `ssrc`.  Another bridge has several, one for
    /// each encoding.
    pub fn route_under(&mut self, receiver: usize, ssrc: u32) -> Option<&mut Route> {
        self.routes.iter_mut().find(|route| route.receiver == receiver && route.ssrc == ssrc)
    }

    pub fn route_to(&mut self, receiver: usize) -> Option<&mut Route> {
        self.routes.iter_mut().find(|route| route.receiver == receiver)
    }
}

#[cfg(test)]
mod tests;

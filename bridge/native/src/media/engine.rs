//! The machine that owns conferences, transports, sources and routes, and carries out commands.

mod routes;

use super::bwe::Arrival;
use super::extension::{Extension, ExtensionMap};
use super::feedback::Arrivals;
use super::header::HeaderWriter;
use super::interface::*;
use super::loudness::Loudest;
use super::payload_types::PayloadTypes;
use super::rtcp_write;
use super::selection::Limits;
use super::source::Source;
use super::table::Table;
use super::transport::{Origin, Transport};
use routes::ask;

/// Sources that a transport can have: another bridge has those of all who are there.
const MAX_SOURCES: usize = 2048;
/// Sources of a conference that may pass without being loud.
const MAX_ALWAYS: usize = 1024;
/// Timers go off at multiples of this.
const TICK: Time = 5 * MILLISECOND;

#[derive(Debug)]
pub(super) struct Conference {
    pub id: u32,
    pub audio_ssrc: u32,
    pub video_ssrc: u32,
    /// Ids.
    pub transports: Vec<u32>,
    pub levels: Vec<u8>,
    pub levels_since: Option<Time>,
    pub loudest: Loudest,
}

/// Every conference of one worker.
pub struct Media {
    pub(super) conferences: Table<Conference>,
    pub(super) transports: Table<Transport>,
    pub(super) sources: Table<Source>,
    pub(super) stats: Stats,
    pub(super) writer: HeaderWriter,
    /// A payload being changed for a retransmission.
    pub(super) scratch: Box<[u8]>,
    random: u64,
    pub(super) next: Option<Time>,
    /// When pacers are looked at next.
    pub(super) pace_at: Option<Time>,
    /// Room for the packets of one report.
    pub(super) arrivals: Vec<Arrival>,
}

impl Media {
    /// `seed` feeds the random starts of sequence numbers and timestamps.
    pub fn new(seed: u64) -> Self {
        Media {
            conferences: Table::default(),
            transports: Table::default(),
            sources: Table::default(),
            stats: Stats::default(),
            writer: HeaderWriter::default(),
            scratch: vec![0; 4096].into(),
            random: seed,
            next: None,
            pace_at: None,
            arrivals: Vec::new(),
        }
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    pub fn transport_stats(&self, transport: u32) -> Option<TransportStats> {
        let index = self.transports.index(transport)?;
        self.transports.get(index).map(|transport| transport.stats)
    }

    /// What the ids of header extensions mean on a transport.
    pub fn extensions(&self, transport: u32) -> Option<&ExtensionMap> {
        let index = self.transports.index(transport)?;
        self.transports.get(index).map(|transport| &transport.extensions)
    }

    /// See to it that [`Media::next_timeout`] is not later than the tick after `at`.
    pub(super) fn wake(&mut self, at: Time) {
        let at = self.rounded(at);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub(super) fn rounded(&self, at: Time) -> Time {
        at.div_ceil(TICK) * TICK
    }

    /// splitmix64
    pub(super) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn apply(&mut self, now: Time, command: Command, out: &mut impl Output) {
        match command {
            Command::AddConference { conference, audio_ssrc, video_ssrc } => {
                self.conferences.insert(
                    conference,
                    Conference {
                        id: conference,
                        audio_ssrc,
                        video_ssrc,
                        transports: Vec::new(),
                        levels: Vec::new(),
                        levels_since: None,
                        loudest: Loudest::default(),
                    },
                );
            }
            Command::RemoveConference { conference } => {
                if let Some((_, conference)) = self.conferences.remove(conference) {
                    for transport in conference.transports {
                        self.remove_transport(transport, out);
                    }
                }
            }
            Command::AddTransport { transport, conference } => {
                self.add_transport(transport, conference, None);
            }
            Command::AddMirror { transport, conference, worker } => {
                self.add_transport(transport, conference, Some(worker));
            }
            Command::RemoveTransport { transport } => self.remove_transport(transport, out),
            Command::SetPayloadTypes { transport, payload_types } => {
                if let Some(index) = self.transports.index(transport) {
                    if let Some(transport) = self.transports.get_mut(index) {
                        transport.payload_types = PayloadTypes::new(payload_types);
                        if !transport.payload_types.transport_cc() || transport.mirror_of.is_some()
                        {
                            transport.arrivals = None;
                        } else if transport.arrivals.is_none() {
                            transport.arrivals = Some(Arrivals::default());
                        }
                    }
                    self.negotiated(index);
                }
            }
            Command::SetHeaderExtensions { transport, extensions } => {
                if let Some(index) = self.transports.index(transport) {
                    if let Some(transport) = self.transports.get_mut(index) {
                        transport.extensions = ExtensionMap::new(&extensions);
                    }
                    self.negotiated(index);
                }
            }
            Command::SetSources { transport, sources } => {
                self.set_sources(transport, &sources, out)
            }
            Command::SetMuted { source, muted } => {
                let index = self.sources.index(source);
                if let Some(source) = index.and_then(|index| self.sources.get_mut(index)) {
                    if source.muted != muted {
                        source.muted = muted;
                        for route in &mut source.routes {
                            route.projection.interrupt();
                        }
                        if !source.is_own() {
                            source.rest();
                        }
                    }
                }
                if let (Some(index), false) = (index, muted) {
                    self.want_keyframe(now, index, out);
                }
            }
            Command::RequestKeyframe { source } => {
                if let Some(index) = self.sources.index(source) {
                    self.want_keyframe(now, index, out);
                }
            }
            Command::SetRoute {
                receiver,
                source,
                ssrc,
                rtx_ssrc,
                max_encoding,
                max_spatial,
                max_temporal,
            } => {
                let layers = Limits { spatial: max_spatial, temporal: max_temporal };
                let wants = (max_encoding, layers);
                self.set_route(now, (receiver, source), ssrc, rtx_ssrc, wants, out);
            }
            Command::SetRelay { receiver, source, encodings } => {
                self.set_relay(receiver, source, encodings, out);
            }
            Command::RemoveRoute { receiver, source } => {
                let indices = (self.transports.index(receiver), self.sources.index(source));
                if let (Some(receiver), Some(source)) = indices {
                    self.park(receiver, source, out);
                }
            }
            Command::SetMid { receiver, ssrc, mid } => self.set_mid(receiver, ssrc, mid),
            Command::SetLoudest { conference, count, mut always } => {
                let index = self.conferences.index(conference);
                if let Some(conference) = index.and_then(|at| self.conferences.get_mut(at)) {
                    always.truncate(MAX_ALWAYS);
                    conference.loudest.set(count, always);
                }
            }
            Command::SetDemand { receiver, bits_per_second, trial } => {
                let index = self.transports.index(receiver);
                if let Some(receiver) = index.and_then(|index| self.transports.get_mut(index)) {
                    receiver.leg.set_demand(now, bits_per_second, trial);
                    self.wake_pacers(now);
                }
            }
            Command::SetRoundTrip { transport, rtt } => {
                let index = self.transports.index(transport);
                if let Some(transport) = index.and_then(|index| self.transports.get_mut(index)) {
                    transport.measured(rtt.min(10 * SECOND));
                }
            }
        }
    }

    fn add_transport(&mut self, id: u32, conference: u32, mirror_of: Option<u8>) {
        let Some(index) = self.conferences.index(conference) else {
            return;
        };
        if self.transports.index(id).is_some() {
            return;
        }
        let mut transport = Transport::new(id, index);
        transport.mirror_of = mirror_of;
        self.transports.insert(id, transport);
        if let Some(conference) = self.conferences.get_mut(index) {
            conference.transports.push(id);
        }
    }

    /// The payload types or extensions of a transport changed: no mapping from or to it holds,
    /// and what was sent to it could not be repeated byte for byte.
    fn negotiated(&mut self, transport: usize) {
        let random = self.random();
        if let Some(transport) = self.transports.get_mut(transport) {
            let id = transport.extensions.ids[Extension::TransportCc as usize];
            if id != 0 && transport.payload_types.transport_cc() {
                transport.leg.reports(random);
            }
        }
        for source in self.sources.values_mut() {
            let sends = source.transport == transport;
            for route in &mut source.routes {
                if sends || route.receiver == transport {
                    route.mapped = 255;
                    route.projection.forget();
                }
            }
        }
    }

    fn set_sources(
        &mut self,
        transport: u32,
        descriptions: &[SourceDescription],
        out: &mut impl Output,
    ) {
        let Some(index) = self.transports.index(transport) else {
            return;
        };
        let Some(owner) = self.transports.get_mut(index) else {
            return;
        };
        let descriptions = &descriptions[..descriptions.len().min(MAX_SOURCES)];
        owner.withdraw_all();
        let (conference, mirror_of) = (owner.conference, owner.mirror_of);
        let old = std::mem::take(&mut owner.sources);
        for id in old {
            if !descriptions.iter().any(|description| description.source == id) {
                self.remove_source(id, out);
            }
        }
        for description in descriptions {
            let id = description.source;
            let fresh = || {
                let mut source = Source::new(id, index, conference, description.kind);
                source.mirror_of = mirror_of;
                source
            };
            let at = match self.sources.index(id) {
                Some(at) => at,
                None => self.sources.insert(id, fresh()),
            };
            let (Some(source), Some(owner)) =
                (self.sources.get_mut(at), self.transports.get_mut(index))
            else {
                continue;
            };
            if source.transport != index || source.kind != description.kind {
                continue;
            }
            source.announce(&description.encodings);
            owner.sources.push(id);
            for (number, encoding) in source.encodings.iter().enumerate() {
                let origin = Origin { source: at, encoding: number as u8, rtx: false };
                owner.announce(encoding.ssrc, origin);
                if let Some(rtx_ssrc) = encoding.rtx_ssrc {
                    owner.announce(rtx_ssrc, Origin { rtx: true, ..origin });
                }
            }
        }
    }

    fn remove_source(&mut self, id: u32, out: &mut impl Output) {
        let Some(index) = self.sources.index(id) else {
            return;
        };
        while let Some(receiver) = self
            .sources
            .get(index)
            .and_then(|source| source.routes.first())
            .map(|route| route.receiver)
        {
            self.park(receiver, index, out);
        }
        if let Some((_, source)) = self.sources.remove(id) {
            if let Some(conference) = self.conferences.get_mut(source.conference) {
                conference.loudest.forget(id);
            }
        }
    }

    fn remove_transport(&mut self, id: u32, out: &mut impl Output) {
        let Some(index) = self.transports.index(id) else {
            return;
        };
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let conference = transport.conference;
        for source in std::mem::take(&mut transport.sources) {
            self.remove_source(source, out);
        }
        for source in self.sources.values_mut() {
            source.routes.retain(|route| route.receiver != index);
            ask(source, out);
        }
        self.transports.remove(id);
        if let Some(conference) = self.conferences.get_mut(conference) {
            conference.transports.retain(|other| *other != id);
        }
    }

    /// Somebody wants a keyframe of the source at `index`.
    pub(super) fn want_keyframe(&mut self, now: Time, index: usize, out: &mut impl Output) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        if source.kind != Kind::Video || source.muted || !source.takes() {
            return;
        }
        if source.keyframes.want(now) {
            self.ask_keyframe(index, out);
        } else if let Some(deadline) = source.keyframes.deadline() {
            self.wake(deadline);
        }
    }

    /// Send the request that [`super::keyframes::KeyframeRequests`] has allowed.
    pub(super) fn ask_keyframe(&mut self, index: usize, out: &mut impl Output) {
        let Some(source) = self.sources.get(index) else {
            return;
        };
        let (Some(media), Some(conference), Some(transport)) = (
            source.keyframe_ssrc(),
            self.conferences.get(source.conference),
            self.transports.get(source.transport),
        ) else {
            return;
        };
        if let Some(worker) = source.mirror_of {
            return out.ask(worker, Ask::Keyframe { source: source.id });
        }
        let mut buffer = [0; 12];
        let length = rtcp_write::pli(&mut buffer, conference.video_ssrc, media);
        out.send_rtcp(transport.id, &buffer[..length]);
        self.stats.pli_sent += 1;
        self.stats.rtcp_sent += 1;
    }
}

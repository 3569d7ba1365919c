//! What goes into the media machine and what comes out of it.
//!
//! The values mirror the calls and events of `_native.pyi`; ids are the caller's, unique
//! while in use and never reused.

/// Nanoseconds of a monotonic clock.
pub type Time = u64;

pub const MICROSECOND: Time = 1_000;
pub const MILLISECOND: Time = 1_000_000;
pub const SECOND: Time = 1_000_000_000;

/// One negotiated payload type of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadType {
    pub id: u8,
    /// Lower-case encoding name, as in `rtpmap`.
    pub codec: String,
    pub clock_rate: u32,
    /// The payload type that this one retransmits (RFC 4588) if it is `rtx`, or that its blocks
    /// have (RFC 2198) if it is `red`.
    pub retransmits: Option<u8>,
    pub nack: bool,
    pub pli: bool,
    pub transport_cc: bool,
}

/// One negotiated RTP header extension of a transport (RFC 8285).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderExtension {
    pub id: u8,
    pub uri: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

/// One simulcast stream of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
}

/// What a transport's owner sends; `encodings` are ordered lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceDescription {
    pub source: u32,
    pub kind: Kind,
    pub encodings: Vec<Encoding>,
}

/// The identification of an m-line (RFC 8843, 15): 1 to 16 bytes of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mid {
    bytes: [u8; Mid::MAX],
    length: u8,
}

impl Mid {
    /// What fits into a one-byte header extension.
    pub const MAX: usize = 16;

    /// None for a text that is empty, too long or no token of printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Mid::MAX];
        let place = bytes.get_mut(..text.len())?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        place.copy_from_slice(text.as_bytes());
        Some(Mid { bytes, length: text.len() as u8 })
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// A change ordered from outside.  A command about an unknown id does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The two SSRCs are the sender SSRCs of our RTCP.
    AddConference {
        conference: u32,
        audio_ssrc: u32,
        video_ssrc: u32,
    },
    /// Also removes its transports.
    RemoveConference {
        conference: u32,
    },
    AddTransport {
        transport: u32,
        conference: u32,
    },
    /// A transport of another `worker`: what comes from it is taken here as well, and goes to
    /// those receivers of the conference who are here.
    AddMirror {
        transport: u32,
        conference: u32,
        worker: u8,
    },
    /// Also removes its sources and every route from and to it.
    RemoveTransport {
        transport: u32,
    },
    SetPayloadTypes {
        transport: u32,
        payload_types: Vec<PayloadType>,
    },
    SetHeaderExtensions {
        transport: u32,
        extensions: Vec<HeaderExtension>,
    },
    /// Replaces the former list; known source ids keep their state.
    SetSources {
        transport: u32,
        sources: Vec<SourceDescription>,
    },
    /// Force-mute: the source's packets are counted but not forwarded.
    SetMuted {
        source: u32,
        muted: bool,
    },
    RequestKeyframe {
        source: u32,
    },
    /// Forward `source` to `receiver` under `ssrc`; `max_encoding` -1 pauses, 7 of layers is all.
    SetRoute {
        receiver: u32,
        source: u32,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        max_encoding: i32,
        max_spatial: u8,
        max_temporal: u8,
    },
    /// Send those encodings of `source` that are in the bit mask to another bridge, `receiver`:
    /// each under its own SSRCs, and all of it.
    SetRelay {
        receiver: u32,
        source: u32,
        encodings: u8,
    },
    RemoveRoute {
        receiver: u32,
        source: u32,
    },
    /// Stamp every packet that `receiver` gets under `ssrc`, and its retransmissions, with a
    /// mid (RFC 8843, 15).
    SetMid {
        receiver: u32,
        ssrc: u32,
        mid: Mid,
    },
    /// Of the conference's audio forward only the `count` loudest sources, and those in `always`;
    /// 0 forwards all.
    SetLoudest {
        conference: u32,
        count: usize,
        always: Vec<u32>,
    },
    /// So much, in bit/s, would be sent to `receiver` if its bandwidth had no bound: while that
    /// is more than the estimate, the engine probes for more.  The way is filled up to `trial`
    /// bit/s, as far as the estimate goes, to see whether that stands it; 0 for no trial.
    SetDemand {
        receiver: u32,
        bits_per_second: u64,
        trial: u64,
    },
    /// Round trip measured outside of RTCP (ICE checks); paces NACKs towards this transport.
    SetRoundTrip {
        transport: u32,
        rtt: Time,
    },
}

/// What one layer costs, with all that it depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerFigures {
    pub encoding: u8,
    pub spatial: u8,
    pub temporal: u8,
    /// The smaller side in pixels, 0 unknown.
    pub height: u16,
    /// Frames per second.
    pub frame_rate: f64,
    /// Bits per second, 0 if it does not come.
    pub bitrate: u32,
}

/// Something for the control side to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    SourceActive {
        source: u32,
        encoding: u8,
        size: Option<(u16, u16)>,
    },
    SourceSilent {
        source: u32,
        encoding: u8,
    },
    /// All layers that a video source has come in, once a second.
    Layers {
        source: u32,
        layers: Vec<LayerFigures>,
    },
    /// Records of 12 bytes, little endian: source (u32), milliseconds (u32, wraps),
    /// RFC 6464 byte (u8), three zero bytes.
    Levels {
        conference: u32,
        records: Vec<u8>,
    },
    /// What the way to a receiver can carry, as estimated.
    Bandwidth {
        transport: u32,
        bits_per_second: u64,
        /// What of that is taken by what is not video.
        besides: u64,
    },
}

/// What the worker that has a source is asked for by one that mirrors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Its packets of video, from now on.
    Packets {
        source: u32,
    },
    /// No more of them.
    NoPackets {
        source: u32,
    },
    Keyframe {
        source: u32,
    },
}

/// Where packets and events go.  Nothing is kept by reference beyond the call.
pub trait Output {
    /// Send `header` and `payload` together as one RTP packet; `header` is exactly the RTP
    /// header with its extension block, so encryption starts at `payload`.
    ///
    /// Sequence numbers of one SSRC mostly grow, but a packet recovered late goes out up to
    /// 512 numbers behind the newest, and a plain retransmission repeats a packet byte for byte.
    fn send_rtp(&mut self, receiver: u32, header: &[u8], payload: &[u8]);
    /// Send one (possibly reduced-size, RFC 5506) RTCP compound packet.
    fn send_rtcp(&mut self, receiver: u32, compound: &[u8]);
    fn event(&mut self, event: Event);
    /// Ask the worker that a mirror is of; where there are no mirrors nobody is asked.
    fn ask(&mut self, _worker: u8, _ask: Ask) {}
}

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: u64,)* }

        impl $name {
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Every counter with its name, in the order of `NAMES`.
            pub fn pairs(&self) -> impl Iterator<Item = (&'static str, u64)> {
                let values = [$(self.$field,)*];
                Self::NAMES.iter().copied().zip(values)
            }
        }
    };
}

counters! {
    /// Counters since the start.
    Stats {
        rtp_received,
        rtp_forwarded,
        rtp_bytes_forwarded,
        rtcp_received,
        rtcp_sent,
        dropped_malformed,
        dropped_unknown_transport,
        /// Payload type not negotiated by the sender.
        dropped_payload_type,
        dropped_unknown_ssrc,
        /// SSRC announced by another transport of the conference.
        dropped_foreign_ssrc,
        dropped_duplicate,
        dropped_too_old,
        dropped_padding,
        dropped_silence,
        /// Others are louder.
        dropped_quiet,
        /// Malformed redundant audio.
        dropped_red,
        dropped_muted,
        /// The receiver has negotiated no payload type for the codec.
        dropped_not_negotiated,
        /// Feedback about an SSRC that is not a route of the receiver.
        dropped_feedback,
        /// A route was refused because the receiver has used too many SSRCs.
        dropped_routes,
        nack_sent,
        nack_requested,
        nack_received,
        nack_unanswered,
        rtx_received,
        rtx_recovered,
        rtx_sent,
        resend_sent,
        resend_over_budget,
        holes_filled,
        pli_received,
        pli_sent,
        keyframes,
        encoding_switches,
        /// Audio frames taken from the redundancy of later packets.
        red_recovered,
        tcc_sent,
        tcc_received,
        /// Feedback about packets that are not remembered.
        tcc_unmatched,
        tcc_malformed,
        remb_received,
        /// Packets that waited in a pacer.
        paced,
        /// Frames' packets that a receiver was not sent because its queue was full.
        dropped_overload,
        /// Pictures that nobody got for a while because there was too much to do.
        rests,
        /// Sent only to probe for bandwidth.
        padding_sent,
        padding_bytes_sent,
        receiver_reports_sent,
        sender_reports_sent,
    }
}

/// Figures of one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportStats {
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub rtt: Option<Time>,
    /// Of what the transport's owner sent to us, over the last report interval.
    pub fraction_lost_received: f64,
    /// Of what we sent, as last reported by the receiver.
    pub fraction_lost_sent: f64,
}

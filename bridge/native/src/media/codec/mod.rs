//! What has to be known about a video packet to forward it: where keyframes begin, how large they
//! are, which layer it is of, and the numbers that must stay continuous.

pub mod av1;
pub mod dependency;
pub mod h264;
pub mod vp8;
pub mod vp9;

/// The codecs that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Audio,
    /// Redundant audio (RFC 2198).
    Red,
    Vp8,
    Vp9,
    Av1,
    H264,
    /// Video that is forwarded unread.
    OtherVideo,
    Rtx,
}

impl Codec {
    /// `name` as in `rtpmap`, lower case.
    pub fn from_name(name: &str) -> Codec {
        match name {
            "vp8" => Codec::Vp8,
            "vp9" => Codec::Vp9,
            "av1" | "av1x" => Codec::Av1,
            "h264" => Codec::H264,
            "h265" => Codec::OtherVideo,
            "rtx" => Codec::Rtx,
            "red" => Codec::Red,
            _ => Codec::Audio,
        }
    }

    pub fn is_audio(self) -> bool {
        matches!(self, Codec::Audio | Codec::Red)
    }
}

/// A picture id of VP8 or VP9 and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    pub value: u16,
    /// 15 bits rather than 7.
    pub wide: bool,
    at: u8,
}

impl PictureId {
    fn parse(payload: &[u8], at: usize) -> Option<Self> {
        let high = *payload.get(at)?;
        let wide = high & 0x80 != 0;
        let value = if wide {
            u16::from(high & 0x7f) << 8 | u16::from(*payload.get(at + 1)?)
        } else {
            u16::from(high)
        };
        Some(PictureId { value, wide, at: at as u8 })
    }

    fn length(&self) -> usize {
        1 + usize::from(self.wide)
    }

    fn write(&self, payload: &mut [u8], value: u16) {
        let at = usize::from(self.at);
        if self.wide {
            if let Some(bytes) = payload.get_mut(at..at + 2) {
                bytes.copy_from_slice(&(value | 0x8000).to_be_bytes());
            }
        } else if let Some(byte) = payload.get_mut(at) {
            *byte = value as u8 & 0x7f;
        }
    }
}

/// What is known of a packet's frame, by where it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Frames are not told apart: all are forwarded.
    #[default]
    Nothing,
    Vp8(vp8::Descriptor),
    Vp9(vp9::Descriptor),
    Dependency(dependency::Descriptor),
    /// A dependency descriptor that makes no sense, or no sense yet.
    Unreadable,
}

/// What a packet says about its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// This packet begins a keyframe; for unread codecs every packet does.
    pub keyframe: bool,
    pub size: Option<(u16, u16)>,
    pub detail: Detail,
}

impl Frame {
    /// (spatial, temporal)
    pub fn layer(&self) -> (u8, u8) {
        match &self.detail {
            Detail::Vp8(vp8) => (0, vp8.temporal_layer.unwrap_or(0)),
            Detail::Vp9(vp9) => (vp9.spatial, vp9.temporal),
            Detail::Dependency(frame) => (frame.spatial, frame.temporal),
            Detail::Nothing | Detail::Unreadable => (0, 0),
        }
    }

    /// Smaller sides by spatial layer as far as this packet tells, 0 unknown.
    pub fn heights(&self) -> [u16; dependency::MAX_SPATIAL] {
        match &self.detail {
            Detail::Vp8(vp8) => [vp8.size.map_or(0, |(width, height)| width.min(height)), 0, 0, 0],
            Detail::Vp9(vp9) => vp9.heights,
            Detail::Dependency(frame) => frame.heights,
            Detail::Nothing | Detail::Unreadable => [0; dependency::MAX_SPATIAL],
        }
    }

    /// Whether spatial layers above need this one, so that it is part of what they cost.
    pub fn is_referenced(&self) -> bool {
        match &self.detail {
            Detail::Vp9(vp9) => vp9.referenced,
            Detail::Dependency(frame) => (0..frame.targets.count).any(|target| {
                frame.targets.get(target).is_some_and(|(spatial, _)| spatial > frame.spatial)
                    && frame.indication(target) != dependency::NOT_PRESENT
            }),
            Detail::Nothing | Detail::Vp8(_) | Detail::Unreadable => false,
        }
    }

    /// The number that frames of the encoding count by.
    pub fn picture(&self) -> Option<u16> {
        match &self.detail {
            Detail::Vp8(vp8::Descriptor { picture_id, .. })
            | Detail::Vp9(vp9::Descriptor { picture_id, .. }) => picture_id.map(|id| id.value),
            Detail::Dependency(frame) => Some(frame.frame),
            Detail::Nothing | Detail::Unreadable => None,
        }
    }

    /// Which bits of `picture` there are.
    pub fn picture_mask(&self) -> u16 {
        match &self.detail {
            Detail::Vp8(vp8::Descriptor { picture_id: Some(id), .. })
            | Detail::Vp9(vp9::Descriptor { picture_id: Some(id), .. }) => {
                if id.wide {
                    0x7fff
                } else {
                    0x7f
                }
            }
            _ => 0xffff,
        }
    }

    /// The second number that goes on through switches: TL0PICIDX, or the first template id.
    pub fn index(&self) -> Option<u8> {
        match &self.detail {
            Detail::Vp8(vp8) => vp8.tl0_picture_index,
            Detail::Vp9(vp9) => vp9.tl0_picture_index,
            Detail::Dependency(frame) => Some(frame.first_template),
            Detail::Nothing | Detail::Unreadable => None,
        }
    }

    /// By how much the next stream's `index` has to be greater.
    pub fn index_step(&self) -> u8 {
        match &self.detail {
            Detail::Dependency(frame) => frame.template_count,
            _ => 1,
        }
    }

    /// Whether the numbers are in the payload.
    pub fn rewrites_payload(&self) -> bool {
        matches!(self.detail, Detail::Vp8(_) | Detail::Vp9(_))
    }

    /// Whether its dependency descriptor goes on to others.  Where the payload has the numbers,
    /// it would contradict them.
    pub fn keeps_descriptor(&self) -> bool {
        matches!(self.detail, Detail::Dependency(_) | Detail::Unreadable)
    }

    /// Write other numbers into the payload that this was read from.
    pub fn rewrite(&self, payload: &mut [u8], picture: u16, index: u8) {
        match &self.detail {
            Detail::Vp8(vp8) => vp8.rewrite(payload, picture, index),
            Detail::Vp9(vp9) => vp9.rewrite(payload, picture, index),
            Detail::Nothing | Detail::Dependency(_) | Detail::Unreadable => {}
        }
    }
}

/// What is remembered of an encoding's frames, to read the next.
#[derive(Debug, Default)]
pub struct Memory {
    structure: Option<Box<dependency::Structure>>,
}

/// Read one packet; `descriptor` is its dependency descriptor.  It is not `news` if a newer
/// keyframe is known.
pub fn inspect(
    codec: Codec,
    payload: &[u8],
    descriptor: Option<&[u8]>,
    memory: &mut Memory,
    news: bool,
) -> Frame {
    if let (Codec::Av1 | Codec::H264, Some(descriptor)) = (codec, descriptor) {
        return match dependency::read(descriptor, &mut memory.structure, news) {
            Some(frame) => {
                Frame { keyframe: frame.keyframe, size: None, detail: Detail::Dependency(frame) }
            }
            None => Frame { detail: Detail::Unreadable, ..Frame::default() },
        };
    }
    match codec {
        Codec::Vp8 => vp8::parse(payload).map_or_else(Frame::default, |vp8| Frame {
            keyframe: vp8.keyframe,
            size: vp8.size,
            detail: Detail::Vp8(vp8),
        }),
        Codec::Vp9 => vp9::parse(payload).map_or_else(Frame::default, |vp9| Frame {
            keyframe: vp9.keyframe,
            size: vp9.size,
            detail: Detail::Vp9(vp9),
        }),
        Codec::Av1 => Frame { keyframe: av1::keyframe(payload), ..Frame::default() },
        Codec::H264 => Frame { keyframe: h264::keyframe(payload), ..Frame::default() },
        Codec::OtherVideo | Codec::Audio | Codec::Red | Codec::Rtx => {
            Frame { keyframe: true, ..Frame::default() }
        }
    }
}

//! What has to be known about a video payload to forward it: where keyframes begin, how large
//! they are, and for VP8 the numbers that must stay continuous.

pub mod av1;
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

/// What a payload says about its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// This packet begins a keyframe; for unread codecs every packet does.
    pub keyframe: bool,
    pub size: Option<(u16, u16)>,
    pub vp8: vp8::Descriptor,
}

/// Read the payload of one packet; `descriptor` is its AV1 dependency descriptor.
pub fn inspect(codec: Codec, payload: &[u8], descriptor: Option<&[u8]>) -> Frame {
    match codec {
        Codec::Vp8 => {
            let vp8 = vp8::parse(payload).unwrap_or_default();
            Frame { keyframe: vp8.keyframe, size: vp8.size, vp8 }
        }
        Codec::Vp9 => {
            let (keyframe, size) = vp9::keyframe(payload);
            Frame { keyframe, size, ..Frame::default() }
        }
        Codec::Av1 => Frame { keyframe: av1::keyframe(payload, descriptor), ..Frame::default() },
        Codec::H264 => Frame { keyframe: h264::keyframe(payload), ..Frame::default() },
        Codec::OtherVideo | Codec::Audio | Codec::Red | Codec::Rtx => {
            Frame { keyframe: true, ..Frame::default() }
        }
    }
}

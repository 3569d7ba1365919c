//! The header extensions that this bridge reads or forwards, and their ids on a transport.

use std::ops::Range;

use super::interface::HeaderExtension;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Extension {
    AudioLevel = 0,
    TransportCc = 1,
    Orientation = 2,
    DependencyDescriptor = 3,
    Mid = 4,
    AbsSendTime = 5,
}

pub const EXTENSIONS: usize = 6;
/// What a receiver gets as the sender wrote it; transport sequence number, time of sending and
/// mid are our own.
pub const FORWARDED: [Extension; 3] =
    [Extension::AudioLevel, Extension::Orientation, Extension::DependencyDescriptor];

const URIS: [(&str, Extension); EXTENSIONS] = [
    ("urn:ietf:params:rtp-hdrext:ssrc-audio-level", Extension::AudioLevel),
    (
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        Extension::TransportCc,
    ),
    ("urn:3gpp:video-orientation", Extension::Orientation),
    (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
        Extension::DependencyDescriptor,
    ),
    ("urn:ietf:params:rtp-hdrext:sdes:mid", Extension::Mid),
    ("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", Extension::AbsSendTime),
];

/// The extensions found in one packet, as (offset, length) into it; offset 0 means absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    places: [(u16, u8); EXTENSIONS],
}

impl Extensions {
    /// Note where an extension is; offsets beyond 65,535 and lengths beyond 255 are ignored.
    pub fn insert(&mut self, kind: Extension, offset: usize, length: usize) {
        if let (Ok(offset), Ok(length)) = (u16::try_from(offset), u8::try_from(length)) {
            self.places[kind as usize] = (offset, length);
        }
    }

    pub fn get<'a>(&self, kind: Extension, packet: &'a [u8]) -> Option<&'a [u8]> {
        packet.get(self.place(kind)?)
    }

    /// Where in the packet the value is.
    pub fn place(&self, kind: Extension) -> Option<Range<usize>> {
        let (offset, length) = self.places[kind as usize];
        let start = usize::from(offset);
        (start != 0).then(|| start..start + usize::from(length))
    }
}

/// Ids by kind; 0 means not negotiated.  Two receivers with equal ids get equal headers.
pub type Ids = [u8; EXTENSIONS];

/// The ids of a transport, both ways.
#[derive(Clone, Debug)]
pub struct ExtensionMap {
    kinds: [Option<Extension>; 256],
    pub ids: Ids,
}

impl ExtensionMap {
    /// Unknown URIs and ids outside 1..=255 are left out.
    pub fn new(extensions: &[HeaderExtension]) -> Self {
        let mut map = ExtensionMap { kinds: [None; 256], ids: [0; EXTENSIONS] };
        for extension in extensions {
            let known = URIS.iter().find(|(uri, _)| *uri == extension.uri);
            if let (Some(&(_, kind)), true) = (known, extension.id > 0) {
                map.kinds[usize::from(extension.id)] = Some(kind);
                map.ids[kind as usize] = extension.id;
            }
        }
        map
    }

    pub fn kind(&self, id: u8) -> Option<Extension> {
        self.kinds[usize::from(id)]
    }
}

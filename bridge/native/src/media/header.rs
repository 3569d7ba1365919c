//! Writing RTP headers for receivers.
//!
//! A packet fans out under headers that differ in few bytes, so the extension block is laid
//! out once per set of extension ids and then patched.

use super::extension::{Extension, Ids, EXTENSIONS, FORWARDED};
use super::interface::Mid;
use super::rtp::HEADER_LENGTH;

/// 12 + 4 + three elements of at most 2 + 255 bytes + the stamp + the mid + padding.
const MAX_HEADER: usize = 820;

/// The fields that differ between receivers of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// What a packet gets as it leaves: its transport-wide number, or else the time of sending.
    /// Written only if the ids of the header contain the extension.
    pub stamp: u32,
    /// As above.
    pub mid: Option<Mid>,
    /// The receiver's own dependency descriptor.
    pub descriptor: Option<&'a [u8]>,
}

/// A header in the making.
pub struct HeaderWriter {
    bytes: [u8; MAX_HEADER],
    length: usize,
    ids: Ids,
    stamp_at: usize,
    stamp_length: usize,
    mid_at: usize,
    mid_length: usize,
    descriptor_at: usize,
    descriptor_length: usize,
    laid_out: bool,
}

impl Default for HeaderWriter {
    fn default() -> Self {
        HeaderWriter {
            bytes: [0; MAX_HEADER],
            length: HEADER_LENGTH,
            ids: [0; EXTENSIONS],
            stamp_at: 0,
            stamp_length: 0,
            mid_at: 0,
            mid_length: 0,
            descriptor_at: 0,
            descriptor_length: 0,
            laid_out: false,
        }
    }
}

impl HeaderWriter {
    /// Forget the extensions of the last packet.
    pub fn reset(&mut self) {
        self.laid_out = false;
    }

    /// The header for a receiver with `ids`; `values` are the extension values of the packet,
    /// and must be the same for all calls since the last [`HeaderWriter::reset`].
    pub fn write(
        &mut self,
        ids: &Ids,
        values: &[Option<&[u8]>; EXTENSIONS],
        fields: Fields<'_>,
    ) -> &[u8] {
        let mid =
            fields.mid.as_ref().map(Mid::as_bytes).filter(|_| ids[Extension::Mid as usize] != 0);
        let mid = mid.unwrap_or_default();
        let descriptor = fields
            .descriptor
            .filter(|_| ids[Extension::DependencyDescriptor as usize] != 0)
            .unwrap_or_default();
        if !self.laid_out
            || self.ids != *ids
            || self.mid_length != mid.len()
            || self.descriptor_length != descriptor.len()
        {
            self.lay_out(ids, values, mid.len(), descriptor);
        }
        self.bytes[1] = fields.payload_type & 0x7f | if fields.marker { 0x80 } else { 0 };
        self.bytes[2..4].copy_from_slice(&fields.sequence.to_be_bytes());
        self.bytes[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
        self.bytes[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
        self.stamp(fields.stamp);
        self.bytes[self.mid_at..self.mid_at + mid.len()].copy_from_slice(mid);
        let at = self.descriptor_at;
        self.bytes[at..at + descriptor.len()].copy_from_slice(descriptor);
        &self.bytes[..self.length]
    }

    /// The header that was written last.
    pub fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Put the transport-wide number or the time of sending, whichever has its place there, into
    /// the header that was written last.
    #[inline]
    pub fn stamp(&mut self, stamp: u32) -> &[u8] {
        let length = self.stamp_length;
        let place = &mut self.bytes[self.stamp_at..self.stamp_at + length];
        place.copy_from_slice(&stamp.to_be_bytes()[4 - length..]);
        &self.bytes[..self.length]
    }

    /// Where in the header that was written last the stamp is; 0: it has none.
    pub fn stamp_at(&self) -> usize {
        self.stamp_at
    }

    fn lay_out(
        &mut self,
        ids: &Ids,
        values: &[Option<&[u8]>; EXTENSIONS],
        mid_length: usize,
        descriptor: &[u8],
    ) {
        self.ids = *ids;
        self.mid_at = 0;
        self.mid_length = mid_length;
        self.descriptor_at = 0;
        self.descriptor_length = descriptor.len();
        self.laid_out = true;
        (self.stamp_at, self.stamp_length) = (0, 0);
        let wanted = |kind: Extension| match (ids[kind as usize], values[kind as usize]) {
            (0, _) | (_, None) => None,
            (id, _) if kind == Extension::DependencyDescriptor && !descriptor.is_empty() => {
                Some((id, descriptor))
            }
            (id, Some(value)) => Some((id, value)),
        };
        let (stamp_id, stamp_length) =
            match (ids[Extension::TransportCc as usize], ids[Extension::AbsSendTime as usize]) {
                (0, time) => (time, 3),
                (number, _) => (number, 2),
            };
        let mid_id = ids[Extension::Mid as usize];
        let two_byte = stamp_id > 14
            || (mid_length > 0 && mid_id > 14)
            || FORWARDED.iter().any(|&kind| {
                wanted(kind)
                    .is_some_and(|(id, value)| id > 14 || value.is_empty() || value.len() > 16)
            });
        let mut at = HEADER_LENGTH + 4;
        if stamp_id != 0 {
            at = self.element(at, two_byte, stamp_id, &[0; 3][..stamp_length]);
            (self.stamp_at, self.stamp_length) = (at - stamp_length, stamp_length);
        }
        if let (1.., Some(room)) = (mid_length, [0; Mid::MAX].get(..mid_length)) {
            at = self.element(at, two_byte, mid_id, room);
            self.mid_at = at - mid_length;
        }
        for kind in FORWARDED {
            if let Some((id, value)) = wanted(kind) {
                at = self.element(at, two_byte, id, value);
                if kind == Extension::DependencyDescriptor && !descriptor.is_empty() {
                    self.descriptor_at = at - descriptor.len();
                }
            }
        }
        if at == HEADER_LENGTH + 4 {
            self.bytes[0] = 0x80;
            self.length = HEADER_LENGTH;
            return;
        }
        while at % 4 != 0 {
            self.bytes[at] = 0;
            at += 1;
        }
        self.bytes[0] = 0x90;
        let profile: [u8; 2] = if two_byte { [0x10, 0x00] } else { [0xbe, 0xde] };
        self.bytes[12..14].copy_from_slice(&profile);
        let words = ((at - HEADER_LENGTH - 4) / 4) as u16;
        self.bytes[14..16].copy_from_slice(&words.to_be_bytes());
        self.length = at;
    }

    fn element(&mut self, at: usize, two_byte: bool, id: u8, value: &[u8]) -> usize {
        let value = &value[..value.len().min(255)];
        let start = if two_byte {
            self.bytes[at] = id;
            self.bytes[at + 1] = value.len() as u8;
            at + 2
        } else {
            self.bytes[at] = id << 4 | (value.len().wrapping_sub(1) as u8 & 0x0f);
            at + 1
        };
        self.bytes[start..start + value.len()].copy_from_slice(value);
        start + value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::extension::ExtensionMap;
    use super::super::interface::HeaderExtension;
    use super::super::rtp::Header;
    use super::*;

    const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    const TCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    const DD: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

    fn map(ids: [(u8, &str); 3]) -> ExtensionMap {
        ExtensionMap::new(&ids.map(|(id, uri)| HeaderExtension { id, uri: uri.into() }))
    }

    const FIELDS: Fields<'static> = Fields {
        marker: true,
        payload_type: 100,
        sequence: 7,
        timestamp: 8,
        ssrc: 9,
        stamp: 0xabcd,
        mid: None,
        descriptor: None,
    };

    #[test]
    fn what_is_written_can_be_read_again() {
        let long = [3u8; 40];
        for (ids, descriptor) in [
            ([(1, LEVEL), (5, TCC), (11, DD)], &long[..3]),
            ([(1, LEVEL), (5, TCC), (11, DD)], &long[..16]),
            ([(1, LEVEL), (5, TCC), (11, DD)], &long[..]),
            ([(15, LEVEL), (200, TCC), (16, DD)], &long[..1]),
            ([(1, LEVEL), (5, TCC), (11, DD)], &long[..0]),
        ] {
            let map = map(ids);
            let mut writer = HeaderWriter::default();
            let values = [Some(&[0x85][..]), None, None, Some(descriptor), None, None];
            let bytes = writer.write(&map.ids, &values, FIELDS).to_vec();
            let header = Header::parse(&bytes, &map).unwrap();
            assert_eq!(header.payload_start, bytes.len());
            assert_eq!((header.marker, header.payload_type), (true, 100));
            assert_eq!((header.sequence, header.timestamp, header.ssrc), (7, 8, 9));
            let get = |kind| header.extensions.get(kind, &bytes);
            assert_eq!(get(Extension::AudioLevel), Some(&[0x85][..]));
            assert_eq!(get(Extension::TransportCc), Some(&[0xab, 0xcd][..]));
            assert_eq!(get(Extension::DependencyDescriptor), Some(descriptor));
        }
    }

    #[test]
    fn no_extension_no_block() {
        let mut writer = HeaderWriter::default();
        assert_eq!(writer.write(&[0; EXTENSIONS], &[None; EXTENSIONS], FIELDS).len(), 12);
        assert_eq!(writer.write(&[1, 0, 0, 0, 9, 0], &[None; EXTENSIONS], FIELDS).len(), 12);
    }

    #[test]
    fn the_longest_values_fit() {
        let long = [1u8; 300];
        let values = [Some(&long[..]); EXTENSIONS];
        let mut writer = HeaderWriter::default();
        let fields = Fields { mid: Mid::new("0123456789abcdef"), ..FIELDS };
        assert!(writer.write(&[1, 2, 3, 4, 5, 6], &values, fields).len() <= MAX_HEADER);
    }

    #[test]
    fn each_receiver_gets_its_own_mid() {
        let uri = "urn:ietf:params:rtp-hdrext:sdes:mid";
        for id in [9, 40] {
            let map = map([(1, LEVEL), (5, TCC), (id, uri)]);
            let mut writer = HeaderWriter::default();
            let values = [Some(&[0x85][..]), None, None, None, None, None];
            for name in [Some("v0"), Some("v1"), Some("v10"), None, Some("a7")] {
                let fields = Fields { mid: name.and_then(Mid::new), ..FIELDS };
                let bytes = writer.write(&map.ids, &values, fields).to_vec();
                let header = Header::parse(&bytes, &map).unwrap();
                let get = |kind| header.extensions.get(kind, &bytes);
                assert_eq!(get(Extension::Mid), name.map(str::as_bytes));
                assert_eq!(get(Extension::AudioLevel), Some(&[0x85][..]));
                assert_eq!(get(Extension::TransportCc), Some(&[0xab, 0xcd][..]));
            }
        }
    }

    #[test]
    fn a_mid_is_a_short_token() {
        assert_eq!(Mid::new("v12").map(|mid| mid.as_bytes().to_vec()), Some(b"v12".to_vec()));
        for text in ["", "a b", "\u{e9}", "0123456789abcdefg"] {
            assert_eq!(Mid::new(text), None);
        }
    }
}

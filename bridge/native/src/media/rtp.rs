//! Reading RTP packets: header (RFC 3550, 5.1), padding, header extensions (RFC 8285).

use super::extension::{ExtensionMap, Extensions};

pub const HEADER_LENGTH: usize = 12;
const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// A parsed packet; offsets are into the packet it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub extensions: Extensions,
    /// Where the payload begins and, without the padding, ends.
    pub payload_start: usize,
    pub payload_end: usize,
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

impl Header {
    /// Read a decrypted packet; None if it is not valid RTP.  Extensions that `map` does not
    /// know are skipped.
    pub fn parse(packet: &[u8], map: &ExtensionMap) -> Option<Header> {
        if packet.len() > usize::from(u16::MAX) {
            return None;
        }
        let first = *packet.first()?;
        if first >> 6 != 2 {
            return None;
        }
        let second = *packet.get(1)?;
        let mut at = HEADER_LENGTH + 4 * usize::from(first & 0x0f);
        let mut extensions = Extensions::default();
        if first & 0x10 != 0 {
            let profile = u16_at(packet, at)?;
            let length = 4 * usize::from(u16_at(packet, at + 2)?);
            let start = at + 4;
            at = start + length;
            let block = packet.get(start..at)?;
            if profile == ONE_BYTE_PROFILE {
                read_one_byte(block, start, map, &mut extensions);
            } else if profile & 0xfff0 == TWO_BYTE_PROFILE {
                read_two_byte(block, start, map, &mut extensions);
            }
        }
        let mut end = packet.len();
        if at > end {
            return None;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*packet.last()?);
            if padding == 0 || padding > end - at {
                return None;
            }
            end -= padding;
        }
        Some(Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16_at(packet, 2)?,
            timestamp: u32_at(packet, 4)?,
            ssrc: u32_at(packet, 8)?,
            extensions,
            payload_start: at,
            payload_end: end,
        })
    }
}

fn read_one_byte(block: &[u8], base: usize, map: &ExtensionMap, found: &mut Extensions) {
    let mut at = 0;
    while let Some(&first) = block.get(at) {
        if first == 0 {
            at += 1;
            continue;
        }
        let (id, length) = (first >> 4, usize::from(first & 0x0f) + 1);
        if id == 15 || at + 1 + length > block.len() {
            return; // 15 ends the block (RFC 8285, 4.2)
        }
        if id != 0 {
            if let Some(kind) = map.kind(id) {
                found.insert(kind, base + at + 1, length);
            }
        }
        at += 1 + length;
    }
}

fn read_two_byte(block: &[u8], base: usize, map: &ExtensionMap, found: &mut Extensions) {
    let mut at = 0;
    while let Some(&id) = block.get(at) {
        if id == 0 {
            at += 1;
            continue;
        }
        let Some(&length) = block.get(at + 1) else {
            return;
        };
        let length = usize::from(length);
        if at + 2 + length > block.len() {
            return;
        }
        if let Some(kind) = map.kind(id) {
            found.insert(kind, base + at + 2, length);
        }
        at += 2 + length;
    }
}

#[cfg(test)]
mod tests {
    use super::super::extension::Extension;
    use super::super::interface::HeaderExtension;
    use super::*;

    fn map() -> ExtensionMap {
        ExtensionMap::new(&[
            HeaderExtension { id: 1, uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level".into() },
            HeaderExtension {
                id: 5,
                uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
                    .into(),
            },
        ])
    }

    #[test]
    fn a_full_packet() {
        let mut packet = vec![0xb1, 0x80 | 111, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([0, 0, 0, 1]); // CSRC
        packet.extend([0xbe, 0xde, 0, 2, 0x10, 0x85, 0, 0x51, 0xab, 0xcd, 0xff, 0]);
        packet.extend([1, 2, 3, 0, 2]); // two bytes of padding
        let header = Header::parse(&packet, &map()).unwrap();
        assert!(header.marker);
        assert_eq!((header.payload_type, header.sequence), (111, 0x1234));
        assert_eq!((header.timestamp, header.ssrc), (9, 7));
        assert_eq!(&packet[header.payload_start..header.payload_end], &[1, 2, 3]);
        assert_eq!(header.extensions.get(Extension::AudioLevel, &packet), Some(&[0x85][..]));
        assert_eq!(header.extensions.get(Extension::TransportCc, &packet), Some(&[0xab, 0xcd][..]));
        assert_eq!(header.extensions.get(Extension::Orientation, &packet), None);
    }

    #[test]
    fn two_byte_extensions() {
        let mut packet = vec![0x90, 100, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        packet.extend([0x10, 0x00, 0, 2, 5, 2, 9, 8, 0, 1, 1, 0x7f]);
        let header = Header::parse(&packet, &map()).unwrap();
        assert_eq!(header.extensions.get(Extension::TransportCc, &packet), Some(&[9, 8][..]));
        assert_eq!(header.extensions.get(Extension::AudioLevel, &packet), Some(&[0x7f][..]));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let plain = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for length in 0..12 {
            assert_eq!(Header::parse(&plain[..length], &map()), None);
        }
        assert!(Header::parse(&plain, &map()).is_some());
        let mut padded = plain.to_vec();
        padded[0] |= 0x20;
        padded.extend([1, 3]); // more padding than payload
        assert_eq!(Header::parse(&padded, &map()), None);
        padded[13] = 0;
        assert_eq!(Header::parse(&padded, &map()), None);
        let mut extended = plain.to_vec();
        extended[0] |= 0x10;
        extended.extend([0xbe, 0xde, 0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(Header::parse(&extended, &map()), None);
        let mut sources = plain.to_vec();
        sources[0] |= 0x0f;
        assert_eq!(Header::parse(&sources, &map()), None);
    }
}

//! Datagrams, messages, headers and payloads as anybody may write them.

use xmppconf_native::demux::{classify, Kind, MAX_DATAGRAM};
use xmppconf_native::fuzzing;
use xmppconf_native::media::extension::{Extension, ExtensionMap};
use xmppconf_native::media::rtp::Header;
use xmppconf_native::media::{fuzzing as media_fuzzing, HeaderExtension};
use xmppconf_native::srtp::rtp_header_length;

use crate::common::{full, gate, share};
use crate::inputs::{damaged, header, Chance};

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

#[test]
fn z1_demultiplexer() {
    let count = share(5_000_000);
    gate("Z1", "first octets: lengths 0 to 3 exhaustively, then random", (1 << 24) + count, || {
        let most = if cfg!(debug_assertions) && !full() { 1u32 << 20 } else { 1 << 24 };
        for value in 0..most {
            let [_, octets @ ..] = value.to_be_bytes();
            for length in 0..=3 {
                assert_eq!(classify(&octets[..length]), None);
            }
        }
        let mut chance = Chance::new(1);
        let mut data = [0; MAX_DATAGRAM + 10];
        for _ in 0..count {
            chance.fill(&mut data[..12]);
            if chance.one_in(4) {
                data[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let length =
                if chance.one_in(2) { chance.below(24) } else { chance.below(data.len() + 1) };
            let expected = match (data[0], data[1]) {
                _ if !(8..=MAX_DATAGRAM).contains(&length) => None,
                (0..=3, _) if length < 20 || data[4..8] != [0x21, 0x12, 0xa4, 0x42] => None,
                (0..=3, _) => Some(Kind::Stun),
                (20..=63, _) if length >= 13 => Some(Kind::Dtls),
                (128..=191, 192..=223) => Some(Kind::Rtcp),
                (128..=191, _) if length >= 12 => Some(Kind::Rtp),
                _ => None,
            };
            assert_eq!(classify(&data[..length]), expected);
        }
        "as the table of RFC 7983 says".into()
    });
}

#[test]
fn z2_stun_and_ice() {
    let count = share(5_000_000);
    gate("Z2", "STUN messages and ICE agents under signed scripts", count, || {
        damaged("stun", count, fuzzing::stun);
        "no panic, no path without consent".into()
    });
}

#[test]
fn z4_rtp_headers() {
    let count = share(5_000_000);
    gate("Z4", "RTP headers: read back what was written, then damaged", count, || {
        let map = ExtensionMap::new(&[
            HeaderExtension { id: 1, uri: LEVEL.into() },
            HeaderExtension { id: 5, uri: TCC.into() },
        ]);
        let mut chance = Chance::new(4);
        for _ in 0..count {
            let (mut data, found, begin, end) = header(&mut chance);
            let parsed = Header::parse(&data, &map).expect("a good packet");
            assert_eq!((parsed.payload_start, parsed.payload_end), (begin, end));
            assert_eq!(rtp_header_length(&data), Some(begin));
            for (kind, place) in
                [Extension::AudioLevel, Extension::TransportCc].into_iter().zip(found)
            {
                let expected = place.map(|(at, length)| &data[at..at + length]);
                assert_eq!(parsed.extensions.get(kind, &data), expected);
            }
            chance.damage(&mut data);
            if let Some(parsed) = Header::parse(&data, &map) {
                assert!(parsed.payload_start <= parsed.payload_end);
                assert!(parsed.payload_end <= data.len());
                assert_eq!(rtp_header_length(&data), Some(parsed.payload_start));
                for kind in [Extension::AudioLevel, Extension::TransportCc] {
                    let _ = parsed.extensions.get(kind, &data);
                }
            }
        }
        "every field as written".into()
    });
}

#[test]
fn z7_codecs() {
    let count = share(5_000_000);
    gate(
        "Z7",
        "payloads as VP8, VP9, AV1 (with and without descriptor), H.264 each",
        count,
        || {
            damaged("codecs", count, media_fuzzing::codecs);
            "no panic, numbers read back as written".into()
        },
    );
}

//! What a datagram on the bridge's one UDP port is, and whether to read it.
//!
//! Everything here runs before anything is authenticated: each step costs less than the one
//! after it, and none keeps state for a stranger.

/// No datagram that belongs here is larger: Ethernet's MTU and no fragments.
pub const MAX_DATAGRAM: usize = 1500;

/// The magic cookie of RFC 8489, section 5.
pub const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

impl Kind {
    pub fn is_media(self) -> bool {
        matches!(self, Kind::Rtp | Kind::Rtcp)
    }
}

/// Sort a datagram by its first octets (RFC 7983, RFC 5761 section 4); `None` drops it.
pub fn classify(data: &[u8]) -> Option<Kind> {
    if data.len() > MAX_DATAGRAM {
        return None;
    }
    let first = *data.first()?;
    match first {
        0..=3 => (data.len() >= 20 && data.get(4..8)? == STUN_COOKIE).then_some(Kind::Stun),
        20..=63 => (data.len() >= 13).then_some(Kind::Dtls),
        128..=191 => match *data.get(1)? {
            192..=223 => (data.len() >= 8).then_some(Kind::Rtcp),
            _ => (data.len() >= 12).then_some(Kind::Rtp),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shorter_than_a_header_is_read() {
        assert_eq!(classify(&[]), None);
        for a in 0..=255u8 {
            assert_eq!(classify(&[a]), None);
            for b in 0..=255u8 {
                assert_eq!(classify(&[a, b]), None);
                for c in 0..=255u8 {
                    assert_eq!(classify(&[a, b, c]), None);
                }
            }
        }
    }

    #[test]
    fn first_octets_decide() {
        let mut data = [0u8; MAX_DATAGRAM + 1];
        data[4..8].copy_from_slice(&STUN_COOKIE);
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                data[0] = first;
                data[1] = second;
                let expected = match (first, second) {
                    (0..=3, _) => Some(Kind::Stun),
                    (20..=63, _) => Some(Kind::Dtls),
                    (128..=191, 192..=223) => Some(Kind::Rtcp),
                    (128..=191, _) => Some(Kind::Rtp),
                    _ => None,
                };
                assert_eq!(classify(&data[..MAX_DATAGRAM]), expected);
                assert_eq!(classify(&data), None);
            }
        }
    }

    #[test]
    fn each_kind_has_a_least_length() {
        let mut data = [0u8; 20];
        data[4..8].copy_from_slice(&STUN_COOKIE);
        for (first, second, least) in [(0, 1, 20), (22, 254, 13), (128, 200, 8), (128, 96, 12)] {
            data[0] = first;
            data[1] = second;
            for length in 0..=20 {
                assert_eq!(classify(&data[..length]).is_some(), length >= least);
            }
        }
    }

    #[test]
    fn another_cookie_is_not_stun() {
        let mut data = [0u8; 20];
        data[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x43]);
        assert_eq!(classify(&data), None);
    }
}

//! SRTP and SRTCP (RFC 3711, RFC 7714): one direction of one transport.
//!
//! Rollover counters and replay windows belong to an SSRC, never to the transport, and change
//! only after a packet has been authenticated.

mod cipher;
mod replay;
#[cfg(test)]
mod tests;

use crate::crypto::{self, GCM_TAG};
use crate::id_map::IdMap;

use cipher::{cm_iv, gcm_iv, Cipher};
use replay::{guess_index, Streams};

/// Streams remembered while receiving; the least recently used one is forgotten.
pub const MAX_RECEIVED_STREAMS: usize = 1024;

/// Streams sent under one key.  One more is refused and none is forgotten: with a forgotten
/// rollover counter the next packet would repeat a nonce (RFC 7714, 8.1).
pub const MAX_SENT_STREAMS: usize = 16384;

/// The longest addition of `protect_rtp` and `protect_rtcp`.
pub const MAX_OVERHEAD: usize = GCM_TAG + 4;

const SHA1_80_TAG: usize = 10;
const RTCP_HEADER: usize = 8;
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Aes128CmSha1_80,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl Profile {
    /// The profile with this number (RFC 5764, 4.1.2; RFC 7714, 14.2).
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            0x0001 => Some(Self::Aes128CmSha1_80),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }

    /// Lengths of master key and master salt.
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Self::Aes128CmSha1_80 => (16, 14),
            Self::AeadAes128Gcm => (16, 12),
            Self::AeadAes256Gcm => (32, 12),
        }
    }
}

/// Why a packet was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    Replayed,
    TooOld,
    Unauthentic,
    /// The index space of the stream, or the number of streams of the key, is used up.
    Exhausted,
}

fn field<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The length of the RTP header with CSRCs and extension block; `None` if the packet is shorter.
pub fn rtp_header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        length += 4 + 4 * usize::from(u16::from_be_bytes(field(packet, length + 2)?));
    }
    (length <= packet.len()).then_some(length)
}

/// Decrypts what one transport receives.
pub struct Receiver {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_streams: Streams,
    rtcp_streams: Streams,
}

impl Receiver {
    /// `None` if a length does not fit the profile.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        if profile.lengths() != (key.len(), salt.len()) {
            return None;
        }
        Some(Self {
            rtp: Cipher::derive(profile, key, salt, 0)?,
            rtcp: Cipher::derive(profile, key, salt, 3)?,
            rtp_streams: Streams::default(),
            rtcp_streams: Streams::default(),
        })
    }

    /// Authenticate and decrypt in place; the length of the RTP packet.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let header = rtp_header_length(packet).ok_or(Refused::Malformed)?;
        let sequence = u16::from_be_bytes(field(packet, 2).ok_or(Refused::Malformed)?);
        let ssrc = u32::from_be_bytes(field(packet, 8).ok_or(Refused::Malformed)?);
        let index = match self.rtp_streams.get(ssrc) {
            Some(window) => {
                let index = guess_index(window.highest, sequence);
                window.check(index)?;
                index
            }
            None => u64::from(sequence),
        };
        let (clear, rest) = packet.split_at_mut_checked(header).ok_or(Refused::Malformed)?;
        let length = match &self.rtp {
            Cipher::Gcm { cipher, salt } => {
                let length = rest.len().checked_sub(GCM_TAG).ok_or(Refused::Malformed)?;
                if !cipher.open(gcm_iv(salt, ssrc, index), clear, rest) {
                    return Err(Refused::Unauthentic);
                }
                length
            }
            Cipher::CmSha1 { cipher, salt, mac } => {
                let length = rest.len().checked_sub(SHA1_80_TAG).ok_or(Refused::Malformed)?;
                let (body, tag) = rest.split_at_mut_checked(length).ok_or(Refused::Malformed)?;
                let expected = mac.tag(&[clear, body, &rollover(index)]);
                if !crypto::same(&expected[..SHA1_80_TAG], tag) {
                    return Err(Refused::Unauthentic);
                }
                cipher.apply(&cm_iv(salt, ssrc, index), body);
                length
            }
        };
        self.rtp_streams.mark(ssrc, index);
        Ok(header + length)
    }

    /// Authenticate and decrypt in place; the length of the RTCP compound.
    ///
    /// A compound that is authentic but not encrypted (E bit 0) is taken too (RFC 3711, 3.4).
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let ssrc = u32::from_be_bytes(field(packet, 4).ok_or(Refused::Malformed)?);
        let tail = match &self.rtcp {
            Cipher::Gcm { .. } => RTCP_INDEX,
            Cipher::CmSha1 { .. } => RTCP_INDEX + SHA1_80_TAG,
        };
        let word_at = packet.len().checked_sub(tail).ok_or(Refused::Malformed)?;
        let word_octets: [u8; 4] = field(packet, word_at).ok_or(Refused::Malformed)?;
        let word = u32::from_be_bytes(word_octets);
        let index = u64::from(word & !ENCRYPTED);
        let encrypted = word & ENCRYPTED != 0;
        if let Some(window) = self.rtcp_streams.get(ssrc) {
            window.check(index)?;
        }
        let (covered, trailer) = packet.split_at_mut_checked(word_at).ok_or(Refused::Malformed)?;
        let length = match &self.rtcp {
            Cipher::Gcm { cipher, salt } => {
                let length = covered.len().checked_sub(GCM_TAG).ok_or(Refused::Malformed)?;
                let header = if encrypted { RTCP_HEADER } else { length };
                if length < RTCP_HEADER {
                    return Err(Refused::Malformed);
                }
                let (clear, rest) =
                    covered.split_at_mut_checked(header).ok_or(Refused::Malformed)?;
                let mut aad = [0; crate::demux::MAX_DATAGRAM + RTCP_INDEX];
                let aad_length = clear.len() + RTCP_INDEX;
                let aad = aad.get_mut(..aad_length).ok_or(Refused::Malformed)?;
                aad[..clear.len()].copy_from_slice(clear);
                aad[clear.len()..].copy_from_slice(&word_octets);
                if !cipher.open(gcm_iv(salt, ssrc, index), aad, rest) {
                    return Err(Refused::Unauthentic);
                }
                length
            }
            Cipher::CmSha1 { cipher, salt, mac } => {
                let tag = trailer.get(RTCP_INDEX..).ok_or(Refused::Malformed)?;
                let expected = mac.tag(&[covered, &word_octets]);
                if !crypto::same(&expected[..SHA1_80_TAG], tag) {
                    return Err(Refused::Unauthentic);
                }
                let body = covered.get_mut(RTCP_HEADER..).ok_or(Refused::Malformed)?;
                if encrypted {
                    cipher.apply(&cm_iv(salt, ssrc, index), body);
                }
                covered.len()
            }
        };
        self.rtcp_streams.mark(ssrc, index);
        Ok(length)
    }
}

fn rollover(index: u64) -> [u8; 4] {
    let [_, _, a, b, c, d, _, _] = index.to_be_bytes();
    [a, b, c, d]
}

/// Encrypts what one transport sends.
pub struct Sender {
    rtp: Cipher,
    rtcp: Cipher,
    highest: IdMap<u64>,
    rtcp_index: IdMap<u32>,
}

impl Sender {
    /// `None` if a length does not fit the profile.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        if profile.lengths() != (key.len(), salt.len()) {
            return None;
        }
        Some(Self {
            rtp: Cipher::derive(profile, key, salt, 0)?,
            rtcp: Cipher::derive(profile, key, salt, 3)?,
            highest: IdMap::default(),
            rtcp_index: IdMap::default(),
        })
    }

    /// Encrypt the RTP packet that is the first `length` octets of `slot`, whose header takes
    /// `header` octets; the new length.
    ///
    /// A packet that was sent before may come again, also around the rollover, if it is equal
    /// to what was sent then: the caller answers NACKs from a cache, never with other content.
    pub fn protect_rtp(
        &mut self,
        slot: &mut [u8],
        header: usize,
        length: usize,
    ) -> Result<usize, Refused> {
        let sequence = u16::from_be_bytes(field(slot, 2).ok_or(Refused::Malformed)?);
        let ssrc = u32::from_be_bytes(field(slot, 8).ok_or(Refused::Malformed)?);
        let index = match self.highest.get_mut(&ssrc) {
            Some(highest) => {
                let index = guess_index(*highest, sequence);
                if index >> 48 != 0 {
                    return Err(Refused::Exhausted);
                }
                *highest = index.max(*highest);
                index
            }
            None => {
                if self.highest.len() >= MAX_SENT_STREAMS {
                    return Err(Refused::Exhausted);
                }
                self.highest.insert(ssrc, u64::from(sequence));
                u64::from(sequence)
            }
        };
        let (clear, rest) = slot.split_at_mut_checked(header).ok_or(Refused::Malformed)?;
        let body_length = length.checked_sub(header).ok_or(Refused::Malformed)?;
        let (body, tail) = rest.split_at_mut_checked(body_length).ok_or(Refused::Malformed)?;
        let tag_length = match &self.rtp {
            Cipher::Gcm { cipher, salt } => {
                let tag = cipher
                    .seal(gcm_iv(salt, ssrc, index), clear, body)
                    .ok_or(Refused::Malformed)?;
                tail.get_mut(..GCM_TAG).ok_or(Refused::Malformed)?.copy_from_slice(&tag);
                GCM_TAG
            }
            Cipher::CmSha1 { cipher, salt, mac } => {
                cipher.apply(&cm_iv(salt, ssrc, index), body);
                let tag = mac.tag(&[clear, body, &rollover(index)]);
                tail.get_mut(..SHA1_80_TAG)
                    .ok_or(Refused::Malformed)?
                    .copy_from_slice(&tag[..SHA1_80_TAG]);
                SHA1_80_TAG
            }
        };
        Ok(length + tag_length)
    }

    /// Encrypt the RTCP compound that is the first `length` octets of `slot`; the new length.
    pub fn protect_rtcp(&mut self, slot: &mut [u8], length: usize) -> Result<usize, Refused> {
        if length < RTCP_HEADER {
            return Err(Refused::Malformed);
        }
        let ssrc = u32::from_be_bytes(field(slot, 4).ok_or(Refused::Malformed)?);
        if self.rtcp_index.len() >= MAX_SENT_STREAMS && !self.rtcp_index.contains_key(&ssrc) {
            return Err(Refused::Exhausted);
        }
        let next = self.rtcp_index.entry(ssrc).or_insert(0);
        let index = *next;
        if index >= ENCRYPTED {
            return Err(Refused::Exhausted);
        }
        *next += 1;
        let word = (index | ENCRYPTED).to_be_bytes();
        let index = u64::from(index);
        let (compound, tail) = slot.split_at_mut_checked(length).ok_or(Refused::Malformed)?;
        let (clear, body) = compound.split_at_mut_checked(RTCP_HEADER).ok_or(Refused::Malformed)?;
        let (first, second): (&[u8], &[u8]);
        let tag;
        match &self.rtcp {
            Cipher::Gcm { cipher, salt } => {
                let mut aad = [0; RTCP_HEADER + RTCP_INDEX];
                aad[..RTCP_HEADER].copy_from_slice(clear);
                aad[RTCP_HEADER..].copy_from_slice(&word);
                tag =
                    cipher.seal(gcm_iv(salt, ssrc, index), &aad, body).ok_or(Refused::Malformed)?;
                (first, second) = (&tag, &word);
            }
            Cipher::CmSha1 { cipher, salt, mac } => {
                cipher.apply(&cm_iv(salt, ssrc, index), body);
                let sha1 = mac.tag(&[clear, body, &word]);
                let mut short = [0; GCM_TAG];
                short[..SHA1_80_TAG].copy_from_slice(&sha1[..SHA1_80_TAG]);
                tag = short;
                (first, second) = (&word, &tag[..SHA1_80_TAG]);
            }
        }
        let added = first.len() + second.len();
        let tail = tail.get_mut(..added).ok_or(Refused::Malformed)?;
        tail[..first.len()].copy_from_slice(first);
        tail[first.len()..].copy_from_slice(second);
        Ok(length + added)
    }
}

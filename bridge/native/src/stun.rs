//! STUN messages as ICE uses them (RFC 8489, RFC 8445 section 7): Binding requests and responses
//! with short-term credentials and a fingerprint.
//!
//! Reading copies nothing and authenticates nothing; `Message::authentic` does, against a key
//! that the caller has found by the user name or the transaction.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::crypto::{self, HmacSha1};
use crate::demux::STUN_COOKIE;

const HEADER: usize = 20;
const INTEGRITY_LENGTH: usize = 20;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// The longest message that is written here: two user fragments of 256 characters and the rest.
pub const MAX_MESSAGE: usize = 700;

pub type TransactionId = [u8; 12];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Request,
    Success,
    Error,
}

/// A Binding message that passed the checks that need no key.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub class: Class,
    pub transaction: TransactionId,
    pub username: Option<&'a [u8]>,
    pub priority: Option<u32>,
    pub controlling: Option<u64>,
    pub controlled: Option<u64>,
    pub use_candidate: bool,
    pub mapped: Option<SocketAddr>,
    pub error: Option<u16>,
    /// An attribute was there that must be understood and is not.
    pub unknown: bool,
    raw: &'a [u8],
    integrity: usize,
}

fn take<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl<'a> Message<'a> {
    /// Read a Binding request or response; `None` unless it is well-formed and has
    /// MESSAGE-INTEGRITY followed by a right FINGERPRINT at its end (RFC 8445, 7.1.1 and 7.1.2).
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let class = match u16::from_be_bytes(take(raw, 0)?) {
            0x0001 => Class::Request,
            0x0101 => Class::Success,
            0x0111 => Class::Error,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes(take(raw, 2)?));
        if length % 4 != 0 || raw.len() != HEADER + length || raw.get(4..8)? != STUN_COOKIE {
            return None;
        }
        let mut message = Self {
            class,
            transaction: take(raw, 8)?,
            username: None,
            priority: None,
            controlling: None,
            controlled: None,
            use_candidate: false,
            mapped: None,
            error: None,
            unknown: false,
            raw,
            integrity: 0,
        };
        let mut at = HEADER;
        loop {
            let kind = u16::from_be_bytes(take(raw, at)?);
            let length = usize::from(u16::from_be_bytes(take(raw, at + 2)?));
            let value = raw.get(at + 4..at + 4 + length)?;
            let next = at + 4 + length.next_multiple_of(4);
            if kind == FINGERPRINT {
                let right = length == 4
                    && next == raw.len()
                    && message.integrity != 0
                    && fingerprint(raw.get(..at)?).to_be_bytes() == value;
                return right.then_some(message);
            }
            // What follows MESSAGE-INTEGRITY is not authenticated (RFC 8489, 14.5).
            if message.integrity == 0 {
                message.read(kind, value, at)?;
            }
            at = next;
        }
    }

    fn read(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => _ = self.username.get_or_insert(value),
            PRIORITY => self.priority = Some(u32::from_be_bytes(value.try_into().ok()?)),
            ICE_CONTROLLING => self.controlling = Some(u64::from_be_bytes(value.try_into().ok()?)),
            ICE_CONTROLLED => self.controlled = Some(u64::from_be_bytes(value.try_into().ok()?)),
            USE_CANDIDATE => self.use_candidate = true,
            XOR_MAPPED_ADDRESS => self.mapped = Some(read_address(value, &self.transaction)?),
            ERROR_CODE => {
                let [_, _, hundreds, rest] = take(value, 0)?;
                self.error = Some(u16::from(hundreds & 7) * 100 + u16::from(rest));
            }
            MESSAGE_INTEGRITY => {
                if value.len() != INTEGRITY_LENGTH {
                    return None;
                }
                self.integrity = at;
            }
            // Other attributes below 0x8000 must be understood (RFC 8489, 14); these are known
            // to be harmless: UNKNOWN-ATTRIBUTES, MAPPED-ADDRESS, MESSAGE-INTEGRITY-SHA256, and
            // libwebrtc's GOOG-NETWORK-INFO (0xc057) lies above.
            UNKNOWN_ATTRIBUTES | 0x0001 | 0x001c => {}
            0..0x8000 => self.unknown = true,
            _ => {}
        }
        Some(())
    }

    /// Whether MESSAGE-INTEGRITY was made with this key.
    pub fn authentic(&self, key: &HmacSha1) -> bool {
        let check = || {
            let tag = self.raw.get(self.integrity + 4..self.integrity + 4 + INTEGRITY_LENGTH)?;
            let covered = self.raw.get(..self.integrity)?;
            Some(crypto::same(&integrity(covered, key)?, tag))
        };
        check().unwrap_or(false)
    }

    /// The two halves of USERNAME: the receiver's user fragment and the sender's.
    pub fn ufrags(&self) -> Option<(&'a [u8], &'a [u8])> {
        let name = self.username?;
        let colon = name.iter().position(|&byte| byte == b':')?;
        Some((name.get(..colon)?, name.get(colon + 1..)?))
    }
}

/// The tag over `covered`, the message before MESSAGE-INTEGRITY, with the length as if it ended after it.
fn integrity(covered: &[u8], key: &HmacSha1) -> Option<[u8; INTEGRITY_LENGTH]> {
    let length = u16::try_from(covered.len() + 4 + INTEGRITY_LENGTH - HEADER).ok()?;
    Some(key.tag(&[covered.get(..2)?, &length.to_be_bytes(), covered.get(4..)?]))
}

/// The FINGERPRINT over what comes before it (RFC 8489, 14.7), whose length field already counts it.
fn fingerprint(before: &[u8]) -> u32 {
    crc32(before) ^ FINGERPRINT_XOR
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc: u32, &byte| {
        (crc >> 8) ^ CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)]
    })
}

fn read_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(take(value, 2)?) ^ 0x2112;
    let ip = match (value.get(1)?, value.len()) {
        (1, 8) => {
            let mut octets: [u8; 4] = take(value, 4)?;
            octets.iter_mut().zip(STUN_COOKIE).for_each(|(octet, key)| *octet ^= key);
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        (2, 20) => {
            let mut octets: [u8; 16] = take(value, 4)?;
            let keys = STUN_COOKIE.iter().chain(transaction);
            octets.iter_mut().zip(keys).for_each(|(octet, key)| *octet ^= key);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Writes one message into a buffer on the stack.
pub struct Writer {
    data: [u8; MAX_MESSAGE],
    length: usize,
    transaction: TransactionId,
}

impl Writer {
    pub fn new(class: Class, transaction: TransactionId) -> Self {
        let kind: u16 = match class {
            Class::Request => 0x0001,
            Class::Success => 0x0101,
            Class::Error => 0x0111,
        };
        let mut writer = Self { data: [0; MAX_MESSAGE], length: 0, transaction };
        writer.put(&kind.to_be_bytes());
        writer.put(&[0, 0]);
        writer.put(&STUN_COOKIE);
        writer.put(&transaction);
        writer
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(slot) = self.data.get_mut(self.length..end) {
            slot.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn attribute(&mut self, kind: u16, value: &[&[u8]]) {
        let length: usize = value.iter().map(|part| part.len()).sum();
        let padding = length.next_multiple_of(4) - length;
        let Ok(short) = u16::try_from(length) else {
            return;
        };
        if self.length + 4 + length + padding > MAX_MESSAGE {
            return;
        }
        self.put(&kind.to_be_bytes());
        self.put(&short.to_be_bytes());
        for part in value {
            self.put(part);
        }
        self.put(&[0; 3][..padding]);
    }

    pub fn username(mut self, receiver: &[u8], sender: &[u8]) -> Self {
        self.attribute(USERNAME, &[receiver, b":", sender]);
        self
    }

    pub fn priority(mut self, priority: u32) -> Self {
        self.attribute(PRIORITY, &[&priority.to_be_bytes()]);
        self
    }

    pub fn role(mut self, controlling: bool, tie_breaker: u64) -> Self {
        let kind = if controlling { ICE_CONTROLLING } else { ICE_CONTROLLED };
        self.attribute(kind, &[&tie_breaker.to_be_bytes()]);
        self
    }

    pub fn use_candidate(mut self) -> Self {
        self.attribute(USE_CANDIDATE, &[]);
        self
    }

    pub fn mapped(mut self, address: SocketAddr) -> Self {
        let port = (address.port() ^ 0x2112).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => {
                let mut octets = ip.octets();
                octets.iter_mut().zip(STUN_COOKIE).for_each(|(octet, key)| *octet ^= key);
                self.attribute(XOR_MAPPED_ADDRESS, &[&[0, 1], &port, &octets]);
            }
            IpAddr::V6(ip) => {
                let mut octets = ip.octets();
                let keys = STUN_COOKIE.into_iter().chain(self.transaction);
                octets.iter_mut().zip(keys).for_each(|(octet, key)| *octet ^= key);
                self.attribute(XOR_MAPPED_ADDRESS, &[&[0, 2], &port, &octets]);
            }
        }
        self
    }

    /// `code` is 300 to 699 (RFC 8489, 14.8).
    pub fn error(mut self, code: u16, reason: &str) -> Self {
        let [_, hundreds] = (code / 100).to_be_bytes();
        let [_, rest] = (code % 100).to_be_bytes();
        self.attribute(ERROR_CODE, &[&[0, 0, hundreds, rest], reason.as_bytes()]);
        self
    }

    /// Add MESSAGE-INTEGRITY and FINGERPRINT, and give the message.
    pub fn finish(&mut self, key: &HmacSha1) -> &[u8] {
        if let Some(tag) = self.data.get(..self.length).and_then(|covered| integrity(covered, key))
        {
            self.attribute(MESSAGE_INTEGRITY, &[&tag]);
        }
        let total = u16::try_from(self.length + 8 - HEADER).unwrap_or(0);
        self.data[2..4].copy_from_slice(&total.to_be_bytes());
        let crc = fingerprint(self.data.get(..self.length).unwrap_or(&[]));
        self.attribute(FINGERPRINT, &[&crc.to_be_bytes()]);
        self.data.get(..self.length).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests;

//! The cipher of one direction with its session keys, and the vectors that packets begin with.

use super::Profile;
use crate::crypto::{self, AesCtr, AesGcm, HmacSha1};

// Lives in boxes of whole directions; one more step to the keys would cost every packet.
#[allow(clippy::large_enum_variant)]
pub(super) enum Cipher {
    CmSha1 { cipher: AesCtr, salt: [u8; 14], mac: HmacSha1 },
    Gcm { cipher: AesGcm, salt: [u8; 12] },
}

/// AES in counter mode with the master key: `length` octets for `label` (RFC 3711, 4.3.1).
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut iv = [0; 16];
    // A salt of 12 octets stands left in the 14 (RFC 7714, 11).
    iv.get_mut(..salt.len())?.copy_from_slice(salt);
    iv[7] ^= label;
    out.fill(0);
    match key.len() {
        16 => AesCtr::new(key.try_into().ok()?).apply(&iv, out),
        32 => crypto::apply_ctr_256(key.try_into().ok()?, &iv, out),
        _ => return None,
    }
    Some(())
}

impl Cipher {
    /// Session keys under labels `first` (encryption), +1 (authentication), +2 (salt).
    pub fn derive(profile: Profile, key: &[u8], salt: &[u8], first: u8) -> Option<Self> {
        match profile {
            Profile::Aes128CmSha1_80 => {
                let (mut cipher, mut auth, mut session_salt) = ([0; 16], [0; 20], [0; 14]);
                derive(key, salt, first, &mut cipher)?;
                derive(key, salt, first + 1, &mut auth)?;
                derive(key, salt, first + 2, &mut session_salt)?;
                Some(Self::CmSha1 {
                    cipher: AesCtr::new(&cipher),
                    salt: session_salt,
                    mac: HmacSha1::new(&auth),
                })
            }
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                let (mut cipher, mut session_salt) = ([0; 32], [0; 12]);
                let cipher = cipher.get_mut(..key.len())?;
                derive(key, salt, first, cipher)?;
                derive(key, salt, first + 2, &mut session_salt)?;
                Some(Self::Gcm { cipher: AesGcm::new(cipher)?, salt: session_salt })
            }
        }
    }
}

/// RFC 3711, 4.1.1: salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16.
pub(super) fn cm_iv(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    iv[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(to, from)| *to ^= from);
    let index = index.to_be_bytes();
    iv[8..14].iter_mut().zip(&index[2..]).for_each(|(to, from)| *to ^= from);
    iv
}

/// RFC 7714, 8.1 and 9.1: two zero octets, SSRC, six octets of index, XOR the salt.
pub(super) fn gcm_iv(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut iv = *salt;
    iv[2..6].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(to, from)| *to ^= from);
    let index = index.to_be_bytes();
    iv[6..].iter_mut().zip(&index[2..]).for_each(|(to, from)| *to ^= from);
    iv
}

//! SRTP and SRTCP (RFC 3711, RFC 7714): key derivation, sealing and opening.
//!
//! Our own, over aws-lc-rs, because the state must survive a crash in the region and an index must come from it: no library
//! lets the caller own the packet index. Known-answer vectors below hold it to the RFCs.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use media_region::{PacketIndex, RtcpIndex};

/// What a sealed packet may grow by.
pub const MAX_OVERHEAD: usize = 16 + 4;

/// A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// AES-CM with 80 bits of HMAC-SHA1: slow, for clients without GCM.
    Aes128CmSha1,
    /// AEAD_AES_128_GCM.
    Aes128Gcm,
    /// AEAD_AES_256_GCM.
    Aes256Gcm,
}

impl Profile {
    /// The code kept in session records.
    pub fn code(self) -> u8 {
        match self {
            Profile::Aes128CmSha1 => 1,
            Profile::Aes128Gcm => 2,
            Profile::Aes256Gcm => 3,
        }
    }

    /// The profile of a record's code.
    pub fn of_code(code: u8) -> Option<Profile> {
        [Profile::Aes128CmSha1, Profile::Aes128Gcm, Profile::Aes256Gcm].into_iter().find(|profile| profile.code() == code)
    }

    /// Bytes of master key.
    pub fn key_len(self) -> usize {
        if self == Profile::Aes256Gcm { 32 } else { 16 }
    }

    /// Bytes of master salt.
    pub fn salt_len(self) -> usize {
        if self == Profile::Aes128CmSha1 { 14 } else { 12 }
    }

    fn rtp_tag(self) -> usize {
        if self == Profile::Aes128CmSha1 { 10 } else { 16 }
    }
}

/// Why a packet was not opened. Nothing was learnt from it and no state may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Too short to hold its tag.
    #[error("the packet is too short")]
    Short,
    /// The tag does not match.
    #[error("the packet is not authentic")]
    Forged,
}

/// Master key and salt, as exported by DTLS and kept in session records: key, then salt, zero-padded.
pub type Master = [u8; 46];

/// Labels of RFC 3711 §4.3.2.
const RTP_KEY: u8 = 0;
const RTP_AUTH: u8 = 1;
const RTP_SALT: u8 = 2;
const RTCP_KEY: u8 = 3;
const RTCP_AUTH: u8 = 4;
const RTCP_SALT: u8 = 5;

/// Derives session key material (RFC 3711 §4.3.3; a 12-byte GCM salt is padded on the right, RFC 7714 §11).
fn derive(master: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    out.fill(0);
    aes_ctr(&ctr_key(master), iv, out);
}

fn ctr_key(key: &[u8]) -> EncryptingKey {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = UnboundCipherKey::new(algorithm, key).expect("the key has the algorithm's length");
    EncryptingKey::ctr(key).expect("AES has a counter mode")
}

fn aes_ctr(key: &EncryptingKey, iv: [u8; 16], data: &mut [u8]) {
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv))).expect("counter mode takes any length");
}

/// AES-CM with HMAC-SHA1: boxed, because it is large and rare.
struct Cm {
    key: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
}

/// One direction of RTP or of RTCP under one master key.
enum Suite {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    Cm(Box<Cm>),
}

impl Suite {
    fn new(profile: Profile, master: &Master, labels: [u8; 3]) -> Suite {
        let (key, rest) = master.split_at(profile.key_len());
        let salt = &rest[..profile.salt_len()];
        let mut session_key = [0; 32];
        let session_key = &mut session_key[..profile.key_len()];
        derive(key, salt, labels[0], session_key);
        if profile == Profile::Aes128CmSha1 {
            let (mut auth, mut session_salt) = ([0; 20], [0; 14]);
            derive(key, salt, labels[1], &mut auth);
            derive(key, salt, labels[2], &mut session_salt);
            let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
            return Suite::Cm(Box::new(Cm { key: ctr_key(session_key), salt: session_salt, auth }));
        }
        let mut session_salt = [0; 12];
        derive(key, salt, labels[2], &mut session_salt);
        let algorithm = if profile == Profile::Aes256Gcm { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, session_key).expect("the key has the algorithm's length");
        Suite::Gcm { key: LessSafeKey::new(key), salt: session_salt }
    }
}

/// RFC 7714 §8.1 and §9.1: SSRC and a 48-bit index (for RTCP 31 bits) over the salt.
fn gcm_iv(salt: &[u8; 12], ssrc: &[u8], index: u64) -> Nonce {
    let mut iv = *salt;
    for (byte, ssrc) in iv[2..6].iter_mut().zip(ssrc) {
        *byte ^= ssrc;
    }
    for (byte, index) in iv[6..].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= index;
    }
    Nonce::assume_unique_for_key(iv)
}

/// RFC 3711 §4.1.1: the salt, the SSRC at bit 64 and the index at bit 16.
fn cm_iv(salt: &[u8; 14], ssrc: &[u8], index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    for (byte, ssrc) in iv[4..8].iter_mut().zip(ssrc) {
        *byte ^= ssrc;
    }
    for (byte, index) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= index;
    }
    iv
}

/// The first 80 bits of HMAC-SHA1 over `parts`.
fn cm_tag(auth: &hmac::Key, parts: [&[u8]; 2]) -> [u8; 10] {
    let mut context = hmac::Context::with_key(auth);
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 10];
    tag.copy_from_slice(&context.sign().as_ref()[..10]);
    tag
}

/// The key of one direction's SRTP.
pub struct RtpKey {
    profile: Profile,
    suite: Suite,
}

impl RtpKey {
    /// Derived from `master` under `profile`.
    pub fn new(profile: Profile, master: &Master) -> RtpKey {
        RtpKey { profile, suite: Suite::new(profile, master, [RTP_KEY, RTP_AUTH, RTP_SALT]) }
    }

    /// Seals the RTP packet `buffer[..len]` whose header is `header` bytes long; returns the sealed length, or `None` if the
    /// buffer has no room for the tag. The sequence number in the header must be `index.sequence()`.
    pub fn seal(&self, index: PacketIndex, buffer: &mut [u8], header: usize, len: usize) -> Option<usize> {
        let sealed = len + self.profile.rtp_tag();
        if header < 12 || len < header || buffer.len() < sealed {
            return None;
        }
        let index = index.get();
        let (head, rest) = buffer.split_at_mut(header);
        let body = len - header;
        match &self.suite {
            Suite::Gcm { key, salt } => {
                let nonce = gcm_iv(salt, &head[8..12], index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), &mut rest[..body]).ok()?;
                rest[body..body + 16].copy_from_slice(tag.as_ref());
            }
            Suite::Cm(cm) => {
                let Cm { key, salt, auth } = &**cm;
                aes_ctr(key, cm_iv(salt, &head[8..12], index), &mut rest[..body]);
                let rollover = ((index >> 16) as u32).to_be_bytes();
                let tag = cm_tag(auth, [&buffer[..len], &rollover]);
                buffer[len..sealed].copy_from_slice(&tag);
            }
        }
        Some(sealed)
    }

    /// Opens the RTP packet in place under the index that its sequence number and the caller's rollover guess make; returns
    /// where the payload ends. After a failure the packet's bytes mean nothing.
    pub fn open(&self, index: u64, packet: &mut [u8], header: usize) -> Result<usize, SrtpError> {
        let tag_len = self.profile.rtp_tag();
        let end = packet.len().checked_sub(tag_len).filter(|end| *end >= header && header >= 12).ok_or(SrtpError::Short)?;
        match &self.suite {
            Suite::Gcm { key, salt } => {
                let (head, body) = packet.split_at_mut(header);
                let nonce = gcm_iv(salt, &head[8..12], index);
                key.open_in_place(nonce, Aad::from(&*head), body).map_err(|_| SrtpError::Forged)?;
            }
            Suite::Cm(cm) => {
                let Cm { key, salt, auth } = &**cm;
                let rollover = ((index >> 16) as u32).to_be_bytes();
                let tag = cm_tag(auth, [&packet[..end], &rollover]);
                verify_slices_are_equal(&tag, &packet[end..]).map_err(|_| SrtpError::Forged)?;
                let iv = cm_iv(salt, &packet[8..12], index);
                aes_ctr(key, iv, &mut packet[header..end]);
            }
        }
        Ok(end)
    }
}

/// The key of one direction's SRTCP. Reports are rare and a key is 600 bytes: it is derived when one is due, and not kept.
pub struct RtcpKey {
    profile: Profile,
    suite: Suite,
}

impl RtcpKey {
    /// Derived from `master` under `profile`.
    pub fn new(profile: Profile, master: &Master) -> RtcpKey {
        RtcpKey { profile, suite: Suite::new(profile, master, [RTCP_KEY, RTCP_AUTH, RTCP_SALT]) }
    }

    /// Seals the compound RTCP packet `buffer[..len]`; returns the sealed length.
    pub fn seal(&self, index: RtcpIndex, buffer: &mut [u8], len: usize) -> Option<usize> {
        if len < 8 || buffer.len() < len + MAX_OVERHEAD {
            return None;
        }
        let word = (index.get() | 0x8000_0000).to_be_bytes();
        let (head, rest) = buffer.split_at_mut(8);
        let body = len - 8;
        match &self.suite {
            Suite::Gcm { key, salt } => {
                let nonce = gcm_iv(salt, &head[4..8], u64::from(index.get()));
                let mut aad = [0; 12];
                aad[..8].copy_from_slice(head);
                aad[8..].copy_from_slice(&word);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut rest[..body]).ok()?;
                rest[body..body + 16].copy_from_slice(tag.as_ref());
                rest[body + 16..body + 20].copy_from_slice(&word);
                Some(len + 20)
            }
            Suite::Cm(cm) => {
                let Cm { key, salt, auth } = &**cm;
                aes_ctr(key, cm_iv(salt, &head[4..8], u64::from(index.get())), &mut rest[..body]);
                rest[body..body + 4].copy_from_slice(&word);
                let tag = cm_tag(auth, [&buffer[..len + 4], &[]]);
                buffer[len + 4..len + 14].copy_from_slice(&tag);
                Some(len + 14)
            }
        }
    }

    /// Opens the SRTCP packet in place; returns where the plain compound packet ends. Unencrypted SRTCP (E = 0) is refused.
    pub fn open(&self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let index = rtcp_index(self.profile, packet).ok_or(SrtpError::Short)?;
        let overhead = if self.profile == Profile::Aes128CmSha1 { 14 } else { 20 };
        let end = packet.len().checked_sub(overhead).filter(|end| *end >= 8).ok_or(SrtpError::Short)?;
        match &self.suite {
            Suite::Gcm { key, salt } => {
                let (packet, word) = packet.split_at_mut(end + 16);
                let (head, body) = packet.split_at_mut(8);
                if word[0] & 0x80 == 0 {
                    return Err(SrtpError::Forged);
                }
                let mut aad = [0; 12];
                aad[..8].copy_from_slice(head);
                aad[8..].copy_from_slice(word);
                let nonce = gcm_iv(salt, &head[4..8], u64::from(index));
                key.open_in_place(nonce, Aad::from(aad), body).map_err(|_| SrtpError::Forged)?;
            }
            Suite::Cm(cm) => {
                let Cm { key, salt, auth } = &**cm;
                let tag = cm_tag(auth, [&packet[..end + 4], &[]]);
                verify_slices_are_equal(&tag, &packet[end + 4..]).map_err(|_| SrtpError::Forged)?;
                if packet[end] & 0x80 == 0 {
                    return Err(SrtpError::Forged);
                }
                let iv = cm_iv(salt, &packet[4..8], u64::from(index));
                aes_ctr(key, iv, &mut packet[8..end]);
            }
        }
        Ok(end)
    }
}

/// The index an SRTCP packet claims, before it is trusted.
pub fn rtcp_index(profile: Profile, packet: &[u8]) -> Option<u32> {
    let end = if profile == Profile::Aes128CmSha1 { packet.len().checked_sub(10)? } else { packet.len() };
    let word = packet.get(end.checked_sub(4)?..end)?;
    Some(u32::from_be_bytes(word.try_into().ok()?) & 0x7fff_ffff)
}

#[cfg(test)]
#[path = "srtp_tests.rs"]
mod tests;

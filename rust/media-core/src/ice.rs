//! The ICE-lite side (RFC 8445 §2.5): answering checks, and checking an address before media moves to it.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use is::stun::StunMessage;

/// A Binding request whose form is right; whether it is authentic is for `verify` to say.
pub struct Check<'p> {
    message: StunMessage<'p>,
    /// Our user fragment, by which the session is found.
    pub ours: [u8; 8],
    /// Whether the other side nominates this path.
    pub nominates: bool,
    /// Bytes of the datagram.
    pub len: usize,
}

impl<'p> Check<'p> {
    /// Reads a Binding request addressed to one of our user fragments.
    pub fn parse(datagram: &'p [u8]) -> Option<Check<'p>> {
        let message = parse(datagram)?;
        if !message.is_binding_request() {
            return None;
        }
        let (ours, _) = message.split_username()?;
        Some(Check { ours: ours.as_bytes().try_into().ok()?, nominates: message.use_candidate(), len: datagram.len(), message })
    }

    /// Whether it was made with our password.
    pub fn verify(&self, password: &[u8]) -> bool {
        self.message.verify(password, hmac_sha1)
    }

    /// Writes the success response (RFC 8489 §6.3.1.1); returns its length.
    pub fn reply(&self, from: SocketAddr, password: &[u8], out: &mut [u8]) -> Option<usize> {
        StunMessage::binding_reply(self.message.trans_id(), from).to_bytes(Some(password), out, hmac_sha1).ok()
    }
}

/// Whether `datagram` is the success response to our request `transaction`, made with the other side's password.
pub fn answers(datagram: &[u8], transaction: &[u8; 12], password: &[u8]) -> bool {
    datagram.get(8..20) == Some(&transaction[..])
        && parse(datagram).is_some_and(|message| message.is_successful_binding_response() && message.verify(password, hmac_sha1))
}

/// The transaction id of a STUN datagram.
pub fn transaction(datagram: &[u8]) -> Option<[u8; 12]> {
    datagram.get(8..20)?.try_into().ok()
}

fn parse(datagram: &[u8]) -> Option<StunMessage<'_>> {
    if datagram.len() < 20 || datagram.len() > 1024 {
        return None;
    }
    StunMessage::parse(datagram).ok()
}

/// Our own Binding request (safety rule 7): USERNAME, PRIORITY, MESSAGE-INTEGRITY under the other side's password, FINGERPRINT.
/// Never a role attribute: as ICE-lite we are controlled and must not make the other side reconsider its role.
pub fn request(transaction: &[u8; 12], username: &str, password: &[u8], out: &mut [u8]) -> Option<usize> {
    let padded = username.len().div_ceil(4) * 4;
    let before_integrity = 20 + 4 + padded + 8;
    let total = before_integrity + 24 + 8;
    let out = out.get_mut(..total)?;
    out.fill(0);
    out[..2].copy_from_slice(&[0, 1]);
    out[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    out[8..20].copy_from_slice(transaction);
    out[20..22].copy_from_slice(&[0, 6]);
    out[22..24].copy_from_slice(&(username.len() as u16).to_be_bytes());
    out[24..24 + username.len()].copy_from_slice(username.as_bytes());
    let priority = 24 + padded;
    out[priority..priority + 8].copy_from_slice(&[0, 0x24, 0, 4, 0x6e, 0, 1, 0xff]);
    // RFC 8489 §14.5: the length counts up to and including MESSAGE-INTEGRITY while it is computed.
    out[2..4].copy_from_slice(&((before_integrity + 24 - 20) as u16).to_be_bytes());
    let tag = hmac_sha1(password, &[&out[..before_integrity]]);
    out[before_integrity..before_integrity + 4].copy_from_slice(&[0, 8, 0, 20]);
    out[before_integrity + 4..before_integrity + 24].copy_from_slice(&tag);
    out[2..4].copy_from_slice(&((total - 20) as u16).to_be_bytes());
    let fingerprint = crc32(&out[..total - 8]) ^ 0x5354_554e;
    out[total - 8..total - 4].copy_from_slice(&[0x80, 0x28, 0, 4]);
    out[total - 4..].copy_from_slice(&fingerprint.to_be_bytes());
    Some(total)
}

/// HMAC-SHA1, as STUN's MESSAGE-INTEGRITY wants it (RFC 8489 §14.5).
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
    parts.iter().for_each(|part| context.update(part));
    let mut tag = [0; 20];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// CRC-32 as in RFC 8489 §14.7 (ITU V.42). Bit by bit: it runs on address changes only.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_request_is_one_that_others_accept() {
        let mut out = [0; 256];
        let len = request(&[7; 12], "abcdefgh:wxyz", b"a password of 22 chars", &mut out).unwrap();
        let message = StunMessage::parse(&out[..len]).unwrap();
        assert!(message.is_binding_request() && message.verify(b"a password of 22 chars", hmac_sha1));
        assert_eq!(message.split_username(), Some(("abcdefgh", "wxyz")));
        assert_eq!(message.ice_controlling(), None);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let check = Check::parse(&out[..len]).unwrap();
        assert_eq!(check.ours, *b"abcdefgh");
        let mut reply = [0; 256];
        let len = check.reply("10.0.0.1:5000".parse().unwrap(), b"pw", &mut reply).unwrap();
        assert!(
            answers(&reply[..len], &[7; 12], b"pw") && !answers(&reply[..len], &[8; 12], b"pw") && !answers(&reply[..len], &[7; 12], b"no")
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), patch in any::<bool>()) {
            if patch && bytes.len() >= 20 {
                let len = (bytes.len() - 20) as u16;
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
                bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let _ = Check::parse(&bytes).map(|check| check.verify(b"pw"));
            let _ = answers(&bytes, &[0; 12], b"pw");
        }
    }
}

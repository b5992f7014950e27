//! Known answers of RFC 3711 and RFC 7714, and round trips.

use media_region::{Address, Region, SessionData};

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn gcm(key: &[u8]) -> Suite {
    let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
    Suite::Gcm { key, salt: hex("517569642070726f2071756f").try_into().unwrap() }
}

/// The packet index `value`, taken as every index is: from a region's word.
fn spent_index(value: u16) -> PacketIndex {
    let region = Region::heap(1);
    let address = Address { remote: "127.0.0.1:1".parse().unwrap(), local: None, socket: 0 };
    region.records()[0].publish(&SessionData { first: [value; 3], ..SessionData::default() }, address, 0);
    region.records()[0].streams[0].take_index()
}

fn spent_rtcp_index(value: u32) -> RtcpIndex {
    let region = Region::heap(1);
    let address = Address { remote: "127.0.0.1:1".parse().unwrap(), local: None, socket: 0 };
    region.records()[0].publish(&SessionData::default(), address, 0);
    for _ in 1..value {
        region.records()[0].streams[0].take_rtcp_index().unwrap();
    }
    region.records()[0].streams[0].take_rtcp_index().unwrap()
}

const PLAIN_RTP: &str = "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";

fn sealed_rtp(key: &str) -> Vec<u8> {
    let key = hex(key);
    let profile = if key.len() == 32 { Profile::Aes256Gcm } else { Profile::Aes128Gcm };
    let sealer = RtpKey { profile, suite: gcm(&key) };
    let mut packet = hex(PLAIN_RTP);
    let len = packet.len();
    packet.resize(len + 16, 0);
    let sealed = sealer.seal(spent_index(0xf17b), &mut packet, 12, len).unwrap();
    packet.truncate(sealed);
    packet
}

#[test]
fn aes_128_gcm_of_rfc_7714_16_1_1() {
    let expected = "8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833
        899d7f27beb16a9152cf765ee4390cce";
    assert_eq!(sealed_rtp("000102030405060708090a0b0c0d0e0f"), hex(expected));
}

#[test]
fn aes_256_gcm_of_rfc_7714_16_2_1() {
    let expected = "8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b
        7aa3db36dfffd6b0f9bb7878d7a76c13";
    assert_eq!(sealed_rtp("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), hex(expected));
}

#[test]
fn srtcp_aes_128_gcm_of_rfc_7714_17_1() {
    let plain = "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    let expected = "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b
        c84aa45896cf4d2fc5abf87245d9eade800005d4";
    let key = hex("000102030405060708090a0b0c0d0e0f");
    let rtcp = RtcpKey { profile: Profile::Aes128Gcm, suite: gcm(&key) };
    let mut packet = hex(plain);
    let len = packet.len();
    packet.resize(len + MAX_OVERHEAD, 0);
    let sealed = rtcp.seal(spent_rtcp_index(0x5d4), &mut packet, len).unwrap();
    assert_eq!(packet[..sealed], hex(expected));
    assert_eq!(rtcp_index(Profile::Aes128Gcm, &packet[..sealed]), Some(0x5d4));
    assert_eq!(rtcp.open(&mut packet[..sealed]), Ok(len));
    assert_eq!(packet[..len], hex(plain));
}

#[test]
fn keys_of_rfc_3711_b_3() {
    let (master, salt) = (hex("E1F97A0D3E018BE0D64FA32C06DE4139"), hex("0EC675AD498AFEEBB6960B3AABE6"));
    let (mut key, mut session_salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
    derive(&master, &salt, RTP_KEY, &mut key);
    derive(&master, &salt, RTP_SALT, &mut session_salt);
    derive(&master, &salt, RTP_AUTH, &mut auth);
    assert_eq!(key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(session_salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(auth[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

#[test]
fn keystream_of_rfc_3711_b_2() {
    let key = ctr_key(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
    let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
    let mut stream = [0; 32];
    aes_ctr(&key, cm_iv(&salt, &[0; 4], 0), &mut stream);
    assert_eq!(stream[..], hex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"));
}

#[test]
fn every_profile_opens_what_it_seals_and_nothing_else() {
    for profile in [Profile::Aes128CmSha1, Profile::Aes128Gcm, Profile::Aes256Gcm] {
        let mut master = [0; 46];
        (0..46).for_each(|at| master[at] = at as u8);
        let (rtp, rtcp) = (RtpKey::new(profile, &master), RtcpKey::new(profile, &master));
        let plain = hex(PLAIN_RTP);
        let mut packet = plain.clone();
        packet.resize(plain.len() + MAX_OVERHEAD, 0);
        let sealed = rtp.seal(spent_index(0xf17b), &mut packet, 12, plain.len()).unwrap();
        packet.truncate(sealed);
        let mut forged = packet.clone();
        forged[20] ^= 1;
        assert_eq!(rtp.open(0xf17b, &mut forged, 12), Err(SrtpError::Forged));
        assert_eq!(rtp.open(0x1_f17b, &mut packet.clone(), 12), Err(SrtpError::Forged), "another rollover");
        assert_eq!(rtp.open(0xf17b, &mut packet, 12), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain[..]);

        let mut report = vec![0x80, 201, 0, 1, 1, 2, 3, 4];
        report.resize(8 + MAX_OVERHEAD, 0);
        let sealed = rtcp.seal(spent_rtcp_index(7), &mut report, 8).unwrap();
        let mut forged = report[..sealed].to_vec();
        forged[sealed - 5] ^= 1;
        assert_eq!(rtcp.open(&mut forged), Err(SrtpError::Forged));
        assert_eq!(rtcp.open(&mut report[..sealed]), Ok(8));
    }
}

#[test]
fn no_length_panics() {
    for profile in [Profile::Aes128CmSha1, Profile::Aes256Gcm] {
        let (rtp, rtcp) = (RtpKey::new(profile, &[1; 46]), RtcpKey::new(profile, &[1; 46]));
        for len in 0..200 {
            assert!(rtp.open(1, &mut vec![0x80; len], 12).is_err());
            assert!(rtcp.open(&mut vec![0x80; len]).is_err());
        }
    }
}

//! What a peer says and hears in SDP: its offer, and the few facts of an answer that it needs.

use std::fmt::Write;
use std::net::SocketAddr;

use media_core::session::Feed;

/// Payload types and extension ids of our offers, as Chromium numbers them.
pub const OPUS: u8 = 111;
/// RED carrying `OPUS`.
pub const RED: u8 = 63;
/// Extension id of the audio level.
pub const LEVEL: u8 = 1;
/// Extension id of the mid.
pub const MID: u8 = 4;

/// What an offer says.
pub struct OfferText<'a> {
    /// What is wanted; decides sections and direction.
    pub feed: Feed,
    /// ICE user fragment and password.
    pub ice: (&'a str, &'a str),
    /// SHA-256 of the certificate, as SDP writes it.
    pub fingerprint: &'a str,
    /// `actpass`, `active` or `passive`.
    pub setup: &'a str,
}

/// The offer as text.
pub fn offer(says: &OfferText<'_>) -> String {
    let mids: Vec<String> = (0..says.feed.sections()).map(|mid| mid.to_string()).collect();
    let mut out = format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    let sends = says.feed == Feed::Ingest;
    for mid in mids {
        let formats = if sends { format!("{OPUS} {RED}") } else { OPUS.to_string() };
        let _ = write!(out, "m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=rtcp-mux\r\n");
        let _ = write!(out, "a={}\r\n", if sends { "sendonly" } else { "recvonly" });
        let _ = write!(out, "a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n");
        if sends {
            let _ = write!(out, "a=rtpmap:{RED} red/48000/2\r\na=fmtp:{RED} {OPUS}/{OPUS}\r\n");
        }
        let _ = write!(out, "a=extmap:{LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n");
        let _ = write!(out, "a=extmap:{MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n");
        let _ = write!(out, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", says.ice.0, says.ice.1);
        let _ = write!(out, "a=fingerprint:sha-256 {}\r\na=setup:{}\r\n", says.fingerprint, says.setup);
    }
    out
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The server's ICE user fragment and password.
    pub ice: (String, String),
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Whether it will send the ClientHello.
    pub active: bool,
    /// Its UDP candidates, in its order.
    pub candidates: Vec<SocketAddr>,
    /// SSRC of each section that names one.
    pub ssrcs: Vec<u32>,
    /// Payload types of each section, most wanted first.
    pub formats: Vec<Vec<u8>>,
}

impl Answer {
    /// Reads an answer; `None` if something needed is missing.
    pub fn parse(text: &str) -> Option<Answer> {
        let attribute = |name: &str| text.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'));
        let fingerprint: Option<Vec<u8>> =
            attribute("fingerprint")?.strip_prefix("sha-256 ")?.split(':').map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        Some(Answer {
            ice: (attribute("ice-ufrag")?.to_owned(), attribute("ice-pwd")?.to_owned()),
            fingerprint: fingerprint?.try_into().ok()?,
            active: attribute("setup")? == "active",
            candidates: text.lines().filter_map(candidate).collect(),
            ssrcs: text.lines().filter_map(|line| line.strip_prefix("a=ssrc:")?.split(' ').next()?.parse().ok()).collect(),
            formats: text.lines().filter_map(formats).collect(),
        })
    }
}

/// `a=candidate:1 1 udp 2130706431 10.0.0.1 8080 typ host` (RFC 8839 §5.1).
fn candidate(line: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = line.strip_prefix("a=candidate:")?.split(' ').collect();
    let udp = words.get(2)?.eq_ignore_ascii_case("udp");
    udp.then(|| Some(SocketAddr::new(words.get(4)?.parse().ok()?, words.get(5)?.parse().ok()?))).flatten()
}

fn formats(line: &str) -> Option<Vec<u8>> {
    Some(line.strip_prefix("m=audio ")?.split(' ').skip(2).filter_map(|format| format.parse().ok()).collect())
}

//! Writing SDP answers and restart fragments from a template (RFC 9725 §4.2, WHEP, RFC 8839, RFC 8445 §2.5 for ICE-lite).

use std::fmt::Write;
use std::net::SocketAddr;

use crate::sdp::{Offer, Section};
use crate::session::Feed;

/// What an answer says of our side.
pub struct Ours<'a> {
    /// A number for the origin line.
    pub origin: u64,
    /// ICE user fragment and password.
    pub ice: (&'a str, &'a str),
    /// SHA-256 of our certificate, as SDP writes it.
    pub fingerprint: &'a str,
    /// Where we listen.
    pub candidates: &'a [SocketAddr],
    /// SSRC of each stream we send.
    pub ssrcs: &'a [u32],
}

/// The answer to an offer of `feed`.
pub fn answer(offer: &Offer, feed: Feed, ours: &Ours<'_>) -> String {
    let mut out = format!("v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", ours.origin);
    if offer.bundle {
        let mids: Vec<&str> = offer.sections.iter().filter_map(|section| section.mid.as_deref()).collect();
        let _ = write!(out, "a=group:BUNDLE {}\r\n", mids.join(" "));
    }
    out.push_str("a=ice-lite\r\na=msid-semantic: WMS *\r\n");
    let setup = if offer.passive { "active" } else { "passive" };
    for (at, section) in offer.sections.iter().enumerate() {
        media(&mut out, section, feed);
        let _ = write!(out, "a=rtcp-mux\r\na=rtcp-rsize\r\na=setup:{setup}\r\na=fingerprint:sha-256 {}\r\n", ours.fingerprint);
        credentials(&mut out, ours);
        if let (true, Some(ssrc)) = (feed != Feed::Ingest, ours.ssrcs.get(at)) {
            let stream = if feed == Feed::Stage { format!("slot-{at}") } else { "programme".to_owned() };
            let _ = write!(out, "a=msid:{stream} {stream}-audio\r\na=ssrc:{ssrc} cname:rostra\r\n");
        }
        if at == 0 {
            candidates(&mut out, ours.candidates);
        }
    }
    out
}

/// The answer to an ICE restart (RFC 9725 §4.3.3).
pub fn restart_fragment(ours: &Ours<'_>, mid: Option<&str>) -> String {
    let mut out = String::from("a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
    let _ = write!(out, "a=mid:{}\r\n", mid.unwrap_or("0"));
    credentials(&mut out, ours);
    candidates(&mut out, ours.candidates);
    out
}

fn media(out: &mut String, section: &Section, feed: Feed) {
    let opus = section.opus;
    // RED first makes Chromium send it; a listener that gets Opus alone is not offered it.
    let red = section.red.filter(|_| feed == Feed::Ingest);
    let formats = red.map_or(format!("{opus}"), |red| format!("{red} {opus}"));
    let _ = write!(out, "m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\n");
    if let Some(mid) = &section.mid {
        let _ = write!(out, "a=mid:{mid}\r\n");
    }
    let direction = if feed == Feed::Ingest { "recvonly" } else { "sendonly" };
    // No usedtx: libopus takes steady sounds for noise, and a Space may hold music. A page that knows it has a voice may add it.
    let _ = write!(out, "a={direction}\r\na=rtpmap:{opus} opus/48000/2\r\na=fmtp:{opus} minptime=10;useinbandfec=1\r\n");
    if let Some(red) = red {
        let _ = write!(out, "a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n");
    }
    if section.mid_extension != 0 {
        let _ = write!(out, "a=extmap:{} urn:ietf:params:rtp-hdrext:sdes:mid\r\n", section.mid_extension);
    }
    if section.level_extension != 0 && feed == Feed::Ingest {
        let _ = write!(out, "a=extmap:{} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", section.level_extension);
    }
}

fn credentials(out: &mut String, ours: &Ours<'_>) {
    let _ = write!(out, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ours.ice.0, ours.ice.1);
}

fn candidates(out: &mut String, addresses: &[SocketAddr]) {
    for (at, address) in addresses.iter().enumerate() {
        // RFC 8445 §5.1.2.1: type preference 126 for host, then our own order, component 1.
        let priority = (126u32 << 24) + ((65_535 - at as u32) << 8) + 255;
        let _ = write!(out, "a=candidate:{} 1 udp {priority} {} {} typ host\r\n", at + 1, address.ip(), address.port());
    }
    out.push_str("a=end-of-candidates\r\n");
}

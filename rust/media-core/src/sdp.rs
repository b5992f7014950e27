//! Reading SDP: WHIP and WHEP offers (RFC 8866, RFC 8829 shapes) and trickle fragments (RFC 8840).

use thiserror::Error;

/// The longest SDP ever read.
pub const MAX_SDP: usize = 32 * 1024;

/// Why an offer or fragment is refused: one sentence for the person who made it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SdpError(pub String);

fn bad<T>(reason: impl Into<String>) -> Result<T, SdpError> {
    Err(SdpError(reason.into()))
}

/// Which way media flows, as the offerer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// They send.
    SendOnly,
    /// They receive.
    RecvOnly,
    /// Both.
    SendRecv,
    /// Neither.
    Inactive,
}

/// One audio section of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its identification tag, if it has one.
    pub mid: Option<String>,
    /// Direction.
    pub direction: Direction,
    /// Payload type of `opus/48000/2`.
    pub opus: u8,
    /// Payload type of `red/48000/2` that carries this Opus.
    pub red: Option<u8>,
    /// Extension id of the mid, 0 for none.
    pub mid_extension: u8,
    /// Extension id of the audio level (RFC 6464), 0 for none.
    pub level_extension: u8,
}

/// An offer's essentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Audio sections, in order.
    pub sections: Vec<Section>,
    /// The offerer's ICE user fragment and password.
    pub ice: (String, String),
    /// SHA-256 of the offerer's certificate.
    pub fingerprint: [u8; 32],
    /// Whether the offerer insists on being the DTLS server.
    pub passive: bool,
    /// Whether it bundles its sections.
    pub bundle: bool,
}

/// A trickle or restart fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The ICE credentials it speaks of.
    pub ice: (String, String),
}

#[derive(Default)]
struct Draft {
    mid: Option<String>,
    direction: Option<Direction>,
    formats: Vec<u8>,
    opus: Option<u8>,
    reds: Vec<u8>,
    red_inner: Vec<(u8, u8)>,
    mid_extension: u8,
    level_extension: u8,
}

#[derive(Default)]
struct Common {
    ufrag: Option<String>,
    password: Option<String>,
    fingerprint: Option<[u8; 32]>,
    other_hash: bool,
    setup: Option<String>,
    bundle: bool,
    direction: Option<Direction>,
}

/// Reads an offer. Unknown lines and attributes are ignored; what is needed and missing is named.
pub fn offer(text: &str) -> Result<Offer, SdpError> {
    if text.len() > MAX_SDP {
        return bad("the offer is too long");
    }
    if !text.starts_with("v=0") {
        return bad("the body is not an SDP offer: it must start with v=0");
    }
    let (mut common, mut drafts) = (Common::default(), Vec::<Draft>::new());
    for line in text.lines() {
        let line = line.trim_end();
        if let Some(media) = line.strip_prefix("m=") {
            drafts.push(media_line(media)?);
        } else if let Some(attribute) = line.strip_prefix("a=") {
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            let value = value.trim();
            if !common_attribute(&mut common, name, value)? {
                match drafts.last_mut() {
                    Some(draft) => section_attribute(draft, name, value)?,
                    None => common.direction = direction(name).or(common.direction),
                }
            }
        }
    }
    finish(common, drafts)
}

fn media_line(media: &str) -> Result<Draft, SdpError> {
    let mut words = media.split_ascii_whitespace();
    let (kind, _port, protocol) = (words.next().unwrap_or(""), words.next(), words.next().unwrap_or(""));
    if kind != "audio" {
        return bad(format!("only audio is taken here; the offer has a section of another kind{}", printable(kind)));
    }
    if !matches!(protocol, "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "TCP/TLS/RTP/SAVPF" | "RTP/SAVPF" | "RTP/SAVP") {
        return bad("the offer's audio must be DTLS-SRTP (UDP/TLS/RTP/SAVPF)");
    }
    Ok(Draft { formats: words.filter_map(|word| word.parse().ok()).filter(|format| *format < 128).collect(), ..Draft::default() })
}

/// `word` for a message, if it is short and harmless.
fn printable(word: &str) -> String {
    let fine = !word.is_empty() && word.len() <= 20 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fine { format!(" ({word})") } else { String::new() }
}

fn common_attribute(common: &mut Common, name: &str, value: &str) -> Result<bool, SdpError> {
    match name {
        "ice-ufrag" => common.ufrag = common.ufrag.take().or(Some(ice_text(value, 4, 32, "ice-ufrag")?)),
        "ice-pwd" => common.password = common.password.take().or(Some(ice_text(value, 22, 64, "ice-pwd")?)),
        "fingerprint" => fingerprint(common, value)?,
        "setup" => common.setup = common.setup.take().or(Some(value.to_owned())),
        "group" => common.bundle |= value.starts_with("BUNDLE"),
        _ => return Ok(false),
    }
    Ok(true)
}

fn ice_text(value: &str, min: usize, max: usize, name: &str) -> Result<String, SdpError> {
    let fine = (min..=max).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    if fine { Ok(value.to_owned()) } else { bad(format!("a={name} must be {min} to {max} printable characters")) }
}

fn fingerprint(common: &mut Common, value: &str) -> Result<(), SdpError> {
    let (hash, digits) = value.split_once(' ').unwrap_or((value, ""));
    if !hash.eq_ignore_ascii_case("sha-256") {
        common.other_hash = true;
        return Ok(());
    }
    let bytes: Option<Vec<u8>> =
        digits.trim().split(':').map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten()).collect();
    match bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        Some(bytes) => common.fingerprint = Some(common.fingerprint.unwrap_or(bytes)),
        None => return bad("a=fingerprint:sha-256 must hold 32 bytes in hexadecimal"),
    }
    Ok(())
}

fn direction(name: &str) -> Option<Direction> {
    Some(match name {
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "sendrecv" => Direction::SendRecv,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

fn section_attribute(draft: &mut Draft, name: &str, value: &str) -> Result<(), SdpError> {
    match name {
        "mid" => {
            let fine = (1..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
            if !fine {
                return bad("a=mid must be 1 to 32 printable characters");
            }
            draft.mid = Some(value.to_owned());
        }
        "rtpmap" => {
            let (format, codec) = value.split_once(' ').unwrap_or((value, ""));
            let Some(format) = format.parse::<u8>().ok().filter(|format| draft.formats.contains(format)) else { return Ok(()) };
            if codec.trim().eq_ignore_ascii_case("opus/48000/2") {
                draft.opus = draft.opus.or(Some(format));
            } else if codec.trim().eq_ignore_ascii_case("red/48000/2") {
                draft.reds.push(format);
            }
        }
        "fmtp" => {
            let (format, parameters) = value.split_once(' ').unwrap_or((value, ""));
            let inner = parameters.split('/').next().and_then(|inner| inner.trim().parse().ok());
            if let (Ok(format), Some(inner)) = (format.parse(), inner) {
                draft.red_inner.push((format, inner));
            }
        }
        "extmap" => {
            let mut words = value.split_ascii_whitespace();
            let id = words.next().and_then(|word| word.split('/').next()).and_then(|word| word.parse::<u8>().ok());
            let id = id.filter(|id| (1..=14).contains(id)).unwrap_or(0);
            match words.next() {
                Some("urn:ietf:params:rtp-hdrext:sdes:mid") => draft.mid_extension = id,
                Some("urn:ietf:params:rtp-hdrext:ssrc-audio-level") => draft.level_extension = id,
                _ => {}
            }
        }
        _ => draft.direction = direction(name).or(draft.direction),
    }
    Ok(())
}

fn finish(common: Common, drafts: Vec<Draft>) -> Result<Offer, SdpError> {
    if drafts.is_empty() || drafts.len() > 8 {
        return bad("the offer must have at least one audio section, and at most eight");
    }
    let Some(fingerprint) = common.fingerprint else {
        return bad(if common.other_hash { "the offer has no sha-256 fingerprint" } else { "the offer has no a=fingerprint" });
    };
    let (Some(ufrag), Some(password)) = (common.ufrag, common.password) else { return bad("the offer has no a=ice-ufrag and a=ice-pwd") };
    let mut sections = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Some(opus) = draft.opus else { return bad("an audio section of the offer has no opus/48000/2") };
        let carries_opus = |red: &u8| draft.red_inner.iter().any(|(format, inner)| format == red && *inner == opus);
        let long = draft.mid.as_ref().is_some_and(|mid| mid.len() > 8);
        sections.push(Section {
            direction: draft.direction.or(common.direction).unwrap_or(Direction::SendRecv),
            opus,
            red: draft.reds.iter().copied().find(carries_opus),
            mid_extension: if long || draft.mid.is_none() { 0 } else { draft.mid_extension },
            level_extension: draft.level_extension,
            mid: draft.mid,
        });
    }
    let passive = common.setup.as_deref() == Some("passive");
    Ok(Offer { sections, ice: (ufrag, password), fingerprint, passive, bundle: common.bundle })
}

/// Reads a trickle or restart fragment. Candidates are not needed by an ICE-lite side and are skipped.
pub fn fragment(text: &str) -> Result<Fragment, SdpError> {
    if text.len() > MAX_SDP {
        return bad("the fragment is too long");
    }
    let mut common = Common::default();
    for attribute in text.lines().filter_map(|line| line.trim_end().strip_prefix("a=")) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        if matches!(name, "ice-ufrag" | "ice-pwd") {
            common_attribute(&mut common, name, value.trim())?;
        }
    }
    match (common.ufrag, common.password) {
        (Some(ufrag), Some(password)) => Ok(Fragment { ice: (ufrag, password) }),
        _ => bad("the fragment has no a=ice-ufrag and a=ice-pwd"),
    }
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;

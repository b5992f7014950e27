//! Answering offers and restarting ICE: where a session begins, and what it says of itself in SDP.

use media_region::{STREAMS, SessionData};
use thiserror::Error;

use crate::answer::{Ours, answer, restart_fragment};
use crate::random::{Random, bytes, ice_chars};
use crate::sdp::{self, Direction, Offer, SdpError};
use crate::session::{Credentials, Feed, OwnerName, Pending, Session, SessionId, SessionKey, SpaceName, State};
use crate::time::Nanos;
use crate::transport::Transport;

/// Sessions under construction at once (rule 8).
const MAX_PENDING: usize = 4096;
/// Of these and of the records, so many are kept for speakers (rule 8).
const RESERVED_FOR_SPEAKERS: usize = 64;

/// A wish for a session.
pub struct Open<'a> {
    /// Its id.
    pub id: SessionId,
    /// The Space.
    pub space: SpaceName,
    /// Whose it will be.
    pub owner: OwnerName,
    /// What it carries.
    pub feed: Feed,
    /// The seat's number, 0 for a listener.
    pub csrc: u32,
    /// The SDP offer.
    pub offer: &'a str,
}

/// An answered offer.
pub struct Opened {
    /// The session.
    pub key: SessionKey,
    /// The SDP answer.
    pub sdp: String,
    /// Its strong ETag, without quotes.
    pub etag: String,
}

/// Why an offer was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The offer is at fault.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// There is no room.
    #[error("the server is full")]
    Full,
}

/// Why a PATCH was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The fragment is at fault.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// A restart without If-Match (RFC 9725 §4.3.1).
    #[error("an ICE restart needs If-Match")]
    Required,
    /// If-Match names another restart's ETag.
    #[error("the session has been restarted since")]
    Stale,
}

impl Transport {
    /// Answers an offer. The session that its owner had for this feed stands until the caller closes it: ask `of_owner` before.
    pub fn open(&mut self, now: Nanos, random: &mut dyn Random, open: &Open<'_>) -> Result<Opened, OpenError> {
        let offer = sdp::offer(open.offer)?;
        check_sections(&offer, open.feed)?;
        if !self.has_room(open.feed) || self.by_id.contains_key(&open.id) {
            return Err(OpenError::Full);
        }
        let data = self.draft(random, open, &offer);
        let ssrcs = &data.ssrcs[..open.feed.sections()];
        let sdp = self.describe(&data, |ours| answer(&offer, open.feed, &Ours { ssrcs, ..ours }));
        let (ufrag, etag) = (data.ufrag, etag(data.restarts));
        let pending = Pending {
            created: now,
            fingerprint: offer.fingerprint,
            client: offer.passive,
            paths: Vec::new(),
            received: 0,
            prefix: None,
            data: data.clone(),
        };
        let Some(session) = Session::of_data(&data, State::Pending(Box::new(pending))) else { return Err(OpenError::Full) };
        let key = self.insert(session);
        self.by_ufrag.insert(ufrag, key);
        self.pending += 1;
        self.arm(key);
        Ok(Opened { key, sdp, etag })
    }

    fn has_room(&self, feed: Feed) -> bool {
        let reserved = if feed == Feed::Programme { RESERVED_FOR_SPEAKERS.min(self.region.records().len() / 2) } else { 0 };
        let records = self.free_records.len() + self.region.records().len() - self.region.header().records_used();
        self.pending + reserved < MAX_PENDING && self.pending + reserved < records
    }

    fn new_ufrag(&self, random: &mut dyn Random) -> [u8; 8] {
        loop {
            let ufrag = ice_chars(random);
            if !self.by_ufrag.contains_key(&ufrag) {
                return ufrag;
            }
        }
    }

    fn draft(&self, random: &mut dyn Random, open: &Open<'_>, offer: &Offer) -> SessionData {
        let first = &offer.sections[0];
        let mut mids = [[0; 8]; STREAMS];
        for (out, section) in mids.iter_mut().zip(&offer.sections) {
            let mid = section.mid.as_deref().unwrap_or("").as_bytes();
            let len = mid.len().min(8);
            out[..len].copy_from_slice(&mid[..len]);
        }
        let mut ssrcs: [u32; STREAMS] = std::array::from_fn(|_| u32::from_be_bytes(bytes(random)));
        // Distinct for sure: under one key two streams of one SSRC would share their nonces (rule 3).
        (0u32..).zip(&mut ssrcs).for_each(|(at, ssrc)| *ssrc = *ssrc & !3 | (at + 1));
        SessionData {
            id: open.id.0,
            space: open.space.bytes(),
            owner: open.owner.bytes(),
            feed: open.feed.code(),
            payload_types: [first.opus, first.red.filter(|_| open.feed == Feed::Ingest).unwrap_or(0)],
            extensions: [first.mid_extension, first.level_extension],
            mids,
            csrc: open.csrc,
            ssrcs,
            offsets: std::array::from_fn(|_| u32::from_be_bytes(bytes(random))),
            // Low, so that whoever joins sees rollover 0 for long before the first wrap.
            first: std::array::from_fn(|_| u16::from_be_bytes(bytes(random)) & 0x3fff),
            ufrag: self.new_ufrag(random),
            password: ice_chars(random),
            remote_ufrag: padded(&offer.ice.0),
            remote_password: padded(&offer.ice.1),
            ..SessionData::default()
        }
    }

    fn describe(&self, data: &SessionData, write: impl FnOnce(Ours<'_>) -> String) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (ufrag, password) = (text(&data.ufrag), text(&data.password));
        write(Ours {
            origin: u64::from_be_bytes(data.id[..8].try_into().unwrap_or_default()) >> 2,
            ice: (&ufrag, &password),
            fingerprint: self.config.dtls.fingerprint(),
            candidates: &self.config.candidates,
            ssrcs: &[],
        })
    }

    /// Trickle (an empty answer) or ICE restart (RFC 9725 §4.3): until the new credentials are used, the old ones work too.
    pub fn patch(
        &mut self,
        random: &mut dyn Random,
        key: SessionKey,
        if_match: &str,
        fragment: &str,
    ) -> Result<(String, String), PatchError> {
        let fragment = sdp::fragment(fragment)?;
        let Some(mut data) = self.data(key) else { return Err(PatchError::Stale) };
        let current = etag(data.restarts);
        match if_match.trim().trim_start_matches("W/").trim_matches('"') {
            "" => return Err(PatchError::Required),
            "*" => {}
            tag if tag == current => {}
            _ => return Err(PatchError::Stale),
        }
        if padded::<32>(&fragment.ice.0) == data.remote_ufrag {
            return Ok((String::new(), current));
        }
        let old = Credentials { ufrag: data.ufrag, password: data.password };
        (data.ufrag, data.password) = (self.new_ufrag(random), ice_chars(random));
        (data.remote_ufrag, data.remote_password) = (padded(&fragment.ice.0), padded(&fragment.ice.1));
        data.restarts += 1;
        self.restart(key, &data, old);
        let mid = std::str::from_utf8(&data.mids[0]).ok().map(|mid| mid.trim_end_matches('\0')).filter(|mid| !mid.is_empty());
        Ok((self.describe(&data, |ours| restart_fragment(&ours, mid)), etag(data.restarts)))
    }

    fn restart(&mut self, key: SessionKey, data: &SessionData, old: Credentials) {
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return };
        let mut stale = None;
        match &mut session.state {
            State::Pending(pending) => {
                pending.data = data.clone();
                stale = Some(old.ufrag);
            }
            State::Live(live) => {
                // Of two restarts in a row the one in between was never used.
                match &live.previous {
                    None => live.previous = Some(Box::new(old)),
                    Some(_) => stale = Some(old.ufrag),
                }
                live.nominates = false;
                region.records()[live.record as usize].rewrite(data);
            }
        }
        if let Some(ufrag) = stale {
            self.by_ufrag.remove(&ufrag);
        }
        self.by_ufrag.insert(data.ufrag, key);
    }
}

fn check_sections(offer: &Offer, feed: Feed) -> Result<(), SdpError> {
    let (wanted, allowed) = match feed {
        Feed::Ingest => ("one sendonly audio section", [Direction::SendOnly, Direction::SendRecv]),
        Feed::Programme => ("one recvonly audio section", [Direction::RecvOnly, Direction::SendRecv]),
        Feed::Stage => ("three bundled recvonly audio sections", [Direction::RecvOnly, Direction::SendRecv]),
    };
    let fine = offer.sections.len() == feed.sections()
        && offer.sections.iter().all(|section| allowed.contains(&section.direction))
        && (feed != Feed::Stage || offer.bundle && offer.sections.iter().all(|section| section.mid.is_some()));
    if fine { Ok(()) } else { Err(SdpError(format!("this door takes {wanted}"))) }
}

fn etag(restarts: u32) -> String {
    format!("ice-{restarts}")
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    let len = text.len().min(N);
    out[..len].copy_from_slice(&text.as_bytes()[..len]);
    out
}

//! One media session: who it belongs to, how far its connection has come, and its keys.

use std::fmt;

use media_region::{Address, Record, STREAMS, SessionData};

use crate::dtls::Handshake;
use crate::paths::Prefix;
use crate::replay::Window;
use crate::srtp::{Profile, RtpKey};
use crate::time::Nanos;

/// What a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feed {
    /// A speaker's microphone, towards us.
    Ingest,
    /// The mixed programme, towards a listener.
    Programme,
    /// The three loudest others, towards a speaker.
    Stage,
}

impl Feed {
    /// The name in the api-media protocol.
    pub fn name(self) -> &'static str {
        match self {
            Feed::Ingest => "ingest",
            Feed::Programme => "programme",
            Feed::Stage => "stage",
        }
    }

    /// The feed of a name.
    pub fn of_name(name: &str) -> Option<Feed> {
        [Feed::Ingest, Feed::Programme, Feed::Stage].into_iter().find(|feed| feed.name() == name)
    }

    /// The code in session records.
    pub fn code(self) -> u8 {
        self as u8 + 1
    }

    /// The feed of a record's code.
    pub fn of_code(code: u8) -> Option<Feed> {
        [Feed::Ingest, Feed::Programme, Feed::Stage].into_iter().find(|feed| feed.code() == code)
    }

    /// Audio sections its offer must have.
    pub fn sections(self) -> usize {
        if self == Feed::Stage { STREAMS } else { 1 }
    }
}

/// Text of at most `N` bytes, as session records keep it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<const N: usize>([u8; N]);

impl<const N: usize> Name<N> {
    /// `None` if the text is empty, too long or holds a zero byte.
    pub fn new(text: &str) -> Option<Name<N>> {
        let fine = !text.is_empty() && text.len() <= N && !text.contains('\0');
        fine.then(|| {
            let mut bytes = [0; N];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            Name(bytes)
        })
    }

    /// From a record.
    pub fn of_bytes(bytes: [u8; N]) -> Name<N> {
        Name(bytes)
    }

    /// As a record keeps it.
    pub fn bytes(&self) -> [u8; N] {
        self.0
    }

    /// The text.
    pub fn text(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..end]).unwrap_or("")
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.text())
    }
}

/// A Space's id.
pub type SpaceName = Name<16>;
/// An account's id or an anonymous listener's key.
pub type OwnerName = Name<24>;

/// A session's public id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// From 32 hexadecimal digits.
    pub fn of_hex(text: &str) -> Option<SessionId> {
        let value = (text.len() == 32 && text.is_ascii()).then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(SessionId(value.to_be_bytes()))
    }

    /// As 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Names a session in this process: its slot, and which of the slot's tenants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    pub(crate) slot: u32,
    pub(crate) tenant: u32,
}

/// Our ICE user fragment and password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: [u8; 8],
    pub(crate) password: [u8; 24],
}

/// An address that a session under construction has been checked from, and the bytes exchanged with it: until the handshake
/// proves that it is theirs, it gets little more than it sends (rule 8).
pub(crate) struct Path {
    pub(crate) address: Address,
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

/// Addresses a session under construction may be reached at.
pub(crate) const MAX_PATHS: usize = 8;

/// Before the handshake is done: plain memory, nothing in the region (rule 8).
pub(crate) struct Pending {
    pub(crate) data: SessionData,
    pub(crate) created: Nanos,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) client: bool,
    /// Newest last.
    pub(crate) paths: Vec<Path>,
    /// Bytes of DTLS taken.
    pub(crate) received: usize,
    /// Where its first check came from.
    pub(crate) prefix: Option<Prefix>,
}

/// What is needed of a session's data for every packet; the rest lies in the region.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) payload_types: [u8; 2],
    pub(crate) extensions: [u8; 2],
    pub(crate) profile: Profile,
    pub(crate) csrc: u32,
    pub(crate) mids: [[u8; 8]; STREAMS],
    pub(crate) ssrcs: [u32; STREAMS],
    pub(crate) offsets: [u32; STREAMS],
}

/// With keys, in the region.
pub(crate) struct Live {
    pub(crate) record: u32,
    /// Where it stands in its Space's list of listeners.
    pub(crate) place: u32,
    pub(crate) address: Address,
    pub(crate) head: Head,
    pub(crate) key: RtpKey,
    /// Derived at the first packet: listeners send none.
    pub(crate) opener: Option<Box<RtpKey>>,
    pub(crate) ssrc: Option<u32>,
    pub(crate) window: Window,
    pub(crate) rtcp_window: Window,
    pub(crate) consent: Nanos,
    /// How long our last own check of the current address took to be answered; 0 if none was.
    pub(crate) round_trip: Nanos,
    /// Whether checks on the current address nominate it: then only a nomination may move it.
    pub(crate) nominates: bool,
    /// Our own checks of addresses that media may move to; rarely more than one.
    pub(crate) validations: Vec<Validation>,
    /// Our last flight of DTLS, until it is known to have arrived.
    pub(crate) last_flight: Option<Box<LastFlight>>,
    /// Credentials that an ICE restart replaced, until the new ones have been used: a restart that fails changes nothing.
    pub(crate) previous: Option<Box<Credentials>>,
}

/// The records that ended a handshake. The engine that made them takes 10 KB and is not kept: whoever missed them repeats their own
/// last flight, and gets the same bytes again (RFC 6347 §4.2.4).
pub(crate) struct LastFlight {
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) until: Nanos,
    /// How often it may still be sent.
    pub(crate) left: u8,
}

/// Our own check of an address that media may move to (rule 7).
pub(crate) struct Validation {
    pub(crate) address: Address,
    pub(crate) transaction: [u8; 12],
    pub(crate) started: Nanos,
    pub(crate) nominates: bool,
}

pub(crate) enum State {
    Pending(Box<Pending>),
    Live(Box<Live>),
}

/// A media session.
pub struct Session {
    pub(crate) state: State,
    pub(crate) handshake: Option<Box<Handshake>>,
    /// When its next timer fires: handshake, construction, or the end of the last flight's usefulness.
    pub(crate) timer: Nanos,
    /// Its public id.
    pub id: SessionId,
    /// The Space it belongs to.
    pub space: SpaceName,
    /// Whose it is.
    pub owner: OwnerName,
    /// What it carries.
    pub feed: Feed,
}

impl Session {
    /// The session in a region's record, going on where the last process left it.
    pub(crate) fn adopt(slot: u32, record: &Record) -> Option<Session> {
        let data = record.data()?;
        let mut live = Live::new(&data, slot, record.address()?, Nanos(record.consent()))?;
        if let Some((ssrc, highest)) = record.receive.mark() {
            (live.ssrc, live.window) = (Some(ssrc), Window::after(highest));
        }
        if let Some((_, highest)) = record.receive_rtcp.mark() {
            live.rtcp_window = Window::after(highest);
        }
        Session::of_data(&data, State::Live(Box::new(live)))
    }

    /// The session that `data` names.
    pub(crate) fn of_data(data: &SessionData, state: State) -> Option<Session> {
        Some(Session {
            id: SessionId(data.id),
            space: Name::of_bytes(data.space),
            owner: Name::of_bytes(data.owner),
            feed: Feed::of_code(data.feed)?,
            state,
            handshake: None,
            timer: Nanos::NEVER,
        })
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Live(live) => Some(live),
            State::Pending(_) => None,
        }
    }

    /// Whether media flows.
    pub fn is_live(&self) -> bool {
        self.live().is_some()
    }

    /// Whether it uses the slow SRTP profile.
    pub fn is_slow_profile(&self) -> bool {
        self.live().is_some_and(|live| live.head.profile == Profile::Aes128CmSha1)
    }
}

impl Live {
    pub(crate) fn new(data: &SessionData, record: u32, address: Address, consent: Nanos) -> Option<Live> {
        let profile = Profile::of_code(data.profile)?;
        let SessionData { payload_types, extensions, csrc, mids, ssrcs, offsets, .. } = *data;
        Some(Live {
            record,
            place: 0,
            address,
            head: Head { payload_types, extensions, profile, csrc, mids, ssrcs, offsets },
            key: RtpKey::new(profile, &data.send_key),
            opener: None,
            ssrc: None,
            window: Window::default(),
            rtcp_window: Window::default(),
            consent,
            round_trip: Nanos(0),
            nominates: false,
            validations: Vec::new(),
            last_flight: None,
            previous: None,
        })
    }
}

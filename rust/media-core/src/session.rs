//! One media session: who it belongs to, how far its connection has come, and its keys.

use std::fmt;

use media_region::{Address, Record, STREAMS, SessionData};

use crate::dtls::Handshake;
use crate::srtp::{Opener, Profile, Sealer, Window};
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

/// Addresses a session under construction may be reached at.
pub(crate) const MAX_PATHS: usize = 8;

/// Before the handshake is done: plain memory, nothing in the region (rule 8).
pub(crate) struct Pending {
    pub(crate) created: Nanos,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) client: bool,
    /// Addresses that a valid check came from, newest last.
    pub(crate) paths: Vec<Address>,
    pub(crate) received: usize,
}

/// With keys, in the region.
pub(crate) struct Live {
    pub(crate) record: u32,
    pub(crate) address: Address,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) ssrc: Option<u32>,
    pub(crate) window: Window,
    pub(crate) rtcp_window: Window,
    pub(crate) consent: Nanos,
    /// Whether checks on the current address nominate it: then only a nomination may move it.
    pub(crate) nominates: bool,
    pub(crate) validation: Option<Validation>,
}

/// Our own check of an address that media may move to (rule 7).
pub(crate) struct Validation {
    pub(crate) address: Address,
    pub(crate) transaction: [u8; 12],
    pub(crate) started: Nanos,
    pub(crate) nominates: bool,
}

pub(crate) enum State {
    Pending(Pending),
    Live(Box<Live>),
}

/// A media session.
pub struct Session {
    pub(crate) data: SessionData,
    pub(crate) state: State,
    pub(crate) handshake: Option<(Box<Handshake>, Nanos)>,
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
        let address = record.address()?;
        let mut session = Session::of_data(data)?;
        session.state = State::Live(Box::new(Live::new(&session.data, slot, address, Nanos(record.consent()))?));
        if let State::Live(live) = &mut session.state {
            if let Some((ssrc, highest)) = record.receive.mark() {
                (live.ssrc, live.window) = (Some(ssrc), Window::after(highest));
            }
            if let Some((_, highest)) = record.receive_rtcp.mark() {
                live.rtcp_window = Window::after(highest);
            }
        }
        Some(session)
    }

    /// A session without a connection.
    pub(crate) fn of_data(data: SessionData) -> Option<Session> {
        Some(Session {
            id: SessionId(data.id),
            space: Name::of_bytes(data.space),
            owner: Name::of_bytes(data.owner),
            feed: Feed::of_code(data.feed)?,
            state: State::Pending(Pending { created: Nanos(0), fingerprint: [0; 32], client: false, paths: Vec::new(), received: 0 }),
            handshake: None,
            data,
        })
    }

    /// Whether media flows.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// Payload type of Opus.
    pub fn opus(&self) -> u8 {
        self.data.payload_types[0]
    }

    /// Payload type of RED, if agreed on.
    pub fn red(&self) -> Option<u8> {
        Some(self.data.payload_types[1]).filter(|format| *format != 0)
    }

    /// Extension id of the audio level, 0 for none.
    pub fn level_extension(&self) -> u8 {
        self.data.extensions[1]
    }

    /// The seat's number on the wire.
    pub fn csrc(&self) -> u32 {
        self.data.csrc
    }

    /// What is added to the media clock to make the RTP timestamps of `stream`.
    pub fn offset(&self, stream: usize) -> u32 {
        self.data.offsets[stream]
    }

    /// SSRC of a stream we send.
    pub fn ssrc(&self, stream: usize) -> u32 {
        self.data.ssrcs[stream]
    }

    /// Whether it uses the slow SRTP profile.
    pub fn is_slow_profile(&self) -> bool {
        self.data.profile == Profile::Aes128CmSha1.code()
    }
}

impl Live {
    pub(crate) fn new(data: &SessionData, record: u32, address: Address, consent: Nanos) -> Option<Live> {
        let profile = Profile::of_code(data.profile)?;
        Some(Live {
            record,
            address,
            sealer: Sealer::new(profile, &data.send_key),
            opener: Opener::new(profile, &data.receive_key),
            ssrc: None,
            window: Window::default(),
            rtcp_window: Window::default(),
            consent,
            nominates: false,
            validation: None,
        })
    }
}

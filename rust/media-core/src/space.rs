//! One Space's media: speakers in, programme out to listeners, stage feed out to speakers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use media_audio::{Frame, Programme, Samples};

use crate::grants::Grants;
use crate::ingest::{Arrived, Speaker};
use crate::outbox::Outbox;
use crate::seal::Outgoing;
use crate::session::{Feed, OwnerName, Session, SessionKey, SpaceName};
use crate::stage::Ears;
use crate::time::Nanos;
use crate::transport::Transport;

/// The media of one Space on this node.
pub struct MediaSpace {
    /// Its id.
    pub name: SpaceName,
    speakers: Vec<Speaker>,
    ears: Vec<Ears>,
    /// Each listener's session knows its place in here.
    listeners: Vec<SessionKey>,
    programme: Option<Programme>,
    /// What the last report of its number of listeners said.
    pub reported: u32,
}

impl MediaSpace {
    /// A Space without sessions.
    pub fn new(name: SpaceName) -> MediaSpace {
        MediaSpace { name, speakers: Vec::new(), ears: Vec::new(), listeners: Vec::new(), programme: None, reported: 0 }
    }

    /// A live session of this Space came up.
    pub fn join(&mut self, now: Nanos, key: SessionKey, transport: &mut Transport) {
        let Some((session, live)) = transport.get(key).and_then(|session| Some((session, session.live()?))) else { return };
        match session.feed {
            Feed::Programme => {
                let place = self.listeners.len() as u32;
                self.listeners.push(key);
                transport.live_mut(key).into_iter().for_each(|live| live.place = place);
            }
            Feed::Stage => self.ears.push(Ears::new(key, session.owner, now, transport.marks(key))),
            Feed::Ingest => {
                // Without memory for a decoder there is no speaker; the next session may have more luck.
                self.speakers.extend(Speaker::new(key, session.owner, live.record, &live.head, now).ok());
            }
        }
    }

    /// A session is about to go.
    pub fn leave(&mut self, key: SessionKey, transport: &mut Transport) {
        let place = transport.get(key).and_then(Session::live).map_or(usize::MAX, |live| live.place as usize);
        if self.listeners.get(place) == Some(&key) {
            self.listeners.swap_remove(place);
            let moved = self.listeners.get(place).and_then(|moved| transport.live_mut(*moved));
            moved.into_iter().for_each(|live| live.place = place as u32);
        }
        self.ears.retain(|ears| ears.key != key);
        if let Some(at) = self.speakers.iter().position(|speaker| speaker.key == key) {
            let csrc = self.speakers.swap_remove(at).csrc;
            self.ears.iter_mut().for_each(|ears| ears.forget(csrc));
        }
    }

    /// Whether no session is left.
    pub fn is_empty(&self) -> bool {
        self.speakers.is_empty() && self.ears.is_empty() && self.listeners.is_empty()
    }

    /// Live listening sessions.
    pub fn listeners(&self) -> &[SessionKey] {
        &self.listeners
    }

    /// Its speakers.
    pub fn speakers(&mut self) -> &mut [Speaker] {
        &mut self.speakers
    }

    /// The speaker of an ingest session.
    pub fn speaker(&mut self, key: SessionKey) -> Option<&mut Speaker> {
        self.speakers.iter_mut().find(|speaker| speaker.key == key)
    }

    /// Closes the gate of one speaker at once.
    pub fn close_gate(&mut self, owner: OwnerName) {
        for speaker in self.speakers.iter_mut().filter(|speaker| speaker.owner == owner) {
            speaker.gate(None, Nanos(0));
            let csrc = speaker.csrc;
            self.ears.iter_mut().for_each(|ears| ears.forget(csrc));
        }
    }

    /// A speaker's packet: into their voice, and on to the other speakers' ears.
    pub fn arrive(&mut self, now: Nanos, grants: &Grants, transport: &Transport, key: SessionKey, arrived: &Arrived<'_>, out: &mut Outbox) {
        let Some(speaker) = self.speakers.iter_mut().find(|speaker| speaker.key == key) else { return };
        speaker.gate(grants.open_since(self.name, speaker.owner, now), transport.way(key));
        let (owner, csrc) = (speaker.owner, speaker.csrc);
        speaker.arrive(now, arrived, |forward| {
            for ears in self.ears.iter_mut().filter(|ears| ears.owner != owner) {
                if let Some((stream, timestamp)) = ears.place(now, csrc, forward.level, forward.timestamp) {
                    let csrcs = [csrc << 8 | u32::from(forward.level)];
                    transport.seal_rtp(ears.key, stream, &Outgoing { timestamp, csrcs: &csrcs }, forward.payload, out);
                }
            }
        });
    }

    /// Plays 20 ms of every speaker, ending at `end` on the media clock, and closes the gates of those whose grant is over.
    /// Returns a session whose sound made us panic, if one did.
    pub fn play(&mut self, now: Nanos, end: Samples, grants: &Grants, transport: &Transport) -> Option<SessionKey> {
        let header = transport.region.header();
        let mut broken = None;
        for speaker in &mut self.speakers {
            let since = grants.open_since(self.name, speaker.owner, now);
            if since.is_none() && speaker.is_open() {
                let csrc = speaker.csrc;
                self.ears.iter_mut().for_each(|ears| ears.forget(csrc));
            }
            speaker.gate(since, transport.way(speaker.key));
            header.set_handling(Some(speaker.record));
            if catch_unwind(AssertUnwindSafe(|| speaker.voice.tick(end))).is_err() {
                broken = Some(speaker.key);
            }
        }
        if !self.speakers.is_empty() {
            header.set_handling(None);
        }
        broken
    }

    /// Mixes what `play` made, in frames that suit `crowd` listeners. Returns the programme's next frame, if one is due and has something to say, and the timestamp of
    /// its first sample.
    pub fn mix(&mut self, now: Nanos, end: Samples, crowd: usize) -> Option<(u32, Frame<'_>)> {
        if self.listeners.is_empty() {
            self.programme = None;
            return None;
        }
        if self.programme.is_none() {
            self.programme = Programme::new().ok();
        }
        let programme = self.programme.as_mut()?;
        programme.suit(crowd, Samples(now.samples()));
        let frame = programme.tick(self.speakers.iter().map(|speaker| (speaker.csrc, &speaker.voice)))?;
        Some(((end.0 - u64::from(frame.samples)) as u32, frame))
    }
}

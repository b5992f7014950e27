//! One Space's media: speakers in, programme out to listeners, stage feed out to speakers.

use media_audio::{FRAME, Programme, Samples};

use crate::grants::Grants;
use crate::ingest::{Arrived, Speaker};
use crate::outbox::Outbox;
use crate::packets::Outgoing;
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

    /// A session of this Space came up.
    pub fn join(&mut self, now: Nanos, key: SessionKey, session: &Session) {
        match session.feed {
            Feed::Programme => self.listeners.push(key),
            Feed::Stage => self.ears.push(Ears::new(key, session.owner)),
            Feed::Ingest => {
                // Without memory for a decoder there is no speaker; the next session may have more luck.
                if let Ok(speaker) = Speaker::new(key, session.owner, session.csrc(), session.opus(), session.red(), now) {
                    self.speakers.push(speaker);
                }
            }
        }
    }

    /// A session is gone.
    pub fn leave(&mut self, key: SessionKey) {
        self.listeners.retain(|other| *other != key);
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
    pub fn listeners(&self) -> u32 {
        self.listeners.len() as u32
    }

    /// Its speakers.
    pub fn speakers(&mut self) -> &mut [Speaker] {
        &mut self.speakers
    }

    /// Closes the gate of one speaker at once.
    pub fn close_gate(&mut self, owner: OwnerName) {
        for speaker in self.speakers.iter_mut().filter(|speaker| speaker.owner == owner) {
            speaker.gate(None);
            let csrc = speaker.csrc;
            self.ears.iter_mut().for_each(|ears| ears.forget(csrc));
        }
    }

    /// A speaker's packet: into their voice, and on to the other speakers' ears.
    pub fn arrive(&mut self, now: Nanos, grants: &Grants, transport: &Transport, key: SessionKey, arrived: &Arrived<'_>, out: &mut Outbox) {
        let Some(speaker) = self.speakers.iter_mut().find(|speaker| speaker.key == key) else { return };
        speaker.gate(grants.open_since(self.name, speaker.owner, now));
        let (owner, csrc) = (speaker.owner, speaker.csrc);
        speaker.arrive(now, arrived, |forward| {
            for ears in self.ears.iter_mut().filter(|ears| ears.owner != owner) {
                if let Some((stream, timestamp)) = ears.place(now, csrc, forward.level, forward.timestamp) {
                    let csrcs = [csrc << 8 | u32::from(forward.level)];
                    transport.seal_rtp(ears.key, stream, &Outgoing { timestamp, marker: false, csrcs: &csrcs }, forward.payload, out);
                }
            }
        });
    }

    /// Plays one 20 ms frame ending at `end` on the media clock: gates, voices, mix, encode, fan-out.
    pub fn tick(&mut self, now: Nanos, end: Samples, grants: &Grants, transport: &Transport, out: &mut Outbox) {
        for speaker in &mut self.speakers {
            let since = grants.open_since(self.name, speaker.owner, now);
            if since.is_none() && speaker.is_open() {
                let csrc = speaker.csrc;
                self.ears.iter_mut().for_each(|ears| ears.forget(csrc));
            }
            speaker.gate(since);
            speaker.voice.tick(end);
        }
        if self.listeners.is_empty() {
            self.programme = None;
            return;
        }
        if self.programme.is_none() {
            self.programme = Programme::new().ok();
        }
        let Some(programme) = &mut self.programme else { return };
        let Some(frame) = programme.tick(self.speakers.iter().map(|speaker| (speaker.csrc, &speaker.voice))) else { return };
        let mut csrcs = [0; 15];
        let count = frame.sources.len().min(15);
        csrcs.iter_mut().zip(frame.sources).for_each(|(csrc, source)| *csrc = source.csrc << 8 | u32::from(source.level));
        let timestamp = (end.0 - FRAME as u64) as u32;
        let outgoing = Outgoing { timestamp, marker: false, csrcs: &csrcs[..count] };
        for key in &self.listeners {
            transport.seal_rtp(*key, 0, &outgoing, frame.payload, out);
        }
    }
}

//! One programme frame on its way to an audience, in batches, so that the sockets are served between them; and the frame that a
//! dead process left unfinished (safety rule 2).

use media_audio::Frame;
use media_audio::opus::MAX_PAYLOAD;
use media_region::{BATCH, Region, Unfinished};

use crate::outbox::Outbox;
use crate::seal::Outgoing;
use crate::session::{Session, SessionKey, SpaceName};
use crate::transport::Transport;

const MAX_SOURCES: usize = 15;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ground,
    Aloft,
    /// Sealed for everyone, but the last batch may not have reached the kernel.
    Landing,
}

/// The frame in flight; there is one at a time.
pub(crate) struct Flight {
    stage: Stage,
    space: SpaceName,
    timestamp: u32,
    csrcs: [u32; MAX_SOURCES],
    count: usize,
    payload: [u8; MAX_PAYLOAD],
    len: usize,
    /// Listeners still to be served: the first so many of the Space's list.
    left: usize,
    /// Of a dead process's frame: records whose packet may not have left. The others that bear its mark have theirs.
    unsure: Option<Vec<u32>>,
}

impl Flight {
    /// Nothing in flight.
    pub(crate) fn new() -> Flight {
        Flight {
            stage: Stage::Ground,
            space: SpaceName::of_bytes([0; 16]),
            timestamp: 0,
            csrcs: [0; MAX_SOURCES],
            count: 0,
            payload: [0; MAX_PAYLOAD],
            len: 0,
            left: 0,
            unsure: None,
        }
    }

    /// A frame of `space` starts on its way to `listeners` of them. `timestamp` is of its first sample, on the media clock.
    pub(crate) fn begin(&mut self, region: &Region, space: SpaceName, timestamp: u32, frame: &Frame<'_>, listeners: usize) {
        self.count = frame.sources.len().min(MAX_SOURCES);
        self.csrcs.iter_mut().zip(frame.sources).for_each(|(csrc, source)| *csrc = source.csrc << 8 | u32::from(source.level));
        self.payload[..frame.payload.len()].copy_from_slice(frame.payload);
        (self.space, self.timestamp, self.len, self.left) = (space, timestamp, frame.payload.len(), listeners);
        (self.unsure, self.stage) = (None, Stage::Aloft);
        region.header().fan_out().begin(space.bytes(), timestamp, &self.csrcs[..self.count], frame.payload);
    }

    /// Goes on with a dead process's frame, under new indices and the same timestamp.
    pub(crate) fn resume(&mut self, frame: Unfinished, listeners: usize) {
        self.count = frame.csrcs.len().min(MAX_SOURCES);
        self.csrcs[..self.count].copy_from_slice(&frame.csrcs[..self.count]);
        self.len = frame.payload.len().min(MAX_PAYLOAD);
        self.payload[..self.len].copy_from_slice(&frame.payload[..self.len]);
        (self.space, self.timestamp, self.left) = (SpaceName::of_bytes(frame.space), frame.timestamp, listeners);
        (self.unsure, self.stage) = (Some(frame.unsure), Stage::Aloft);
    }

    /// The Space whose frame is aloft.
    pub(crate) fn aloft(&self) -> Option<SpaceName> {
        (self.stage == Stage::Aloft).then_some(self.space)
    }

    /// Everything sealed so far has reached the kernel.
    pub(crate) fn flushed(&mut self, region: &Region) {
        if self.stage == Stage::Ground {
            return;
        }
        region.header().fan_out().flushed();
        if self.stage == Stage::Landing {
            self.stage = Stage::Ground;
            region.header().fan_out().end();
        }
    }

    /// Seals for the next listeners, last ones first, until `out` holds a batch. `listeners` is the Space's list: who joined
    /// since hears the next frame, who left is skipped, and who moved in the list may get this one twice, which is harmless.
    pub(crate) fn advance(&mut self, transport: &Transport, listeners: &[SessionKey], out: &mut Outbox) {
        let outgoing = Outgoing { timestamp: self.timestamp, csrcs: &self.csrcs[..self.count] };
        let payload = &self.payload[..self.len];
        let flight = transport.region.header().fan_out();
        let mut left = self.left.min(listeners.len());
        while left > 0 && out.len() < BATCH {
            left -= 1;
            let key = listeners[left];
            if self.unsure.as_ref().is_none_or(|unsure| lacks(transport, key, self.timestamp, unsure)) {
                transport.fan_out(key, flight, &outgoing, payload, out);
            }
        }
        self.left = left;
        if left == 0 {
            self.stage = Stage::Landing;
        }
    }
}

/// Whether a listener may not have a dead process's frame.
fn lacks(transport: &Transport, key: SessionKey, timestamp: u32, unsure: &[u32]) -> bool {
    let Some(live) = transport.get(key).and_then(Session::live) else { return false };
    transport.record(live).streams[0].mark() != Some(timestamp) || unsure.contains(&live.record)
}

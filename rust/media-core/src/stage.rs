//! The stage feed: what one speaker hears, the three loudest others on three streams that never change.

use media_region::STREAMS;

use crate::session::{OwnerName, SessionKey};
use crate::time::{MILLISECOND, Nanos};

/// A slot stays with who spoke last for this long.
const HOLD: u64 = 500 * MILLISECOND;
/// Someone must be this many dB louder to take a slot from someone who is talking.
const HYSTERESIS: u8 = 6;
/// At or below this level (−dBov) someone is talking.
const TALKING: u8 = 60;

#[derive(Clone, Copy, Default)]
struct Slot {
    csrc: u32,
    level: u8,
    talked: Nanos,
    /// Sender timestamp that lies at `origin` on the media clock of this stream.
    anchor: (u64, u64),
    last: u64,
}

/// One speaker's ears.
pub struct Ears {
    /// Their stage-feed session.
    pub key: SessionKey,
    /// Whose: never to hear themselves.
    pub owner: OwnerName,
    slots: [Slot; STREAMS],
}

impl Ears {
    /// Ears that hear nobody yet. `marks` are the timestamps of the last packets that an earlier process sent on the streams:
    /// what comes next is later, whoever speaks.
    pub fn new(key: SessionKey, owner: OwnerName, now: Nanos, marks: [Option<u32>; STREAMS]) -> Ears {
        let media = now.samples();
        let slots = marks.map(|mark| {
            let ahead = mark.map_or(0, |mark| mark.wrapping_sub(media as u32) as i32);
            Slot { last: mark.map_or(0, |_| media.saturating_add_signed(i64::from(ahead))), ..Slot::default() }
        });
        Ears { key, owner, slots }
    }

    /// The stream to forward a packet of `csrc` on and its timestamp there, or `None` if others are louder.
    pub fn place(&mut self, now: Nanos, csrc: u32, level: u8, timestamp: u64) -> Option<(usize, u32)> {
        let at = self.slots.iter().position(|slot| slot.csrc == csrc).or_else(|| self.take(now, csrc, level))?;
        let slot = &mut self.slots[at];
        slot.level = level;
        if level <= TALKING {
            slot.talked = now;
        }
        let media = now.samples();
        let mut here = slot.anchor.1.wrapping_add_signed(timestamp.wrapping_sub(slot.anchor.0) as i64);
        // A new holder, or a sender whose clock jumped: go on from now, never back.
        if slot.anchor == (0, 0) || here.abs_diff(media) > 48_000 {
            here = media.max(slot.last + 960);
            slot.anchor = (timestamp, here);
        }
        if here <= slot.last {
            return None;
        }
        slot.last = here;
        Some((at, here as u32))
    }

    /// Someone left the stage or lost their grant: their slot is free.
    pub fn forget(&mut self, csrc: u32) {
        for slot in self.slots.iter_mut().filter(|slot| slot.csrc == csrc) {
            *slot = Slot { last: slot.last, ..Slot::default() };
        }
    }

    fn take(&mut self, now: Nanos, csrc: u32, level: u8) -> Option<usize> {
        let free = self.slots.iter().position(|slot| slot.csrc == 0);
        let at = free.or_else(|| {
            let quiet = |slot: &Slot| now.since(slot.talked) >= HOLD;
            let (at, weakest) = self.slots.iter().enumerate().max_by_key(|(_, slot)| (quiet(slot), slot.level))?;
            let wins = level <= TALKING && (quiet(weakest) || weakest.level >= level.saturating_add(HYSTERESIS));
            wins.then_some(at)
        })?;
        self.slots[at] = Slot { csrc, level, talked: now, anchor: (0, 0), last: self.slots[at].last };
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Name;
    use crate::time::SECOND;

    fn ears() -> Ears {
        Ears::new(SessionKey { slot: 0, tenant: 1 }, Name::new("ann").unwrap(), Nanos(10 * SECOND), [None; STREAMS])
    }

    #[test]
    fn a_successor_never_goes_back_in_time() {
        let (mut ears, now) = (ears(), Nanos(10 * SECOND));
        // The first packet comes late, those after it in time: the stream runs ahead of the media clock.
        ears.place(now, 1, 30, 1000);
        let (_, last) = ears.place(now, 1, 30, 1000 + 4800).unwrap();
        let later = now.after(20 * MILLISECOND);
        let mut successor = Ears::new(ears.key, ears.owner, later, [Some(last), None, None]);
        let (at, next) = successor.place(later, 1, 30, 1000 + 5760).unwrap();
        assert!(at == 0 && next >= last + 960, "{next} after {last}");
    }

    #[test]
    fn three_are_heard_and_a_fourth_must_be_clearly_louder() {
        let (mut ears, now) = (ears(), Nanos(10 * SECOND));
        for csrc in 1..=3 {
            assert_eq!(ears.place(now, csrc, 30, 1000).map(|placed| placed.0), Some(csrc as usize - 1));
        }
        assert_eq!(ears.place(now, 4, 26, 1000), None);
        assert!(ears.place(now, 4, 24, 1000).is_some());
    }

    #[test]
    fn a_slot_is_kept_through_a_breath_and_given_away_after_it() {
        let (mut ears, now) = (ears(), Nanos(10 * SECOND));
        (1..=3).for_each(|csrc| {
            ears.place(now, csrc, 30, 1000);
        });
        let later = now.after(400 * MILLISECOND);
        (2..=3).for_each(|csrc| {
            ears.place(later, csrc, 30, 20_200);
        });
        assert_eq!(ears.place(later, 4, 30, 1000), None);
        assert_eq!(ears.place(now.after(600 * MILLISECOND), 4, 30, 1000).map(|placed| placed.0), Some(0));
    }

    #[test]
    fn timestamps_go_on_across_speakers() {
        let (mut ears, now) = (ears(), Nanos(10 * SECOND));
        let (_, first) = ears.place(now, 1, 30, 5_000_000).unwrap();
        let (_, second) = ears.place(now.after(20 * MILLISECOND), 1, 30, 5_000_960).unwrap();
        assert_eq!(second - first, 960);
        ears.forget(1);
        let (at, third) = ears.place(now.after(21 * MILLISECOND), 9, 30, 77).unwrap();
        assert!(at == 0 && third >= second + 960);
    }
}

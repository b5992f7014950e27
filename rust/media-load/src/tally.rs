//! What one listener has received, told from clear RTP headers alone: loss, order, and the gaps it would have heard.

use media_core::replay::Window;
use media_core::rtp::Header;
use media_core::time::Nanos;

/// Counts of one or of many listeners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// RTP packets that came, duplicates included.
    pub packets: u64,
    /// Sequence numbers between the first and the highest that never came.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again, or more than 64 packets late.
    pub duplicates: u64,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: Counts) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
    }
}

/// One stream at a time, and the sums of those before it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    past: Counts,
    now: Counts,
    ssrc: Option<u32>,
    window: Window,
    first: u64,
    arrival: Option<Nanos>,
    timestamp: Option<u32>,
    /// The longest that a packet arrived after the one before, beyond what their timestamps say, in nanoseconds.
    pub late: u64,
    /// The longest time without a packet between two, in nanoseconds.
    pub silent: u64,
}

impl Tally {
    /// Counts one packet.
    pub fn take(&mut self, arrival: Nanos, header: &Header) {
        if self.ssrc != Some(header.ssrc) {
            self.restart();
            self.ssrc = Some(header.ssrc);
        }
        self.sequence(header.sequence);
        self.gap(arrival, header.timestamp);
    }

    /// The next packet belongs to another session.
    pub fn restart(&mut self) {
        self.past = self.counts();
        (self.now, self.ssrc, self.window, self.timestamp) = (Counts::default(), None, Window::default(), None);
    }

    fn sequence(&mut self, sequence: u16) {
        self.now.packets += 1;
        let Some(highest) = self.window.highest() else {
            // One rollover up, so that what was sent just before the first packet has an index too.
            self.first = 1 << 16 | u64::from(sequence);
            self.window.advance(self.first);
            return;
        };
        let index = self.window.guess(sequence);
        if !self.window.is_new(index) {
            self.now.duplicates += 1;
            return;
        }
        self.now.reordered += u64::from(index < highest);
        self.first = self.first.min(index);
        self.window.advance(index);
    }

    fn gap(&mut self, arrival: Nanos, timestamp: u32) {
        if let Some(before) = self.arrival {
            let silent = arrival.since(before);
            self.silent = self.silent.max(silent);
            if let Some(before) = self.timestamp {
                let advance = i64::from(timestamp.wrapping_sub(before) as i32).max(0) * 1_000_000 / 48;
                self.late = self.late.max(silent.saturating_sub(advance as u64));
            }
        }
        (self.arrival, self.timestamp) = (Some(arrival), Some(timestamp));
    }

    /// Highest sequence number of the stream, extended by its rollovers (RFC 3550 §6.4.1), and what was lost of it so far.
    pub fn reception(&self) -> Option<(u32, u32)> {
        self.window.highest().map(|highest| (highest.saturating_sub(1 << 16) as u32, self.lost() as u32))
    }

    /// The stream it counts.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    fn lost(&self) -> u64 {
        let expected = self.window.highest().map_or(0, |highest| highest + 1 - self.first);
        expected.saturating_sub(self.now.packets - self.now.duplicates)
    }

    /// Everything counted, all streams together.
    pub fn counts(&self) -> Counts {
        let mut counts = self.past;
        counts.add(Counts { lost: self.lost(), ..self.now });
        counts
    }
}

#[cfg(test)]
mod tests {
    use media_core::time::MILLISECOND;
    use proptest::prelude::*;

    use super::*;

    fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        let mut packet = vec![0x80, 111];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        Header::parse(&packet).unwrap()
    }

    /// Each packet arrives when its timestamp says.
    fn count(sequences: &[u16]) -> Tally {
        let mut tally = Tally::default();
        for (at, sequence) in (0u32..).zip(sequences) {
            tally.take(Nanos(u64::from(at) * 20 * MILLISECOND), &header(1, *sequence, at * 960));
        }
        tally
    }

    #[test]
    fn loss_order_and_duplicates_over_a_rollover() {
        let counts = count(&[65_533, 65_535, 65_534, 1, 1, 3, 65_535]).counts();
        assert_eq!(counts, Counts { packets: 7, lost: 2, reordered: 1, duplicates: 2 });
        assert_eq!(count(&[]).counts(), Counts::default());
        assert_eq!(count(&[2, 65_535, 0, 1]).counts(), Counts { packets: 4, lost: 0, reordered: 3, duplicates: 0 }, "the first came early");
    }

    #[test]
    fn another_stream_begins_anew_and_keeps_the_sums() {
        let mut tally = count(&[1, 3]);
        tally.take(Nanos(60 * MILLISECOND), &header(2, 40_000, 5));
        tally.take(Nanos(80 * MILLISECOND), &header(2, 40_002, 965));
        assert_eq!(tally.counts(), Counts { packets: 4, lost: 2, ..Counts::default() });
        tally.restart();
        assert_eq!(tally.counts(), Counts { packets: 4, lost: 2, ..Counts::default() });
        assert_eq!((tally.reception(), tally.late / MILLISECOND), (None, 0));
    }

    #[test]
    fn a_gap_is_what_timestamps_do_not_explain() {
        let mut tally = Tally::default();
        for (milliseconds, timestamp) in [(0, 0), (20, 960), (420, 960 * 21), (470, 960 * 22), (471, 960 * 23)] {
            tally.take(Nanos(milliseconds * MILLISECOND), &header(1, (timestamp / 960) as u16, timestamp));
        }
        assert_eq!((tally.late / MILLISECOND, tally.silent / MILLISECOND), (30, 400));
    }

    proptest! {
        #[test]
        fn what_is_dropped_is_lost(first: u16, kept in proptest::collection::vec(any::<bool>(), 1..2000)) {
            let mut sequences: Vec<u16> = (0u16..).zip(&kept).filter(|(_, kept)| **kept).map(|(at, _)| first.wrapping_add(at)).collect();
            sequences.push(first.wrapping_add(kept.len() as u16));
            let start = kept.iter().position(|kept| *kept).unwrap_or(kept.len());
            let lost = kept[start..].iter().filter(|kept| !**kept).count() as u64;
            let packets = sequences.len() as u64;
            prop_assert_eq!(count(&sequences).counts(), Counts { packets, lost, ..Counts::default() });
        }
    }
}

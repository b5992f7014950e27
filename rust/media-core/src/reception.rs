//! How a speaker's stream arrives, as receiver reports tell it (RFC 3550 §6.4.2).

use crate::rtcp::ReportBlock;
use crate::time::{Nanos, SECOND};

/// What has arrived of one SSRC.
#[derive(Default)]
pub struct Reception {
    ssrc: u32,
    first: Option<u64>,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    jitter: f64,
    transit: Option<i64>,
    /// Middle 32 bits of the last sender report's NTP time, and when it came.
    sender: Option<(u32, Nanos)>,
}

impl Reception {
    /// An authenticated packet arrived.
    pub fn note(&mut self, now: Nanos, ssrc: u32, index: u64, timestamp: u64) {
        self.ssrc = ssrc;
        self.first = Some(self.first.unwrap_or(index).min(index));
        self.highest = self.highest.max(index);
        self.received += 1;
        let transit = now.samples() as i64 - timestamp as i64;
        if let Some(last) = self.transit.replace(transit) {
            // RFC 3550 §A.8.
            self.jitter += ((transit - last).unsigned_abs() as f64 - self.jitter) / 16.0;
        }
    }

    /// A sender report came.
    pub fn sender(&mut self, now: Nanos, ntp: u32) {
        self.sender = Some((ntp, now));
    }

    /// What has arrived since the last report (RFC 3550 §A.3), and the packets lost so far; `None` before the first packet.
    pub fn report(&mut self, now: Nanos) -> Option<(ReportBlock, u32)> {
        let expected = self.highest - self.first? + 1;
        let (new, got) = (expected.saturating_sub(self.expected_before), self.received - self.received_before);
        (self.expected_before, self.received_before) = (expected, self.received);
        let fraction = (new.saturating_sub(got) * 256).checked_div(new).unwrap_or(0).min(255) as u8;
        let last_report = self.sender.map_or((0, 0), |(ntp, at)| (ntp, (u128::from(now.since(at)) * 65_536 / u128::from(SECOND)) as u32));
        let block =
            ReportBlock { ssrc: self.ssrc, fraction_lost: fraction, highest: self.highest as u32, jitter: self.jitter as u32, last_report };
        Some((block, expected.saturating_sub(self.received).min(0x7f_ffff) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MILLISECOND;

    #[test]
    fn a_quarter_lost_is_64_of_256() {
        let mut reception = Reception::default();
        assert!(reception.report(Nanos(0)).is_none());
        let now = Nanos(SECOND);
        (100..200u64).filter(|index| index % 4 != 3 || *index == 199).for_each(|index| reception.note(now, 7, index, index * 960));
        reception.sender(now, 0xabcd);
        let (block, lost) = reception.report(now.after(500 * MILLISECOND)).unwrap();
        assert_eq!((block.ssrc, block.highest, lost, block.fraction_lost), (7, 199, 24, 61));
        assert_eq!(block.last_report, (0xabcd, 32_768));
        (200..300).for_each(|index| reception.note(now, 7, index, index * 960));
        assert_eq!(reception.report(now).unwrap().0.fraction_lost, 0);
    }
}

//! RTCP (RFC 3550 §6): the few reports the core writes, and what it reads of others'.

/// Seconds from the NTP epoch to the Unix one.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What a report block says of one of our streams (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: u32,
    /// Fraction lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report seen, and the delay since in 1/65536 s.
    pub last_report: (u32, u32),
}

/// Something said in a compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// What arrives of one of our streams.
    Report(ReportBlock),
    /// A sender report: the middle 32 bits of its NTP time.
    Sender(u32),
    /// Goodbye.
    Bye,
}

/// Calls `visit` for what a compound packet says. Malformed tails are ignored.
pub fn read(mut compound: &[u8], mut visit: impl FnMut(Said)) {
    while let Some(&[first, kind, high, low]) = compound.first_chunk::<4>() {
        let len = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let Some(packet) = compound.get(..len).filter(|_| first >> 6 == 2) else { break };
        let blocks = match kind {
            200 => packet.get(28..),
            201 => packet.get(8..),
            _ => None,
        };
        if let (200, Some(&[a, b, c, d])) = (kind, packet.get(10..14)) {
            visit(Said::Sender(u32::from_be_bytes([a, b, c, d])));
        }
        blocks.unwrap_or(&[]).chunks_exact(24).take(usize::from(first & 31)).for_each(|block| visit(Said::Report(report_block(block))));
        if kind == 203 {
            visit(Said::Bye);
        }
        compound = &compound[len..];
    }
}

fn report_block(block: &[u8]) -> ReportBlock {
    let word = |at: usize| u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    ReportBlock { ssrc: word(0), fraction_lost: block[4], highest: word(8), jitter: word(12), last_report: (word(16), word(20)) }
}

/// What a sender report of ours says.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: u32,
    /// Nanoseconds since the Unix epoch.
    pub wall: u64,
    /// The stream's RTP timestamp at that moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u64,
}

/// A sender report with its CNAME (RFC 3550 §6.4.1, §6.5); returns its length.
pub fn sender_report(report: &SenderReport, out: &mut [u8]) -> Option<usize> {
    let seconds = (report.wall / 1_000_000_000 + NTP_EPOCH) as u32;
    let fraction = (((report.wall % 1_000_000_000) << 32) / 1_000_000_000) as u32;
    let words = [0x80c8_0006, report.ssrc, seconds, fraction, report.timestamp, report.packets, report.octets as u32];
    let len = write_words(&words, out)?;
    cname(report.ssrc, out, len)
}

/// A receiver report on one stream with its CNAME (RFC 3550 §6.4.2).
pub fn receiver_report(ours: u32, block: &ReportBlock, lost: u32, out: &mut [u8]) -> Option<usize> {
    let loss = u32::from(block.fraction_lost) << 24 | lost & 0x00ff_ffff;
    let words = [0x81c9_0007, ours, block.ssrc, loss, block.highest, block.jitter, block.last_report.0, block.last_report.1];
    let len = write_words(&words, out)?;
    cname(ours, out, len)
}

/// A goodbye (RFC 3550 §6.6), led by an empty receiver report as a compound packet must be.
pub fn goodbye(ssrc: u32, out: &mut [u8]) -> Option<usize> {
    write_words(&[0x80c9_0001, ssrc, 0x81cb_0001, ssrc], out)
}

fn write_words(words: &[u32], out: &mut [u8]) -> Option<usize> {
    let len = words.len() * 4;
    out.get_mut(..len)?.chunks_exact_mut(4).zip(words).for_each(|(out, word)| out.copy_from_slice(&word.to_be_bytes()));
    Some(len)
}

fn cname(ssrc: u32, out: &mut [u8], at: usize) -> Option<usize> {
    let [a, b, c, d] = ssrc.to_be_bytes();
    let packet = [0x81, 202, 0, 4, a, b, c, d, 1, 6, b'r', b'o', b's', b't', b'r', b'a', 0, 0, 0, 0];
    out.get_mut(at..at + packet.len())?.copy_from_slice(&packet);
    Some(at + packet.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reports_read_back() {
        let mut out = [0; 128];
        let block = ReportBlock { ssrc: 9, fraction_lost: 25, highest: 70_000, jitter: 48, last_report: (5, 6) };
        let len = receiver_report(1, &block, 3, &mut out).unwrap();
        let said = |packet: &[u8]| {
            let mut said = Vec::new();
            read(packet, |part| said.push(part));
            said
        };
        assert_eq!(said(&out[..len]), [Said::Report(block)]);
        let len = goodbye(7, &mut out).unwrap();
        assert_eq!(said(&out[..len]), [Said::Bye]);
        let report = SenderReport { ssrc: 1, wall: 1_500_000_000, timestamp: 7, packets: 2, octets: 300 };
        let len = sender_report(&report, &mut out).unwrap();
        assert_eq!(said(&out[..len]), [Said::Sender((2_208_988_801u32 & 0xffff) << 16 | 0x8000)]);
    }

    #[test]
    fn a_sender_report_carries_ntp_time() {
        let mut out = [0; 128];
        let report = SenderReport { ssrc: 1, wall: 1_500_000_000, timestamp: 7, packets: 2, octets: 300 };
        let len = sender_report(&report, &mut out).unwrap();
        assert_eq!(len, 48);
        assert_eq!(out[8..12], 2_208_988_801u32.to_be_bytes());
        assert_eq!(out[12..16], 0x8000_0000u32.to_be_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes, |_| ());
        }
    }
}

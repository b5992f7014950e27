//! RTP headers (RFC 3550 §5.1), their one-byte extensions (RFC 8285) and RED payloads (RFC 2198).

/// What the core reads of an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Set on the first packet of a talk spurt.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, 48 kHz for Opus.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Bytes of header: fixed part, CSRCs and extension.
    pub len: usize,
    /// Whether the payload ends in padding.
    pub padded: bool,
    /// Where the extension's body starts, and its length.
    extension: (usize, usize),
}

impl Header {
    /// Reads the header; `None` if it is not one or does not fit in the packet.
    pub fn parse(packet: &[u8]) -> Option<Header> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut len = 12 + usize::from(fixed[0] & 15) * 4;
        let mut extension = (0, 0);
        if fixed[0] & 0x10 != 0 {
            let profile: &[u8; 4] = packet.get(len..)?.first_chunk()?;
            let words = usize::from(u16::from_be_bytes([profile[2], profile[3]]));
            if profile[..2] == [0xbe, 0xde] {
                extension = (len + 4, words * 4);
            }
            len += 4 + words * 4;
        }
        (packet.len() >= len).then(|| Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
            padded: fixed[0] & 0x20 != 0,
            extension,
        })
    }

    /// The body of the one-byte extension `id` (1–14).
    pub fn extension<'p>(&self, packet: &'p [u8], id: u8) -> Option<&'p [u8]> {
        let mut body = packet.get(self.extension.0..self.extension.0 + self.extension.1)?;
        while let Some((&first, rest)) = body.split_first() {
            let (found, len) = (first >> 4, usize::from(first & 15) + 1);
            match found {
                0 => body = rest,
                15 => return None,
                _ if found == id => return rest.get(..len),
                _ => body = rest.get(len..)?,
            }
        }
        None
    }

    /// The client's claim of its level: −dBov 0–127 (RFC 6464).
    pub fn audio_level(&self, packet: &[u8], id: u8) -> Option<u8> {
        self.extension(packet, id).and_then(<[u8]>::first).map(|byte| byte & 0x7f)
    }
}

/// The CSRCs of a packet, as the core writes them.
pub fn csrcs(packet: &[u8]) -> impl Iterator<Item = u32> {
    let count = packet.first().map_or(0, |first| usize::from(first & 15));
    packet.get(12..12 + count * 4).unwrap_or(&[]).chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

/// Whether a datagram that starts like RTP is RTCP (RFC 5761 §4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// Most redundant blocks ever taken from a RED payload (rule 9).
pub const MAX_RED_BLOCKS: usize = 3;

/// One block of a RED payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedBlock<'p> {
    /// Payload type inside.
    pub payload_type: u8,
    /// How much older than the packet's timestamp; 0 for the primary block.
    pub age: u32,
    /// The block.
    pub payload: &'p [u8],
}

/// The blocks of a RED payload, oldest first, the primary one last; `None` if malformed or with more than three redundant ones.
pub fn red(payload: &[u8]) -> Option<impl Iterator<Item = RedBlock<'_>>> {
    let mut blocks = [None; MAX_RED_BLOCKS + 1];
    let (mut at, mut count) = (0, 0);
    let mut lengths = [0; MAX_RED_BLOCKS];
    loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            blocks[count] = Some(RedBlock { payload_type: first, age: 0, payload: &[] });
            at += 1;
            break;
        }
        if count == MAX_RED_BLOCKS {
            return None;
        }
        let header: &[u8; 4] = payload.get(at..)?.first_chunk()?;
        let word = u32::from_be_bytes(*header);
        blocks[count] = Some(RedBlock { payload_type: first & 0x7f, age: word >> 10 & 0x3fff, payload: &[] });
        lengths[count] = (word & 0x3ff) as usize;
        count += 1;
        at += 4;
    }
    for (block, len) in blocks.iter_mut().zip(lengths).take(count) {
        block.as_mut()?.payload = payload.get(at..at + len)?;
        at += len;
    }
    blocks[count].as_mut()?.payload = payload.get(at..)?;
    Some(blocks.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_with_csrcs_and_extensions() {
        let mut packet = vec![0x92, 0x80 | 111, 0x12, 0x34, 0, 0, 3, 0xe8, 1, 2, 3, 4, 0, 0, 5, 10, 0, 0, 6, 20];
        packet.extend([0xbe, 0xde, 0, 2, 0x10, 0x85, 0, 0x41, b'a', b'b', 0, 0, 9, 9]);
        let header = Header::parse(&packet).unwrap();
        assert_eq!((header.marker, header.payload_type, header.sequence, header.timestamp), (true, 111, 0x1234, 1000));
        assert_eq!(header.len, packet.len() - 2);
        assert_eq!(header.audio_level(&packet, 1), Some(5));
        assert_eq!(header.extension(&packet, 4), Some(&b"ab"[..]));
        assert_eq!(header.extension(&packet, 7), None);
        assert_eq!(csrcs(&packet).collect::<Vec<_>>(), [5 << 8 | 10, 6 << 8 | 20]);
    }

    #[test]
    fn red_of_two_blocks() {
        let age: u32 = 960;
        let mut payload = (0x8000_0000 | 111 << 24 | age << 10 | 2).to_be_bytes().to_vec();
        payload.extend([111, 7, 8, 1, 2, 3]);
        let blocks: Vec<_> = red(&payload).unwrap().collect();
        assert_eq!(blocks[0], RedBlock { payload_type: 111, age: 960, payload: &[7, 8] });
        assert_eq!(blocks[1], RedBlock { payload_type: 111, age: 0, payload: &[1, 2, 3] });
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), id in 0u8..16) {
            if let Some(header) = Header::parse(&bytes) {
                let _ = header.audio_level(&bytes, id);
                prop_assert!(header.len <= bytes.len());
            }
            let _ = csrcs(&bytes).count();
            let _ = red(&bytes).map(Iterator::count);
        }
    }
}

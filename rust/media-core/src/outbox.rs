//! Datagrams on their way out: one reusable arena, so that sending allocates nothing once warm.

use media_region::Address;

/// The largest datagram ever sent.
pub const MAX_DATAGRAM: usize = 1500;

/// Datagrams to send, in order.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    entries: Vec<(Address, usize, usize)>,
    packets: u64,
    octets: u64,
}

impl Outbox {
    /// Lets `write` fill a buffer of `MAX_DATAGRAM` bytes; it returns the length, or `None` to send nothing.
    pub fn push(&mut self, to: Address, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let start = self.entries.last().map_or(0, |(_, start, len)| start + len);
        if self.bytes.len() < start + MAX_DATAGRAM {
            self.bytes.resize(start + MAX_DATAGRAM, 0);
        }
        let Some(len) = write(&mut self.bytes[start..start + MAX_DATAGRAM]) else { return false };
        let len = len.min(MAX_DATAGRAM);
        self.entries.push((to, start, len));
        self.packets += 1;
        self.octets += len as u64;
        true
    }

    /// Queues a datagram as it is.
    pub fn copy(&mut self, to: Address, datagram: &[u8]) -> bool {
        self.push(to, |buffer| {
            buffer.get_mut(..datagram.len())?.copy_from_slice(datagram);
            Some(datagram.len())
        })
    }

    /// Datagrams queued.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each datagram and where it goes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Address, &[u8])> {
        self.entries.iter().map(|(to, start, len)| (*to, &self.bytes[*start..start + len]))
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Datagrams and octets queued since the beginning.
    pub fn total(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }
}

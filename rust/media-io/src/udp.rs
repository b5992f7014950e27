//! UDP in batches: recvmmsg in, sendmmsg out, nothing allocated and nothing prepared twice.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use media_core::Address;
use media_core::outbox::Outbox;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Datagrams handed to the kernel at once.
const BATCH: usize = 256;
/// Datagrams taken from a socket before others get their turn.
const RECEIVE: usize = 64;
/// Room for what may arrive: larger datagrams are cut, and so never authentic.
const ROOM: usize = 2048;
/// How long a full socket buffer may hold up the programme before packets are dropped: 2 ms.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// A socket address of either family, as the kernel reads it.
#[repr(C)]
union Name {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Headers, vectors and names of a batch. The headers point into the other two, which never move.
struct Batch {
    headers: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
    names: Box<[Name]>,
}

impl Batch {
    fn new(size: usize) -> Batch {
        // SAFETY: all-zero is a valid value of these C structs.
        let zeroed = || unsafe { (mem::zeroed::<libc::mmsghdr>(), mem::zeroed::<libc::iovec>(), mem::zeroed::<Name>()) };
        let mut batch = Batch {
            headers: (0..size).map(|_| zeroed().0).collect(),
            vectors: (0..size).map(|_| zeroed().1).collect(),
            names: (0..size).map(|_| zeroed().2).collect(),
        };
        for ((header, vector), name) in batch.headers.iter_mut().zip(&mut batch.vectors).zip(&mut batch.names) {
            header.msg_hdr.msg_name = (&raw mut *name).cast();
            header.msg_hdr.msg_iov = &raw mut *vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        batch
    }
}

/// One UDP socket and what is needed to use it. It stays on the thread that made it.
pub struct Udp {
    socket: OwnedFd,
    index: u8,
    family: libc::sa_family_t,
    out: Batch,
    arriving: Batch,
    buffers: Box<[[u8; ROOM]]>,
    /// Datagrams that the kernel would not take.
    pub refused: u64,
}

impl Udp {
    /// Takes over a bound socket; `index` is its name in addresses.
    pub fn new(socket: OwnedFd, index: u8) -> std::io::Result<Udp> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let family = rustix::net::getsockname(&socket)?.address_family().as_raw();
        let buffers = vec![[0; ROOM]; RECEIVE].into_boxed_slice();
        Ok(Udp { socket, index, family, out: Batch::new(BATCH), arriving: Batch::new(RECEIVE), buffers, refused: 0 })
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what has arrived, at most one batch; `take` gets each datagram. Returns whether there may be more.
    pub fn receive(&mut self, mut take: impl FnMut(Address, &mut [u8])) -> bool {
        let Batch { headers, vectors, names } = &mut self.arriving;
        for ((header, vector), buffer) in headers.iter_mut().zip(vectors.iter_mut()).zip(&mut self.buffers) {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: ROOM };
            header.msg_hdr.msg_namelen = size_of::<Name>() as u32;
        }
        // SAFETY: every header points at a name and a vector of this batch, every vector at a buffer; all live in `self`.
        let count = unsafe {
            libc::recvmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), RECEIVE as u32, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        let count = usize::try_from(count).unwrap_or(0);
        for ((header, name), buffer) in headers.iter().zip(names.iter()).zip(&mut self.buffers).take(count) {
            if let Some(remote) = address(name) {
                take(Address { remote, local: None, socket: self.index }, &mut buffer[..(header.msg_len as usize).min(ROOM)]);
            }
        }
        count == RECEIVE
    }

    /// Sends every datagram of `out` that names this socket. What the kernel will not take is lost, as on any network.
    pub fn send(&mut self, out: &Outbox) {
        let mut mine = out.iter().filter(|(to, _)| to.socket == self.index);
        loop {
            let mut count = 0;
            for (to, datagram) in mine.by_ref().take(BATCH) {
                let len = write_name(to.remote, self.family, &mut self.out.names[count]);
                self.out.vectors[count] = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
                self.out.headers[count].msg_hdr.msg_namelen = len;
                count += 1;
            }
            if count == 0 {
                return;
            }
            self.refused += send_batch(&self.socket, &mut self.out.headers[..count]);
            if count < BATCH {
                return;
            }
        }
    }
}

/// Returns how many the kernel would not take. The headers' names, vectors and datagrams must be alive.
fn send_batch(socket: &OwnedFd, mut headers: &mut [libc::mmsghdr]) -> u64 {
    let (mut refused, mut patient) = (0, true);
    while !headers.is_empty() {
        // SAFETY: the headers point at names, vectors and datagrams that outlive this call; sendmmsg only reads them.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as u32, libc::MSG_DONTWAIT) };
        if let Ok(sent) = usize::try_from(sent) {
            headers = &mut headers[sent.max(1)..];
        } else if std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock && mem::take(&mut patient) {
            let _ = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&PATIENCE));
        } else {
            // The error is about the first datagram (an unreachable address, a full buffer): drop that one and go on.
            refused += 1;
            headers = &mut headers[1..];
        }
    }
    refused
}

fn address(name: &Name) -> Option<SocketAddr> {
    // SAFETY: the kernel wrote a socket address, and every one begins with its family.
    match i32::from(unsafe { name.family }) {
        libc::AF_INET => {
            // SAFETY: the family says which member was written.
            let name = unsafe { &name.v4 };
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr))), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &name.v6 };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            // An IPv4 address on a dual-stack socket: one name for one address.
            Some(SocketAddr::new(ip.to_canonical(), u16::from_be(name.sin6_port)))
        }
        _ => None,
    }
}

/// Writes a socket address for a socket of `family`; returns its length.
fn write_name(to: SocketAddr, family: libc::sa_family_t, out: &mut Name) -> u32 {
    if let (IpAddr::V4(ip), libc::AF_INET) = (to.ip(), i32::from(family)) {
        let sin_addr = libc::in_addr { s_addr: u32::from(ip).to_be() };
        out.v4 = libc::sockaddr_in { sin_family: family, sin_port: to.port().to_be(), sin_addr, sin_zero: [0; 8] };
        return size_of::<libc::sockaddr_in>() as u32;
    }
    let (ip, scope) = match to {
        SocketAddr::V4(to) => (to.ip().to_ipv6_mapped(), 0),
        SocketAddr::V6(to) => (*to.ip(), to.scope_id()),
    };
    out.v6 = libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: to.port().to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
        sin6_scope_id: scope,
    };
    size_of::<libc::sockaddr_in6>() as u32
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn pair(ours: &str, theirs: &str) -> (Udp, UdpSocket) {
        let socket = UdpSocket::bind(ours).unwrap();
        (Udp::new(socket.into(), 3).unwrap(), UdpSocket::bind(theirs).unwrap())
    }

    fn port(socket: &Udp) -> u16 {
        let name = rustix::net::getsockname(&socket.socket).unwrap();
        SocketAddr::try_from(name).unwrap().port()
    }

    #[test]
    fn a_thousand_datagrams_go_out_and_come_back_in_order() {
        for (ours, theirs, ip) in
            [("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"), ("[::]:0", "127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]:0", "::1")]
        {
            let (mut udp, other) = pair(ours, theirs);
            let mut out = Outbox::default();
            for round in 0..4u8 {
                for at in 0..255u8 {
                    out.copy(Address { remote: other.local_addr().unwrap(), local: None, socket: 3 }, &[round, at]);
                    out.copy(Address { remote: other.local_addr().unwrap(), local: None, socket: 1 }, b"another socket's");
                }
                udp.send(&out);
                out.clear();
                let mut buffer = [0; 64];
                for at in 0..255u8 {
                    assert_eq!(other.recv(&mut buffer).unwrap(), 2);
                    assert_eq!(buffer[..2], [round, at]);
                    other.send_to(&buffer[..2], SocketAddr::new(ip.parse().unwrap(), port(&udp))).unwrap();
                }
                let mut seen = Vec::new();
                while seen.len() < 255 {
                    udp.receive(|from, datagram| {
                        assert_eq!(from.remote, other.local_addr().unwrap());
                        seen.push(datagram[1]);
                    });
                }
                assert_eq!(seen, (0..255).collect::<Vec<u8>>());
            }
            assert_eq!(udp.refused, 0);
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_costs_no_other() {
        let (mut udp, other) = pair("127.0.0.1:0", "127.0.0.1:0");
        let mut out = Outbox::default();
        out.copy(Address { remote: "[2001:db8::1]:9".parse().unwrap(), local: None, socket: 3 }, b"lost");
        out.copy(Address { remote: other.local_addr().unwrap(), local: None, socket: 3 }, b"kept");
        udp.send(&out);
        let mut buffer = [0; 8];
        assert_eq!(other.recv(&mut buffer).unwrap(), 4);
        assert_eq!((&buffer[..4], udp.refused), (&b"kept"[..], 1));
    }
}

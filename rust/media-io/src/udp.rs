//! UDP in batches: recvmmsg in, sendmmsg out, nothing allocated once warm.

use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use media_core::Address;
use media_core::outbox::{MAX_DATAGRAM, Outbox};

/// Datagrams handed to the kernel at once.
const BATCH: usize = 256;
/// Datagrams taken from a socket before others get their turn.
const RECEIVE: usize = 64;
/// Room for what may arrive: larger datagrams are cut, and so never authentic.
const ROOM: usize = 2048;

/// One UDP socket and the buffers to read it with.
pub struct Udp {
    socket: OwnedFd,
    index: u8,
    family: libc::sa_family_t,
    buffers: Box<[[u8; ROOM]; RECEIVE]>,
}

type Storage = libc::sockaddr_storage;

impl Udp {
    /// Takes over a bound socket; `index` is its name in addresses.
    pub fn new(socket: OwnedFd, index: u8) -> std::io::Result<Udp> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let local = rustix::net::getsockname(&socket)?;
        let family = local.address_family().as_raw();
        Ok(Udp { socket, index, family, buffers: Box::new([[0; ROOM]; RECEIVE]) })
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.socket)
    }

    /// Reads what has arrived, at most one batch; `take` gets each datagram. Returns whether there may be more.
    pub fn receive(&mut self, mut take: impl FnMut(Address, &mut [u8])) -> bool {
        // SAFETY: all-zero is a valid value of these C structs.
        let mut names: [Storage; RECEIVE] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut vectors: [libc::iovec; RECEIVE] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; RECEIVE] = unsafe { mem::zeroed() };
        for at in 0..RECEIVE {
            vectors[at] = libc::iovec { iov_base: self.buffers[at].as_mut_ptr().cast(), iov_len: ROOM };
            headers[at].msg_hdr.msg_name = (&raw mut names[at]).cast();
            headers[at].msg_hdr.msg_namelen = size_of::<Storage>() as u32;
            headers[at].msg_hdr.msg_iov = &raw mut vectors[at];
            headers[at].msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: every header points at a name, a vector and a buffer that live until the end of this function.
        let count = unsafe {
            libc::recvmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), RECEIVE as u32, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        let count = usize::try_from(count).unwrap_or(0);
        for at in 0..count {
            let len = (headers[at].msg_len as usize).min(ROOM);
            if let Some(remote) = address(&names[at]) {
                take(Address { remote, local: None, socket: self.index }, &mut self.buffers[at][..len]);
            }
        }
        count == RECEIVE
    }

    /// Sends every datagram of `out` that names this socket. What the kernel will not take is lost, as on any network.
    pub fn send(&self, out: &Outbox) -> u64 {
        let mut lost = 0;
        let mut mine = out.iter().filter(|(to, _)| to.socket == self.index);
        loop {
            // SAFETY: an array of MaybeUninit needs no initialisation.
            let mut names: [MaybeUninit<Storage>; BATCH] = unsafe { MaybeUninit::uninit().assume_init() };
            // SAFETY: all-zero is a valid value of these C structs.
            let mut vectors: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
            // SAFETY: as above.
            let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
            let mut count = 0;
            for (to, datagram) in mine.by_ref().take(BATCH) {
                let len = name(to.remote, self.family, &mut names[count]);
                vectors[count] = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len().min(MAX_DATAGRAM) };
                headers[count].msg_hdr.msg_name = names[count].as_mut_ptr().cast();
                headers[count].msg_hdr.msg_namelen = len;
                headers[count].msg_hdr.msg_iov = &raw mut vectors[count];
                headers[count].msg_hdr.msg_iovlen = 1;
                count += 1;
            }
            if count == 0 {
                return lost;
            }
            lost += self.send_batch(&mut headers[..count]);
        }
    }

    fn send_batch(&self, mut headers: &mut [libc::mmsghdr]) -> u64 {
        let mut lost = 0;
        while !headers.is_empty() {
            // SAFETY: the caller's headers point at names, vectors and datagrams that outlive this call; sendmmsg only reads them.
            let sent = unsafe { libc::sendmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as u32, libc::MSG_DONTWAIT) };
            // An error is about the first datagram (an unreachable address, a full buffer): drop that one and go on.
            let done = usize::try_from(sent).unwrap_or_else(|_| {
                lost += 1;
                1
            });
            headers = &mut headers[done.max(1)..];
        }
        lost
    }
}

fn address(name: &Storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in, which is smaller.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr))), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6, which is smaller.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            // An IPv4 peer on a dual-stack socket: one name for one address.
            Some(SocketAddr::new(ip.to_canonical(), u16::from_be(name.sin6_port)))
        }
        _ => None,
    }
}

/// Writes a socket address for a socket of `family`; returns its length.
fn name(to: SocketAddr, family: libc::sa_family_t, out: &mut MaybeUninit<Storage>) -> u32 {
    let out = out.as_mut_ptr();
    match (to.ip(), i32::from(family)) {
        (IpAddr::V4(ip), libc::AF_INET) => {
            let name = libc::sockaddr_in {
                sin_family: family,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(ip).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is large enough and aligned for any socket address.
            unsafe { out.cast::<libc::sockaddr_in>().write(name) };
            size_of::<libc::sockaddr_in>() as u32
        }
        (ip, _) => {
            let ip = match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: to.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { out.cast::<libc::sockaddr_in6>().write(name) };
            size_of::<libc::sockaddr_in6>() as u32
        }
    }
}

//! UDP sockets as a crowd of listeners needs them: many, each of its own address, each datagram stamped by the kernel.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use media_core::outbox::Outbox;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Room for any datagram a server may send.
pub const ROOM: usize = 2048;
/// Receivers look at their sockets this often instead of being woken for each packet: waking them would be charged to the sender,
/// and no real listener's machine does that to a server. The kernel's timestamps keep the true time of arrival.
pub const NAP: Duration = Duration::from_millis(1);
/// Files open besides one socket per listener.
const SPARE_FILES: u64 = 256;

/// Makes sure that `sockets` can be open at once.
pub fn allow_sockets(sockets: usize) -> Result<(), String> {
    let need = sockets as u64 + SPARE_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= need) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(need));
    setrlimit(Resource::Nofile, Rlimit { current: Some(need), maximum })
        .map_err(|_| format!("{need} open files are needed and {:?} allowed: raise `ulimit -n`", limit.maximum))
}

/// Where listener `number` of a loopback server sits: each in a network of its own, for the first 62,500.
pub fn loopback_address(number: usize) -> Ipv4Addr {
    let [low, middle, high] = [number % 250, number / 250 % 250, number / 62_500 % 200].map(|part| part as u8 + 1);
    Ipv4Addr::new(127, low, middle, high)
}

/// A socket of listener `number` for talking to `server` and nobody else, with kernel timestamps.
pub fn open(server: SocketAddr, number: usize) -> io::Result<UdpSocket> {
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => loopback_address(number).into(),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((ip, 0))?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    stamp(&socket)?;
    Ok(socket)
}

fn stamp(socket: &UdpSocket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int that lives through the call, and its size is given.
    let done = unsafe {
        let value = (&raw const on).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, value, size_of_val(&on) as libc::socklen_t)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[repr(C, align(8))]
struct Control([u8; 64]);

/// One datagram: its length, and when the kernel had it (nanoseconds since the Unix epoch; 0 if it did not say).
pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; 64]);
    // SAFETY: all-zero is a valid message header.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    // SAFETY: the header points at one live buffer and at an aligned control area, both of the lengths given.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let Ok(len) = usize::try_from(len) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has filled `header` and the control area it points at, which is alive and aligned.
    Ok((len, unsafe { stamp_of(&header) }))
}

/// The kernel's timestamp among a message's control data.
///
/// # Safety
/// `header` must have been filled by `recvmsg`, and its control area be alive.
unsafe fn stamp_of(header: &libc::msghdr) -> u64 {
    // SAFETY: the caller's promise; CMSG_FIRSTHDR and CMSG_NXTHDR stay within the control length that the kernel wrote.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            if ((*at).cmsg_level, (*at).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let time: libc::timespec = libc::CMSG_DATA(at).cast::<libc::timespec>().read_unaligned();
                return time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    0
}

/// Sends and forgets everything queued. What the kernel will not take is lost, as on any network.
pub fn flush(socket: &UdpSocket, out: &mut Outbox) {
    for (_, datagram) in out.iter() {
        let _ = socket.send(datagram);
    }
    out.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn datagrams_carry_the_kernels_time() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = open(server.local_addr().unwrap(), 7).unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::new(127, 8, 1, 1)));
        assert_eq!(receive(&socket, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // The first socket to ask switches stamping on for the machine, and that may take the kernel a moment.
        let stamped = (0..200).any(|_| {
            let before = clock::wall();
            server.send_to(b"hi", socket.local_addr().unwrap()).unwrap();
            let mut buffer = [0; 8];
            let (len, stamp) = receive(&socket, &mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"hi");
            (before..=clock::wall()).contains(&stamp)
        });
        assert!(stamped);
    }

    #[test]
    fn no_two_listeners_share_an_address() {
        let all: std::collections::HashSet<Ipv4Addr> = (0..100_000).map(loopback_address).collect();
        assert_eq!(all.len(), 100_000);
        assert!(all.iter().all(Ipv4Addr::is_loopback));
    }
}

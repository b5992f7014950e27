//! `media-load floor`: what the kernel alone takes to send so many packets, as the yardstick for a media server's CPU.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use media_core::time::SECOND;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};

use crate::clock;
use crate::flags::Flags;
use crate::listen::round;
use crate::wire;

/// Datagrams handed to the kernel at once.
const BATCH: usize = 256;
/// Events that the drain takes at once.
const EVENTS: usize = 1024;

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Floor {
    listeners: usize,
    rate: f64,
    bytes: usize,
    seconds: f64,
    cpu: Option<usize>,
    /// Whether the figures are printed as JSON, and no progress.
    pub json: bool,
}

impl Floor {
    /// Takes its flags.
    pub fn of(flags: &mut Flags) -> Result<Floor, String> {
        let floor = Floor {
            listeners: flags.number("listeners", 1.0, 1e6)? as usize,
            rate: flags.maybe("packets-per-second")?.unwrap_or(50.0),
            bytes: flags.maybe("bytes")?.unwrap_or(120),
            seconds: flags.number("seconds", 0.1, 1e6)?,
            cpu: flags.maybe("cpu")?,
            json: flags.switch("json"),
        };
        match (floor.rate > 0.0, (1..=1472).contains(&floor.bytes), floor.cpu.is_none_or(|cpu| cpu < CpuSet::MAX_CPU)) {
            (false, ..) => Err("--packets-per-second must be more than 0".to_owned()),
            (_, false, _) => Err("--bytes must lie between 1 and 1472".to_owned()),
            (.., false) => Err("--cpu: no such core".to_owned()),
            _ => Ok(floor),
        }
    }

    /// Runs it; the figures.
    pub fn run(&self) -> Result<Value, String> {
        wire::allow_sockets(self.listeners)?;
        let said = |error: io::Error| error.to_string();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
        let from = sender.local_addr().map_err(said)?;
        let sockets: Vec<UdpSocket> =
            (0..self.listeners).map(|number| wire::open(from, number)).collect::<io::Result<_>>().map_err(said)?;
        let names = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<Vec<SocketAddr>>>().map_err(said)?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let drain = scope.spawn(|| drain(&sockets, &stop));
            let sent = self.send(&sender, &names);
            stop.store(true, Ordering::Relaxed);
            let drained = drain.join().map_err(|_| "the drain failed".to_owned())?.map_err(said)?;
            sent.map(|sent| self.figures(&sent, drained))
        })
    }

    fn send(&self, socket: &UdpSocket, names: &[SocketAddr]) -> Result<Sent, String> {
        if let Some(cpu) = self.cpu {
            let mut set = CpuSet::new();
            set.set(cpu);
            sched_setaffinity(None, &set).map_err(|error| format!("core {cpu}: {error}"))?;
        }
        let mut batch = Batch::new(names, self.bytes)?;
        let tick = (SECOND as f64 / self.rate) as u64;
        let (started, cpu) = (clock::now(), clock::thread_cpu());
        let (until, mut next) = (started.after((self.seconds * 1e9) as u64), started);
        let mut sent = Sent::default();
        while next < until {
            thread::sleep(Duration::from_nanos(next.since(clock::now())));
            sent.late = sent.late.max(clock::now().since(next));
            batch.send(socket, &mut sent)?;
            next = next.after(tick);
        }
        (sent.cpu, sent.elapsed) = (clock::thread_cpu() - cpu, clock::now().since(started));
        Ok(sent)
    }

    fn figures(&self, sent: &Sent, drained: u64) -> Value {
        json!({
            "listeners": self.listeners,
            "bytes": self.bytes,
            "seconds": round(sent.elapsed as f64 / 1e9, 2),
            "packets": sent.packets,
            "refused": sent.refused,
            "drained": drained,
            "packets_per_second": round(sent.packets as f64 * 1e9 / sent.elapsed as f64, 1),
            "cpu_us_per_packet": round(sent.cpu as f64 / 1e3 / sent.packets.max(1) as f64, 3),
            "core_percent": round(sent.cpu as f64 * 100.0 / sent.elapsed as f64, 1),
            "late_ms": round(sent.late as f64 / 1e6, 2),
        })
    }
}

#[derive(Default)]
struct Sent {
    packets: u64,
    refused: u64,
    cpu: u64,
    elapsed: u64,
    late: u64,
}

/// Headers prepared once: one datagram for every listener. They point into the other members, which never move or change.
struct Batch {
    headers: Vec<libc::mmsghdr>,
    _vector: Box<libc::iovec>,
    _names: Vec<libc::sockaddr_in>,
    _payload: Vec<u8>,
}

impl Batch {
    fn new(names: &[SocketAddr], bytes: usize) -> Result<Batch, String> {
        let mut payload = vec![0x55; bytes];
        let mut vector = Box::new(libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: bytes });
        let mut names = names.iter().map(name).collect::<Option<Vec<_>>>().ok_or("the sockets are not of IPv4")?;
        let headers = names
            .iter_mut()
            .map(|name| {
                // SAFETY: all-zero is a valid message header.
                let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_name = (&raw mut *name).cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
                header.msg_hdr.msg_iov = &raw mut *vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Ok(Batch { headers, _vector: vector, _names: names, _payload: payload })
    }

    fn send(&mut self, socket: &UdpSocket, sent: &mut Sent) -> Result<(), String> {
        for mut headers in self.headers.chunks_mut(BATCH) {
            while !headers.is_empty() {
                // SAFETY: every header points at a name, the vector and the payload, all alive in `self`.
                let count = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as libc::c_uint, 0) };
                let Ok(count) = usize::try_from(count) else {
                    if io::Error::last_os_error().kind() == io::ErrorKind::InvalidInput {
                        return Err("sendmmsg was refused".to_owned());
                    }
                    // The error is about the first datagram: that one is lost.
                    sent.refused += 1;
                    headers = &mut headers[1..];
                    continue;
                };
                sent.packets += count as u64;
                headers = &mut headers[count..];
            }
        }
        Ok(())
    }
}

fn name(address: &SocketAddr) -> Option<libc::sockaddr_in> {
    let SocketAddr::V4(address) = address else { return None };
    let sin_addr = libc::in_addr { s_addr: u32::from(*address.ip()).to_be() };
    Some(libc::sockaddr_in { sin_family: libc::AF_INET as libc::sa_family_t, sin_port: address.port().to_be(), sin_addr, sin_zero: [0; 8] })
}

/// Takes what arrives, as listeners would, until told to stop and nothing is left; how many that were.
fn drain(sockets: &[UdpSocket], stop: &AtomicBool) -> io::Result<u64> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, socket) in (0u64..).zip(sockets) {
        epoll::add(&epoll, socket, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
    }
    let (mut events, mut buffer, mut drained) = (Vec::with_capacity(EVENTS), [0; wire::ROOM], 0);
    loop {
        // Read before the last look, so that nothing sent before is left behind.
        let last = stop.load(Ordering::Relaxed);
        thread::sleep(wire::NAP);
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) if last => return Ok(drained),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            drained += u64::from(wire::receive(&sockets[event.data.u64() as usize], &mut buffer).is_ok());
        }
    }
}

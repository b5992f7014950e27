//! The media process: waits for the fence, takes over, and runs until told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Instant;

use media_core::dtls::DtlsSetup;
use media_core::messages::ToMedia;
use media_core::node::{Node, Polled};
use media_core::outbox::Outbox;
use media_core::time::Nanos;
use media_core::transport::TransportConfig;
use media_core::{Fence, Region, RegionError, Takeover};
use rustix::event::{Timespec, epoll};
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use thiserror::Error;

use crate::clock::{SystemRandom, boottime, wall};
use crate::control::Connection;
use crate::frames::Over;
use crate::udp::Udp;

/// Api processes at once: one, and its successor during a restart.
const MAX_CONNECTIONS: usize = 8;

/// What a media process is given: descriptors inherited from the supervisor, and where it can be reached.
pub struct Serving {
    /// The region's file.
    pub region: OwnedFd,
    /// Sessions it holds.
    pub capacity: u32,
    /// Bound UDP sockets.
    pub udp: Vec<OwnedFd>,
    /// The listening control socket.
    pub control: UnixListener,
    /// Addresses for SDP answers.
    pub candidates: Vec<SocketAddr>,
    /// Where to write "standby" and "ready", a line each.
    pub ready: Option<std::fs::File>,
}

/// Why a media process cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The region is not usable.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// DTLS cannot be set up.
    #[error("DTLS cannot be set up: {0}")]
    Dtls(String),
}

/// Runs a media process until SIGTERM. `on_active` is called once, when this process has become the one that serves.
pub fn serve(mut serving: Serving, on_active: impl FnOnce()) -> Result<(), ServeError> {
    // Keys live in this process: it dies with its supervisor, and leaves no core behind (rule 4).
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(std::io::Error::from)?;
    let random = SystemRandom::default();
    let region = Arc::new(Region::map(serving.region.as_fd(), serving.capacity)?);
    let origin = (boottime(), Instant::now());
    // A standby finds the certificate in the region and builds everything before it waits; the very first process makes it after.
    let prepared = region.header().certificate().map(|pair| setup(pair, origin)).transpose()?;
    say(&mut serving.ready, "standby");
    let fence = Fence::wait(serving.region.as_fd())?;
    let dtls = match prepared {
        Some(dtls) => dtls,
        None => setup(certificate(&region)?, origin)?,
    };
    let config = TransportConfig { candidates: serving.candidates.clone(), dtls };
    let stop = stop_signals()?;
    let mut running = Running::new(region.clone(), config, random, serving.udp, serving.control)?;
    on_active();
    say(&mut serving.ready, "ready");
    running.run(stop.as_fd())?;
    region.header().leave();
    // There is no unlock: the fence falls with the process.
    std::mem::forget(fence);
    Ok(())
}

fn setup((certificate, key): (Vec<u8>, Vec<u8>), origin: (Nanos, Instant)) -> Result<DtlsSetup, ServeError> {
    DtlsSetup::new(certificate, key, origin).map_err(|error| ServeError::Dtls(error.to_string()))
}

fn certificate(region: &Region) -> Result<(Vec<u8>, Vec<u8>), ServeError> {
    if let Some(pair) = region.header().certificate() {
        return Ok(pair);
    }
    let made = DtlsSetup::make_certificate().ok_or_else(|| ServeError::Dtls("no certificate could be made".to_owned()))?;
    region.header().set_certificate(&made.0, &made.1);
    Ok(made)
}

fn say(ready: &mut Option<std::fs::File>, word: &str) {
    if let Some(pipe) = ready {
        // Nobody reads any more: the supervisor is gone, and the death signal is on its way.
        let _ = writeln!(pipe, "{word}");
    }
}

/// Turns SIGTERM and SIGINT into a readable descriptor.
fn stop_signals() -> Result<OwnedFd, ServeError> {
    use std::os::fd::FromRawFd;
    // SAFETY: the set is initialised by sigemptyset before use; signalfd returns a descriptor that nobody else owns.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(ServeError::Io(std::io::Error::last_os_error())),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// What `epoll` says of each descriptor; connections and sockets follow by number.
const STOP: u64 = 0;
const CONTROL: u64 = 1;
const SOCKETS: u64 = 16;
const CONNECTIONS: u64 = 1 << 32;

struct Running {
    node: Node,
    random: SystemRandom,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    sockets: Vec<Udp>,
    control: UnixListener,
    connections: Vec<(u64, Connection)>,
    accepted: u64,
    out: Outbox,
}

impl Running {
    fn new(
        region: Arc<Region>,
        config: TransportConfig,
        random: SystemRandom,
        udp: Vec<OwnedFd>,
        control: UnixListener,
    ) -> std::io::Result<Running> {
        control.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &control, epoll::EventData::new_u64(CONTROL), epoll::EventFlags::IN)?;
        let mut sockets = (0u8..).zip(udp).map(|(index, socket)| Udp::new(socket, index)).collect::<std::io::Result<Vec<_>>>()?;
        for (at, socket) in (SOCKETS..).zip(&sockets) {
            epoll::add(&epoll, socket.fd(), epoll::EventData::new_u64(at), epoll::EventFlags::IN)?;
        }
        let mut out = Outbox::default();
        let node = Node::new(region, config, boottime(), wall(), &mut out);
        if node.takeover() == Takeover::Storm {
            eprintln!("media: the third death in ten seconds: every session is ended");
            // What killed us may still be waiting there (rule 5).
            sockets.iter_mut().for_each(|socket| while socket.receive(|_, _| ()) {});
        }
        let events = Vec::with_capacity(64);
        Ok(Running { node, random, epoll, events, sockets, control, connections: Vec::new(), accepted: CONNECTIONS, out })
    }

    fn run(&mut self, stop: BorrowedFd<'_>) -> std::io::Result<()> {
        epoll::add(&self.epoll, stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        loop {
            let polled = self.node.poll(boottime(), &mut self.random, &mut self.out);
            self.send();
            self.tell();
            self.wait(polled);
            for at in 0..self.events.len() {
                match self.events[at].data.u64() {
                    STOP => return Ok(()),
                    CONTROL => self.accept(),
                    id if id >= CONNECTIONS => self.talk(id),
                    socket => self.receive((socket - SOCKETS) as usize),
                }
            }
            self.send();
        }
    }

    /// Waits for something to do. With more to play it only looks: however large the audience, everyone else gets their turn after
    /// every batch.
    fn wait(&mut self, polled: Polled) {
        let nanos = if polled == Polled::More { 0 } else { self.node.next_deadline().since(boottime()) };
        let timeout = Timespec { tv_sec: (nanos / 1_000_000_000).min(60) as i64, tv_nsec: (nanos % 1_000_000_000) as i64 };
        self.events.clear();
        // An interrupted wait is an early one.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout));
    }

    fn receive(&mut self, at: usize) {
        let Running { node, random, sockets, out, .. } = self;
        let now = boottime();
        // One batch, then timers: a flood must not delay the programme.
        sockets[at].receive(|from, datagram| node.receive(now, random, from, datagram, out));
        self.send();
    }

    fn send(&mut self) {
        if !self.out.is_empty() {
            self.sockets.iter_mut().for_each(|socket| socket.send(&self.out));
            self.out.clear();
        }
    }

    fn accept(&mut self) {
        let Some(connection) = Connection::accept(&self.control).filter(|_| self.connections.len() < MAX_CONNECTIONS) else { return };
        let data = epoll::EventData::new_u64(self.accepted);
        if epoll::add(&self.epoll, connection.fd(), data, epoll::EventFlags::IN).is_ok() {
            self.connections.push((self.accepted, connection));
            self.accepted += 1;
        }
    }

    fn talk(&mut self, id: u64) {
        let Some(at) = self.connections.iter().position(|(other, _)| *other == id) else { return };
        let outcome = self.converse(at).and_then(|()| self.watch(at));
        if let Err(over) = outcome {
            self.cut(at, &over);
        }
    }

    fn converse(&mut self, at: usize) -> Result<(), Over> {
        let Running { node, random, connections, out, .. } = self;
        let (_, connection) = &mut connections[at];
        let now = boottime();
        connection.flush()?;
        let read = connection.read();
        // What was said before the end of a connection still counts.
        while let Some(message) = connection.take()? {
            let reply = match message {
                ToMedia::Hello(_) => Some(node.api_connected(now, std::process::id())),
                message => node.control(now, random, message, out),
            };
            reply.map_or(Ok(()), |reply| connection.write(&reply))?;
        }
        read
    }

    /// Waits for the socket to take more, if something is left.
    fn watch(&mut self, at: usize) -> Result<(), Over> {
        let (id, connection) = &self.connections[at];
        let out = if connection.is_blocked() { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        epoll::modify(&self.epoll, connection.fd(), epoll::EventData::new_u64(*id), epoll::EventFlags::IN | out)
            .map_err(|error| Over(error.to_string()))
    }

    fn cut(&mut self, at: usize, over: &Over) {
        eprintln!("media: an api connection is over: {}", over.0);
        self.connections.swap_remove(at);
        if !self.connections.iter().any(|(_, connection)| connection.is_greeted()) {
            self.node.api_lost(boottime());
        }
    }

    fn tell(&mut self) {
        let facts: Vec<_> = self.node.take_facts().collect();
        if facts.is_empty() {
            return;
        }
        for at in (0..self.connections.len()).rev().filter(|at| self.connections[*at].1.is_greeted()).collect::<Vec<_>>() {
            let told = facts.iter().try_for_each(|fact| self.connections[at].1.write(fact)).and_then(|()| self.watch(at));
            if let Err(over) = told {
                self.cut(at, &over);
            }
        }
    }
}

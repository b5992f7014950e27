//! The media process: waits for the fence, takes over, and runs until told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Instant;

use media_core::dtls::DtlsSetup;
use media_core::messages::ToMedia;
use media_core::node::Node;
use media_core::outbox::Outbox;
use media_core::time::Nanos;
use media_core::transport::TransportConfig;
use media_core::{Fence, Region, RegionError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use thiserror::Error;

use crate::clock::{SystemRandom, boottime, wall};
use crate::control::{Connection, Over};
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
    let node = Node::new(region, config, boottime(), wall());
    let stop = stop_signals()?;
    let mut running = Running::new(node, random, serving.udp, serving.control)?;
    on_active();
    say(&mut serving.ready, "ready");
    running.run(stop.as_fd());
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

struct Running {
    node: Node,
    random: SystemRandom,
    sockets: Vec<Udp>,
    control: UnixListener,
    connections: Vec<Connection>,
    out: Outbox,
}

impl Running {
    fn new(node: Node, random: SystemRandom, udp: Vec<OwnedFd>, control: UnixListener) -> std::io::Result<Running> {
        control.set_nonblocking(true)?;
        let sockets = (0u8..).zip(udp).map(|(index, socket)| Udp::new(socket, index)).collect::<std::io::Result<_>>()?;
        Ok(Running { node, random, sockets, control, connections: Vec::new(), out: Outbox::default() })
    }

    fn run(&mut self, stop: BorrowedFd<'_>) {
        loop {
            let ready = self.wait(stop);
            if ready[0] {
                return;
            }
            if ready[1] && self.connections.len() < MAX_CONNECTIONS {
                self.connections.extend(Connection::accept(&self.control));
            }
            let sockets = self.sockets.len();
            for at in 0..sockets {
                if ready[2 + at] {
                    self.receive(at);
                }
            }
            for at in (0..self.connections.len()).rev() {
                // A connection accepted just now was not polled.
                if ready.get(2 + sockets + at).copied().unwrap_or(false) {
                    self.talk(at);
                }
            }
            self.node.poll(boottime(), &mut self.out);
            self.send();
            self.tell();
        }
    }

    /// Waits for something to do; what is ready, in the order stop, control, sockets, connections.
    fn wait(&self, stop: BorrowedFd<'_>) -> Vec<bool> {
        let mut fds = vec![PollFd::from_borrowed_fd(stop, PollFlags::IN), PollFd::new(&self.control, PollFlags::IN)];
        fds.extend(self.sockets.iter().map(|socket| PollFd::from_borrowed_fd(socket.fd(), PollFlags::IN)));
        fds.extend(self.connections.iter().map(|connection| {
            let out = if connection.is_blocked() { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(connection.fd(), PollFlags::IN | out)
        }));
        let nanos = self.node.next_deadline().since(boottime());
        let timeout = Timespec { tv_sec: (nanos / 1_000_000_000).min(60) as i64, tv_nsec: (nanos % 1_000_000_000) as i64 };
        // An interrupted poll is an early one.
        let _ = poll(&mut fds, Some(&timeout));
        fds.iter().map(|fd| !fd.revents().is_empty()).collect()
    }

    fn receive(&mut self, at: usize) {
        let Running { node, random, sockets, out, .. } = self;
        let now = boottime();
        // One batch, then timers: a flood must not delay the programme.
        sockets[at].receive(|from, datagram| node.receive(now, random, from, datagram, out));
        self.send();
    }

    fn send(&mut self) {
        for socket in &self.sockets {
            socket.send(&self.out);
        }
        self.out.clear();
    }

    fn talk(&mut self, at: usize) {
        let now = boottime();
        let messages = match self.connections[at].flush().and_then(|()| self.connections[at].read()) {
            Ok(messages) => messages,
            Err(over) => return self.cut(at, &over),
        };
        for message in messages {
            let reply = match message {
                ToMedia::Hello(_) => Some(self.node.api_connected(now, std::process::id())),
                message => self.node.control(now, &mut self.random, message, &mut self.out),
            };
            if let Some(Err(over)) = reply.map(|reply| self.connections[at].write(&reply)) {
                return self.cut(at, &over);
            }
        }
    }

    fn cut(&mut self, at: usize, over: &Over) {
        eprintln!("media: an api connection is over: {}", over.0);
        self.connections.swap_remove(at);
        if !self.connections.iter().any(Connection::is_greeted) {
            self.node.api_lost(boottime());
        }
    }

    fn tell(&mut self) {
        let facts: Vec<_> = self.node.take_facts().collect();
        for at in (0..self.connections.len()).rev() {
            let connection = &mut self.connections[at];
            let failed = if connection.is_greeted() { facts.iter().find_map(|fact| connection.write(fact).err()) } else { None };
            if let Some(over) = failed {
                self.cut(at, &over);
            }
        }
    }
}

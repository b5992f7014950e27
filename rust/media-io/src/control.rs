//! The control socket: length-prefixed MessagePack frames with api processes of the same user (protocol/media.md).

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use media_core::messages::{FromMedia, PROTOCOL, ToMedia};

/// The largest frame taken: an SDP offer or a few thousand grants.
const MAX_FRAME: usize = 4 << 20;
/// An api that lets this much pile up is cut off; it comes back and makes up the difference.
const MAX_BACKLOG: usize = 16 << 20;

/// One api process.
pub struct Connection {
    stream: UnixStream,
    arrived: Vec<u8>,
    leaving: Vec<u8>,
    greeted: bool,
}

/// The connection is over: why, for the log.
pub struct Over(pub String);

impl Connection {
    /// The next api that wants to talk, if any; one of another user is turned away.
    pub fn accept(listener: &UnixListener) -> Option<Connection> {
        let (stream, _) = listener.accept().ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
        let same_user = peer.uid == rustix::process::geteuid();
        (same_user && stream.set_nonblocking(true).is_ok()).then(|| Connection {
            stream,
            arrived: Vec::new(),
            leaving: Vec::new(),
            greeted: false,
        })
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether there is something left to write.
    pub fn is_blocked(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Whether it has said hello, and so hears facts.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Reads what has come.
    pub fn read(&mut self) -> Result<Vec<ToMedia>, Over> {
        let mut chunk = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Over("closed".to_owned())),
                Ok(len) => self.arrived.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Over(error.to_string())),
            }
            if self.arrived.len() > MAX_FRAME + 4 {
                break;
            }
        }
        self.frames()
    }

    fn frames(&mut self) -> Result<Vec<ToMedia>, Over> {
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some(prefix) = self.arrived[at..].first_chunk::<4>() {
            let len = u32::from_be_bytes(*prefix) as usize;
            if len > MAX_FRAME {
                return Err(Over("a frame is too large".to_owned()));
            }
            let Some(body) = self.arrived.get(at + 4..at + 4 + len) else { break };
            let message: ToMedia = rmp_serde::from_slice(body).map_err(|error| Over(format!("a frame is not valid: {error}")))?;
            if let ToMedia::Hello(hello) = &message {
                if hello.protocol != PROTOCOL {
                    return Err(Over(format!("it speaks protocol {}, this core {PROTOCOL}", hello.protocol)));
                }
                self.greeted = true;
            } else if !self.greeted {
                return Err(Over("it did not say hello".to_owned()));
            }
            messages.push(message);
            at += 4 + len;
        }
        self.arrived.drain(..at);
        Ok(messages)
    }

    /// Queues a message and writes what the socket takes.
    pub fn write(&mut self, message: &FromMedia) -> Result<(), Over> {
        let body = rmp_serde::to_vec_named(message).map_err(|error| Over(error.to_string()))?;
        self.leaving.extend_from_slice(&(body.len() as u32).to_be_bytes());
        self.leaving.extend_from_slice(&body);
        self.flush()
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<(), Over> {
        while !self.leaving.is_empty() {
            match self.stream.write(&self.leaving) {
                Ok(len) => drop(self.leaving.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Over(error.to_string())),
            }
        }
        if self.leaving.len() > MAX_BACKLOG { Err(Over("it does not read".to_owned())) } else { Ok(()) }
    }
}

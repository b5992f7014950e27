//! The control socket: frames with api processes of the same user.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use media_core::messages::{FromMedia, ToMedia};

use crate::frames::{self, Frames, Over};

/// An api that lets this much pile up is cut off; it comes back and makes up the difference.
const MAX_BACKLOG: usize = 16 << 20;

/// One api process.
pub struct Connection {
    stream: UnixStream,
    frames: Frames,
    leaving: Vec<u8>,
    written: usize,
}

impl Connection {
    /// The next api that wants to talk, if any; one of another user is turned away.
    pub fn accept(listener: &UnixListener) -> Option<Connection> {
        let (stream, _) = listener.accept().ok()?;
        let other = rustix::net::sockopt::socket_peercred(&stream).ok()?;
        let same_user = other.uid == rustix::process::geteuid();
        (same_user && stream.set_nonblocking(true).is_ok()).then(|| Connection {
            stream,
            frames: Frames::default(),
            leaving: Vec::new(),
            written: 0,
        })
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether there is something left to write.
    pub fn is_blocked(&self) -> bool {
        self.written < self.leaving.len()
    }

    /// Whether it has said hello, and so hears facts.
    pub fn is_greeted(&self) -> bool {
        self.frames.is_greeted()
    }

    /// Reads what has come; `take` then gives the messages.
    pub fn read(&mut self) -> Result<(), Over> {
        let mut chunk = [0; 16 * 1024];
        while !self.frames.is_full() {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Over("closed".to_owned())),
                Ok(len) => self.frames.push(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Over(error.to_string())),
            }
        }
        Ok(())
    }

    /// The next message.
    pub fn take(&mut self) -> Result<Option<ToMedia>, Over> {
        self.frames.take()
    }

    /// Queues a message and writes what the socket takes.
    pub fn write(&mut self, message: &FromMedia) -> Result<(), Over> {
        frames::write(message, &mut self.leaving)?;
        self.flush()
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<(), Over> {
        while self.is_blocked() {
            match self.stream.write(&self.leaving[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Over(error.to_string())),
            }
        }
        if !self.is_blocked() || self.written > MAX_BACKLOG / 16 {
            self.leaving.drain(..std::mem::take(&mut self.written));
        }
        if self.leaving.len() > MAX_BACKLOG { Err(Over("it does not read".to_owned())) } else { Ok(()) }
    }
}

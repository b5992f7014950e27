//! The threads that ask for sessions and end them: HTTP is blocking, and joining takes a while.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use media_core::time::Nanos;
use rustix::event::{EventfdFlags, eventfd};

use crate::clock;
use crate::door::{Door, Opened};
use crate::http::{Client, Url};

/// Sessions asked for at the same time.
const THREADS: usize = 8;

/// What a thread is told to do.
pub enum Job {
    /// Join as listener `number`, not before `at`.
    Join {
        /// Which listener.
        number: usize,
        /// When.
        at: Nanos,
    },
    /// End a session.
    Leave(Url),
}

/// What came of a job.
pub enum Done {
    /// Listener `number` was answered, or refused.
    Joined(usize, Result<Box<Opened>, String>),
    /// A session has been ended, or not.
    Left(Result<(), String>),
}

/// The threads, what they are told, and what they say.
pub struct Pool {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    wake: Arc<OwnedFd>,
}

impl Pool {
    /// Starts the threads.
    pub fn start(door: &Door) -> Result<Pool, String> {
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(|error| format!("eventfd: {error}"))?;
        let (wake, (jobs, todo), (said, done)) = (Arc::new(wake), channel(), channel());
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..THREADS {
            let (door, todo, said, wake) = (door.clone(), todo.clone(), said.clone(), wake.clone());
            thread::spawn(move || work(&door, &todo, &said, &wake));
        }
        Ok(Pool { jobs, done, wake })
    }

    /// Readable when something has been done.
    pub fn wake(&self) -> &OwnedFd {
        &self.wake
    }

    /// Adds a job; they begin in order.
    pub fn add(&self, job: Job) {
        // The threads end only with this sender.
        let _ = self.jobs.send(job);
    }

    /// What has been done since the last call.
    pub fn done(&self) -> Vec<Done> {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        self.done.try_iter().collect()
    }

    /// Waits for the next thing done.
    pub fn wait(&self, patience: Duration) -> Option<Done> {
        self.done.recv_timeout(patience).ok()
    }
}

fn work(door: &Door, todo: &Mutex<Receiver<Job>>, said: &Sender<Done>, wake: &OwnedFd) {
    let mut client = Client::default();
    loop {
        let job = todo.lock().map(|todo| todo.recv());
        let done = match job {
            Ok(Ok(Job::Join { number, at })) => {
                thread::sleep(Duration::from_nanos(at.since(clock::now())));
                Done::Joined(number, door.open(&mut client).map(Box::new))
            }
            Ok(Ok(Job::Leave(session))) => Done::Left(door.close(&mut client, &session)),
            _ => return,
        };
        if said.send(done).is_err() {
            return;
        }
        let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
    }
}

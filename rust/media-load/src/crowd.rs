//! All listeners of a run on one thread: who wakes when, what has arrived, who is lost and joins again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use media_core::outbox::Outbox;
use media_core::time::{MILLISECOND, Nanos};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::clock;
use crate::door::{Door, Opened};
use crate::join::{Done, Job, Pool};
use crate::listener::Listener;
use crate::wire::{self, ROOM};

/// Events taken at once.
const EVENTS: usize = 1024;
/// The pool's mark among the listeners' numbers.
const POOL: u64 = u64::MAX;
/// How often a listener whose session was lost joins again.
const REJOINS: u32 = 3;
/// Buckets of the histogram of delays, each a quarter of a millisecond.
const BUCKETS: usize = 4_000;

/// How long datagrams lay in their sockets before the loop took them.
#[derive(Clone)]
pub struct Behind {
    buckets: Vec<u64>,
    /// The longest, in nanoseconds.
    pub longest: u64,
}

impl Default for Behind {
    fn default() -> Behind {
        Behind { buckets: vec![0; BUCKETS], longest: 0 }
    }
}

impl Behind {
    fn add(&mut self, nanos: u64) {
        self.buckets[((nanos * 4 / MILLISECOND) as usize).min(BUCKETS - 1)] += 1;
        self.longest = self.longest.max(nanos);
    }

    /// Milliseconds that a share of the datagrams waited at most, to a quarter.
    pub fn quantile(&self, share: f64) -> f64 {
        let goal = (self.buckets.iter().sum::<u64>() as f64 * share) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen > goal
        });
        bucket.map_or(0.0, |bucket| (bucket + 1) as f64 / 4.0)
    }
}

/// What happened to sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fates {
    /// Listeners given up.
    pub failed: usize,
    /// Sessions lost after they were answered.
    pub expired: u64,
    /// Times that a listener joined again.
    pub reconnects: u64,
}

/// Every listener and what moves them.
pub struct Crowd {
    pool: Pool,
    epoll: OwnedFd,
    /// By number; `None` until answered, or given up.
    pub listeners: Vec<Option<Listener>>,
    rejoins: Vec<u32>,
    closely: usize,
    wakes: BinaryHeap<Reverse<(Nanos, usize)>>,
    events: Vec<epoll::Event>,
    buffer: Box<[u8; ROOM]>,
    out: Outbox,
    /// How far behind the loop was.
    pub behind: Behind,
    /// What happened to sessions.
    pub fates: Fates,
    /// Listeners connected now.
    pub connected: usize,
    /// The last refusal or failure.
    pub fault: Option<String>,
}

impl Crowd {
    /// `count` listeners that all have yet to join, `rate` a second or as fast as they are let in; `closely` of them are the sample.
    pub fn new(door: &Door, count: usize, closely: usize, rate: Option<f64>) -> Result<Crowd, String> {
        wire::allow_sockets(count)?;
        let pool = Pool::start(door)?;
        let said = |error| format!("epoll: {error}");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(said)?;
        epoll::add(&epoll, pool.wake(), epoll::EventData::new_u64(POOL), epoll::EventFlags::IN).map_err(said)?;
        let start = clock::now();
        for number in 0..count {
            let at = rate.map_or(start, |rate| start.after((number as f64 / rate * 1e9) as u64));
            pool.add(Job::Join { number, at });
        }
        Ok(Crowd {
            pool,
            epoll,
            listeners: (0..count).map(|_| None).collect(),
            rejoins: vec![0; count],
            closely: closely.min(count),
            wakes: BinaryHeap::new(),
            events: Vec::with_capacity(EVENTS),
            buffer: Box::new([0; ROOM]),
            out: Outbox::default(),
            behind: Behind::default(),
            fates: Fates::default(),
            connected: 0,
            fault: None,
        })
    }

    /// Whether everybody is connected or given up.
    pub fn settled(&self) -> bool {
        self.connected + self.fates.failed >= self.listeners.len()
    }

    /// One round: a nap, then whatever has arrived or is due.
    pub fn turn(&mut self) -> Result<(), String> {
        thread::sleep(wire::NAP);
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        let events = std::mem::take(&mut self.events);
        for event in &events {
            match event.data.u64() {
                POOL => self.pool.done().into_iter().for_each(|done| self.settle(done)),
                number => self.receive(number as usize),
            }
        }
        self.events = events;
        self.wake_due();
        Ok(())
    }

    fn receive(&mut self, number: usize) {
        let Some(listener) = &mut self.listeners[number] else { return };
        let Ok((len, stamp)) = wire::receive(&listener.socket, &mut self.buffer[..]) else { return };
        let (now, wall) = (clock::now(), clock::wall());
        let waited = if stamp == 0 { 0 } else { wall.saturating_sub(stamp) };
        self.behind.add(waited);
        let arrival = Nanos(now.0.saturating_sub(waited));
        let connected = listener.receive(now, arrival, &mut self.buffer[..len], &mut self.out);
        self.connected += usize::from(connected);
        wire::flush(&listener.socket, &mut self.out);
        let deadline = listener.deadline();
        if deadline < listener.wake {
            listener.wake = deadline;
            self.wakes.push(Reverse((deadline, number)));
        }
    }

    fn wake_due(&mut self) {
        let now = clock::now();
        while let Some(Reverse((at, number))) = self.wakes.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.wakes.pop();
            let Some(listener) = self.listeners[number].as_mut().filter(|listener| listener.wake == at) else { continue };
            if listener.is_over(now) {
                self.lose(number, now);
                continue;
            }
            listener.poll(now, &mut self.out);
            wire::flush(&listener.socket, &mut self.out);
            listener.wake = listener.deadline().max(now.after(MILLISECOND));
            self.wakes.push(Reverse((listener.wake, number)));
        }
    }

    fn lose(&mut self, number: usize, now: Nanos) {
        self.fates.expired += 1;
        if let Some(listener) = &mut self.listeners[number] {
            listener.wake = Nanos::NEVER;
            let counted = listener.times.connected.take();
            self.connected -= usize::from(counted.is_some());
        }
        if self.rejoins[number] < REJOINS {
            self.rejoins[number] += 1;
            self.pool.add(Job::Join { number, at: now });
        } else {
            self.fail(format!("listener {number} was lost {} times", REJOINS + 1));
        }
    }

    fn fail(&mut self, fault: String) {
        self.fates.failed += 1;
        self.fault = Some(fault);
    }

    fn settle(&mut self, done: Done) {
        match done {
            Done::Joined(number, opened) => {
                if let Err(fault) = opened.and_then(|opened| self.admit(number, *opened)) {
                    self.fail(fault);
                }
            }
            Done::Left(left) => self.fault = left.err().or(self.fault.take()),
        }
    }

    fn admit(&mut self, number: usize, opened: Opened) -> Result<(), String> {
        let said = |error: io::Error| format!("a listener's socket: {error}");
        let socket = wire::open(opened.remote, number).map_err(said)?;
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)
            .map_err(|error| said(error.into()))?;
        let listener = Listener::new(opened, socket, number as u64 * 37).ok_or("the answer cannot be used")?;
        let (count, closely) = (self.listeners.len(), self.closely);
        let earlier = self.listeners[number].replace(listener);
        let Some(listener) = &mut self.listeners[number] else { return Ok(()) };
        match earlier {
            Some(earlier) => {
                self.fates.reconnects += 1;
                listener.inherit(earlier);
            }
            // The sample is spread evenly over the crowd.
            None if number * closely / count < (number + 1) * closely / count => {
                listener.listen_closely().map_err(|error| error.to_string())?;
            }
            None => {}
        }
        listener.wake = listener.deadline();
        self.wakes.push(Reverse((listener.wake, number)));
        Ok(())
    }

    /// Ends every session; returns how many could not be ended.
    pub fn leave(&mut self) -> usize {
        let sessions: Vec<_> = self.listeners.iter().flatten().filter_map(|listener| listener.session.clone()).collect();
        let mut left = sessions.len();
        sessions.into_iter().for_each(|session| self.pool.add(Job::Leave(session)));
        let mut faults = 0;
        while left > 0 {
            match self.pool.wait(std::time::Duration::from_secs(35)) {
                Some(Done::Left(done)) => {
                    left -= 1;
                    faults += usize::from(done.is_err());
                    self.fault = done.err().or(self.fault.take());
                }
                Some(Done::Joined(..)) => {}
                None => return faults + left,
            }
        }
        faults
    }
}

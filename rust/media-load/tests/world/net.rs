//! A bad network, from a seed: loss, delay, jitter, reordering, duplication.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use media_core::time::{MILLISECOND, Nanos};
use media_load::speech::Dice;

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    Up,
    Down,
}

/// What the network does to packets of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Share lost.
    pub loss: f64,
    /// Share that arrives twice.
    pub twice: f64,
    /// One-way delay in milliseconds, and how much more it may be. Packets overtake each other.
    pub delay: f64,
    pub jitter: f64,
}

#[derive(Clone)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

pub struct Net {
    pub up: Weather,
    pub down: Weather,
    dice: Dice,
    order: u64,
    queue: BTreeMap<(Nanos, u64), Packet>,
    pub lost: u64,
    /// Whether packets to the server are kept, and those that were.
    pub record_up: bool,
    pub recorded: Vec<Packet>,
}

impl Net {
    pub fn new(seed: u64) -> Net {
        Net {
            up: Weather::default(),
            down: Weather::default(),
            dice: Dice::new(seed),
            order: 0,
            queue: BTreeMap::new(),
            lost: 0,
            record_up: false,
            recorded: Vec::new(),
        }
    }

    pub fn send(&mut self, now: Nanos, from: SocketAddr, to: SocketAddr, bytes: &[u8], path: Path) {
        if self.record_up && path == Path::Up {
            self.recorded.push(Packet { from, to, bytes: bytes.to_vec() });
        }
        let weather = if path == Path::Up { self.up } else { self.down };
        if self.dice.chance(weather.loss) {
            self.lost += 1;
            return;
        }
        let copies = 1 + u32::from(self.dice.chance(weather.twice));
        for _ in 0..copies {
            let delay = weather.delay + f64::from(self.dice.unit()) * weather.jitter;
            self.order += 1;
            let at = now.after((delay * MILLISECOND as f64) as u64);
            self.queue.insert((at, self.order), Packet { from, to, bytes: bytes.to_vec() });
        }
    }

    pub fn next_deadline(&self) -> Nanos {
        self.queue.first_key_value().map_or(Nanos::NEVER, |((at, _), _)| *at)
    }

    pub fn due(&mut self, now: Nanos) -> Option<Packet> {
        let first = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// Nobody reads at `to` until `until`: what arrives before waits in its socket.
    pub fn drop_until(&mut self, to: SocketAddr, until: Nanos) {
        let early: Vec<_> = self.queue.range(..(until, 0)).filter(|(_, packet)| packet.to == to).map(|(key, _)| *key).collect();
        for key in early {
            if let Some(packet) = self.queue.remove(&key) {
                self.queue.insert((until, key.1), packet);
            }
        }
    }
}

//! Leading DTLS handshakes: which session a record belongs to, timers, what may be sent to an unproven address, and what a
//! finished handshake brings.

use media_region::{Address, SessionData};

use crate::dtls::{Handshake, Keys, Progress, Role};
use crate::outbox::Outbox;
use crate::session::{LastFlight, SessionKey, State};
use crate::time::{Nanos, SECOND};
use crate::transport::{Lifecycle, Reason, Transport, UNCONNECTED};

/// How long our last flight is kept, if nothing proves before that it arrived, and how often it is sent again.
const TAIL: u64 = 10 * SECOND;
const REPEATS: u8 = 6;
/// The content types of a repeated flight: ChangeCipherSpec and handshake.
const REPEATED: [u8; 2] = [20, 22];
/// Bytes of DTLS taken from one session before it is done (rule 8).
const MAX_RECEIVED: usize = 64 * 1024;
/// An unproven address is sent at most this many times what it sent, and a ClientHello's worth more: someone else's address on
/// a check must not turn us into an amplifier.
const AMPLIFICATION: usize = 3;
const ALLOWANCE: usize = 1200;

impl Transport {
    /// Takes one DTLS datagram: only from an address that an authentic check came from (rule 6).
    pub(crate) fn dtls(&mut self, now: Nanos, from: Address, datagram: &[u8], out: &mut Outbox) {
        let setup = self.config.dtls.clone();
        let Some((key, session)) = self.at_address(from).and_then(|key| Some((key, self.get_mut(key)?))) else {
            self.counters.dtls_refused += 1;
            return;
        };
        if let State::Pending(pending) = &mut session.state {
            pending.received += datagram.len();
            if pending.received > MAX_RECEIVED {
                return;
            }
            let path = pending.paths.iter_mut().find(|path| (path.address.remote, path.address.socket) == (from.remote, from.socket));
            path.into_iter().for_each(|path| path.received += datagram.len());
            if session.handshake.is_none() {
                session.handshake = Some(Box::new(Handshake::new(&setup, pending.fingerprint, Role::Server, now)));
            }
            self.step(now, key, from, Some(datagram), out);
        } else {
            self.repeat(now, key, from, datagram, out);
        }
    }

    /// The other side repeats its last flight: it has missed ours.
    fn repeat(&mut self, now: Nanos, key: SessionKey, from: Address, datagram: &[u8], out: &mut Outbox) {
        let Some(flight) = self.live_mut(key).and_then(|live| live.last_flight.as_mut()) else { return };
        if flight.left > 0 && flight.until > now && datagram.first().is_some_and(|kind| REPEATED.contains(kind)) {
            flight.left -= 1;
            flight.records.iter().for_each(|record| {
                out.copy(from, record);
            });
        }
    }

    /// Sets the one timer of a session to what is due first.
    pub(crate) fn arm(&mut self, key: SessionKey) {
        let Some(session) = self.get(key) else { return };
        let old = session.timer;
        let timeout = session.handshake.as_ref().map_or(Nanos::NEVER, |handshake| handshake.timeout());
        let new = match &session.state {
            State::Pending(pending) => timeout.min(pending.created.after(UNCONNECTED)),
            State::Live(live) => live.last_flight.as_ref().map_or(Nanos::NEVER, |flight| flight.until),
        };
        if old == new {
            return;
        }
        self.timers.remove(&(old, key));
        if new != Nanos::NEVER {
            self.timers.insert((new, key));
        }
        if let Some(session) = self.get_mut(key) {
            session.timer = new;
        }
    }

    pub(crate) fn fire_timers(&mut self, now: Nanos, out: &mut Outbox) {
        while let Some(&(due, key)) = self.timers.first().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, key));
            let Some(session) = self.get_mut(key) else { continue };
            session.timer = Nanos::NEVER;
            match &mut session.state {
                State::Live(live) => live.last_flight = None,
                State::Pending(pending) if now.since(pending.created) >= UNCONNECTED => {
                    self.happened.push_back(Lifecycle::Down(key, Reason::Unconnected));
                }
                State::Pending(pending) => match pending.paths.last().map(|path| path.address) {
                    Some(to) => self.step(now, key, to, None, out),
                    None => self.arm(key),
                },
            }
        }
    }

    /// The other side has used its keys: it has our last flight.
    pub(crate) fn proven(&mut self, key: SessionKey) {
        if self.live_mut(key).is_some_and(|live| live.last_flight.take().is_some()) {
            self.arm(key);
        }
    }

    /// Lets the engine of a session under construction go on.
    fn step(&mut self, now: Nanos, key: SessionKey, to: Address, datagram: Option<&[u8]>, out: &mut Outbox) {
        let Some(session) = self.get_mut(key) else { return };
        let (State::Pending(pending), Some(handshake)) = (&mut session.state, &mut session.handshake) else { return };
        let mut path = pending.paths.iter_mut().find(|path| path.address == to);
        let mut records = Vec::new();
        let progress = handshake.advance(now, datagram, |record| {
            if let Some(path) = &mut path {
                if path.sent + record.len() > path.received * AMPLIFICATION + ALLOWANCE {
                    return;
                }
                path.sent += record.len();
            }
            records.push(record.to_vec());
            out.copy(to, record);
        });
        match progress {
            Progress::Done(keys) => self.done(now, key, to, &keys, records),
            Progress::Waiting => {}
            Progress::Failed(_) => {
                self.counters.handshakes_failed += 1;
                self.happened.push_back(Lifecycle::Down(key, Reason::Handshake));
            }
            Progress::Closed => self.happened.push_back(Lifecycle::Down(key, Reason::Goodbye)),
        }
        self.arm(key);
    }

    fn done(&mut self, now: Nanos, key: SessionKey, to: Address, keys: &Keys, records: Vec<Vec<u8>>) {
        let Some(session) = self.get_mut(key) else { return };
        session.handshake = None;
        let State::Pending(pending) = &session.state else { return };
        let data = SessionData { profile: keys.profile.code(), send_key: keys.send, receive_key: keys.receive, ..pending.data.clone() };
        self.counters.handshakes += 1;
        let up = self.publish(key, &data, to, now);
        if let Some(live) = self.live_mut(key) {
            live.last_flight = Some(Box::new(LastFlight { records, until: now.after(TAIL), left: REPEATS }));
        }
        self.happened.push_back(if up { Lifecycle::Up(key) } else { Lifecycle::Down(key, Reason::Exhausted) });
    }
}

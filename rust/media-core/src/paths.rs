//! Which address a session's media goes to: ICE checks answered, and addresses validated before anything moves (RFC 8445 §2.5,
//! safety rules 7 and 8).

use std::net::{IpAddr, SocketAddr};

use media_region::Address;

use crate::dtls::{Handshake, Role};
use crate::ice;
use crate::outbox::Outbox;
use crate::random::{Random, bytes};
use crate::session::{Feed, Live, MAX_PATHS, Path, Pending, SessionKey, State, Validation};
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::transport::Transport;

/// An address that has not answered our check within this time may be checked anew.
const VALIDATION: u64 = 500 * MILLISECOND;
/// Addresses of one session under validation at once: copied checks must not keep the true one out.
const MAX_VALIDATIONS: usize = 4;
/// An address on which a live session was heard from within this time is not given to another.
const SETTLED: u64 = 10 * SECOND;
/// Sessions under construction from one address (/64 for IPv6, rule 8).
const MAX_PER_PREFIX: u32 = 1024;

/// What one household has: an IPv4 address, or a /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Prefix(u64);

impl Prefix {
    pub(crate) fn of(ip: IpAddr) -> Prefix {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Prefix(u64::from(u32::from(ip))),
            IpAddr::V6(ip) => Prefix((u128::from(ip) >> 64) as u64),
        }
    }
}

impl Transport {
    /// Takes one STUN datagram.
    pub(crate) fn stun(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &[u8], out: &mut Outbox) {
        let Some(check) = ice::Check::parse(datagram) else {
            let transaction = ice::transaction(datagram);
            let key = transaction.and_then(|transaction| self.by_transaction.get(&transaction)).copied();
            match (key, transaction) {
                (Some(key), Some(transaction)) => self.validated(now, key, from, datagram, &transaction),
                _ => self.counters.stun_refused += 1,
            }
            return;
        };
        let key = self.by_ufrag.get(&check.ours).copied();
        let password = key.and_then(|key| self.password(key, &check.ours));
        let (Some(key), Some(password)) = (key, password.filter(|password| check.verify(password))) else {
            self.counters.stun_refused += 1;
            return;
        };
        if self.checked(now, random, key, from, &check, out) {
            // Never larger than what asked for it: a spoofed check must not pay (rule 8).
            out.push(from, |buffer| check.reply(from.remote, &password, buffer).filter(|len| *len <= datagram.len()));
        }
    }

    fn password(&self, key: SessionKey, ufrag: &[u8; 8]) -> Option<[u8; 24]> {
        if let Some(previous) = self.get(key)?.live().and_then(|live| live.previous.as_ref())
            && previous.ufrag == *ufrag
        {
            return Some(previous.password);
        }
        self.data(key).map(|data| data.password)
    }

    /// An authentic check came from `from`. False if it must not be answered.
    fn checked(
        &mut self,
        now: Nanos,
        random: &mut dyn Random,
        key: SessionKey,
        from: Address,
        check: &ice::Check<'_>,
        out: &mut Outbox,
    ) -> bool {
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return false };
        let State::Live(live) = &mut session.state else { return self.add_path(now, key, from, check.len) };
        if live.previous.as_ref().is_some_and(|previous| previous.ufrag != check.ours) {
            // The restarted credentials are in use: the old ones end here.
            let previous = live.previous.take();
            if let Some(previous) = &previous {
                self.by_ufrag.remove(&previous.ufrag);
            }
        }
        let Some(State::Live(live)) = self.get_mut(key).map(|session| &mut session.state) else { return false };
        if (from.remote, from.socket) == (live.address.remote, live.address.socket) {
            live.nominates = check.nominates;
            live.consent = now;
            region.records()[live.record as usize].set_consent(now.0);
            self.measure(now, random, key, out);
            return true;
        }
        // A multi-homed browser checks every path; where the current one is nominated, only a nomination moves media.
        if !live.nominates || check.nominates {
            self.validate(now, random, key, from, check.nominates, out);
        }
        true
    }

    /// A session under construction was checked from `from`.
    fn add_path(&mut self, now: Nanos, key: SessionKey, from: Address, len: usize) -> bool {
        if !self.may_take(now, key, from) || !self.enter_prefix(key, from) {
            return false;
        }
        let setup = self.config.dtls.clone();
        let Some(session) = self.get_mut(key) else { return false };
        let State::Pending(pending) = &mut session.state else { return false };
        let at = pending.paths.iter().position(|path| (path.address.remote, path.address.socket) == (from.remote, from.socket));
        let mut path = at.map_or(Path { address: from, received: 0, sent: 0 }, |at| pending.paths.remove(at));
        path.received += len;
        let dropped = (pending.paths.len() == MAX_PATHS).then(|| pending.paths.remove(0));
        pending.paths.push(path);
        if pending.client && session.handshake.is_none() {
            session.handshake = Some(Box::new(Handshake::new(&setup, pending.fingerprint, Role::Client, now)));
        }
        if let Some(old) = dropped {
            self.forget_address((old.address.remote, old.address.socket), key);
        }
        self.by_address.insert((from.remote, from.socket), key);
        self.arm(key);
        true
    }

    /// Whether a session under construction may be reached at `from`: not if a live session is heard from there, for a check
    /// can be made by one and sent with another's address.
    fn may_take(&self, now: Nanos, key: SessionKey, from: Address) -> bool {
        let Some(&holder) = self.by_address.get(&(from.remote, from.socket)).filter(|holder| **holder != key) else { return true };
        let live = self.get(holder).and_then(|session| session.live());
        live.is_none_or(|live| now.since(live.consent) >= SETTLED)
    }

    /// Counts a session under construction where its first check came from; false if too many are.
    fn enter_prefix(&mut self, key: SessionKey, from: Address) -> bool {
        let Some(State::Pending(pending)) = self.get(key).map(|session| &session.state) else { return false };
        if !pending.paths.is_empty() {
            return true;
        }
        let count = self.prefixes.entry(Prefix::of(from.remote.ip())).or_default();
        if *count >= MAX_PER_PREFIX {
            return false;
        }
        *count += 1;
        if let Some(State::Pending(pending)) = self.get_mut(key).map(|session| &mut session.state) {
            pending.prefix = Some(Prefix::of(from.remote.ip()));
        }
        true
    }

    pub(crate) fn leave_prefix(&mut self, pending: &Pending) {
        let Some(prefix) = pending.prefix else { return };
        if let Some(count) = self.prefixes.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.prefixes.remove(&prefix);
            }
        }
    }

    /// Asks `to` whether it is the session's: a Binding request with a transaction id that only its answer can carry (rule 7).
    pub(crate) fn validate(
        &mut self,
        now: Nanos,
        random: &mut dyn Random,
        key: SessionKey,
        to: Address,
        nominates: bool,
        out: &mut Outbox,
    ) {
        let Some(live) = self.live_mut(key) else { return };
        let mut over = None;
        if let Some(at) = live.validations.iter().position(|validation| validation.address == to) {
            if now.since(live.validations[at].started) < VALIDATION {
                return;
            }
            over = Some(live.validations.remove(at));
        } else if live.validations.len() == MAX_VALIDATIONS {
            if now.since(live.validations[0].started) < VALIDATION {
                return;
            }
            over = Some(live.validations.remove(0));
        }
        let transaction = bytes(random);
        live.validations.push(Validation { address: to, transaction, started: now, nominates });
        if let Some(over) = &over {
            self.by_transaction.remove(&over.transaction);
        }
        self.by_transaction.insert(transaction, key);
        let Some(data) = self.data(key) else { return };
        let username = format!("{}:{}", text(&data.remote_ufrag), text(&data.ufrag));
        out.push(to, |buffer| ice::request(&transaction, &username, text(&data.remote_password).as_bytes(), buffer));
    }

    /// Asks a speaker's own address, for the time the answer takes.
    pub(crate) fn measure(&mut self, now: Nanos, random: &mut dyn Random, key: SessionKey, out: &mut Outbox) {
        let ingest = self.get(key).is_some_and(|session| session.feed == Feed::Ingest);
        if let Some(live) = self.live_mut(key).filter(|_| ingest) {
            let (address, nominates) = (live.address, live.nominates);
            self.validate(now, random, key, address, nominates, out);
        }
    }

    /// How long a speaker's packets travel, as far as they have let us measure it: half a round trip.
    pub(crate) fn way(&self, key: SessionKey) -> Nanos {
        Nanos(self.get(key).and_then(|session| session.live()).map_or(0, |live| live.round_trip.0 / 2))
    }

    /// A response to our check of a new address came: if it is authentic and from there, media moves.
    fn validated(&mut self, now: Nanos, key: SessionKey, from: Address, datagram: &[u8], transaction: &[u8; 12]) {
        let region = self.region.clone();
        let Some(data) = self.data(key) else { return };
        let Some(live) = self.live_mut(key) else { return };
        let Some(at) = live.validations.iter().position(|validation| validation.transaction == *transaction) else { return };
        let authentic = ice::answers(datagram, transaction, text(&data.remote_password).as_bytes());
        if !authentic || (live.validations[at].address.remote, live.validations[at].address.socket) != (from.remote, from.socket) {
            self.counters.stun_refused += 1;
            return;
        }
        live.round_trip = Nanos(now.since(live.validations[at].started));
        if (from.remote, from.socket) == (live.address.remote, live.address.socket) {
            live.validations.remove(at);
            self.by_transaction.remove(transaction);
            return;
        }
        let nominates = live.validations[at].nominates;
        let over = std::mem::take(&mut live.validations);
        let old = std::mem::replace(&mut live.address, from);
        (live.nominates, live.consent) = (nominates, now);
        let record = &region.records()[live.record as usize];
        record.set_address(from);
        record.set_consent(now.0);
        for over in &over {
            self.by_transaction.remove(&over.transaction);
        }
        self.forget_address((old.remote, old.socket), key);
        self.by_address.insert((from.remote, from.socket), key);
        self.counters.moves += 1;
    }

    pub(crate) fn live_mut(&mut self, key: SessionKey) -> Option<&mut Live> {
        match &mut self.get_mut(key)?.state {
            State::Live(live) => Some(live),
            State::Pending(_) => None,
        }
    }

    /// The session that a packet from `from` belongs to.
    pub(crate) fn at_address(&self, from: Address) -> Option<SessionKey> {
        self.by_address.get::<(SocketAddr, u8)>(&(from.remote, from.socket)).copied()
    }
}

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_an_ipv4_address_or_a_64() {
        let prefix = |text: &str| Prefix::of(text.parse().unwrap());
        assert_eq!(prefix("192.0.2.1"), prefix("::ffff:192.0.2.1"));
        assert_ne!(prefix("192.0.2.1"), prefix("192.0.2.2"));
        assert_eq!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff::9"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
    }
}

//! `media-load listen`: N listeners through a WHEP door, and what reached them.

use std::io::Write;

use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use serde_json::{Value, json};

use crate::clock;
use crate::crowd::{Behind, Crowd};
use crate::door::Door;
use crate::flags::Flags;
use crate::http::Url;
use crate::listener::{Ears, Listener};
use crate::tally::Counts;

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Listen {
    url: Url,
    bearer: Option<String>,
    listeners: usize,
    seconds: f64,
    rate: Option<f64>,
    sample: usize,
    /// Whether the figures are printed as JSON, and no progress.
    pub json: bool,
}

impl Listen {
    /// Takes its flags.
    pub fn of(flags: &mut Flags) -> Result<Listen, String> {
        Ok(Listen {
            url: Url::parse(&flags.must::<String>("url")?)?,
            bearer: flags.maybe("bearer")?,
            listeners: flags.number("listeners", 1.0, 1e6)? as usize,
            seconds: flags.number("seconds", 0.1, 1e6)?,
            rate: flags.maybe("rate")?.map(|rate: f64| (rate > 0.0).then_some(rate).ok_or("--rate must be more than 0")).transpose()?,
            sample: flags.maybe("sample")?.unwrap_or(50),
            json: flags.switch("json"),
        })
    }

    /// Runs it; the figures.
    pub fn run(&self) -> Result<Value, String> {
        let door = Door { url: self.url.clone(), bearer: self.bearer.clone(), dtls: clock::dtls()?, feed: Feed::Programme };
        let started = clock::now();
        let mut crowd = Crowd::new(&door, self.listeners, self.sample, self.rate)?;
        let mut progress = Progress { on: !self.json, next: started.after(SECOND), started, packets: 0 };
        while !crowd.settled() {
            crowd.turn()?;
            progress.show(&crowd);
        }
        if crowd.connected == 0 {
            return Err(crowd.fault.unwrap_or_else(|| "nobody was let in".to_owned()));
        }
        let joining = clock::now().since(started);
        let _ = writeln!(std::io::stderr(), "joined: {} of {} in {:.1} s", crowd.connected, self.listeners, seconds(joining));
        let before = Mark::now(&mut crowd);
        let until = before.at.after((self.seconds * 1e9) as u64);
        while clock::now() < until {
            crowd.turn()?;
            progress.show(&crowd);
        }
        let mut figures = self.figures(&crowd, &before, joining);
        figures["not_ended"] = json!(crowd.leave());
        figures["last_fault"] = json!(crowd.fault);
        Ok(figures)
    }

    fn figures(&self, crowd: &Crowd, before: &Mark, joining: u64) -> Value {
        let listeners: Vec<&Listener> = crowd.listeners.iter().flatten().collect();
        let counts = total(crowd);
        let elapsed = seconds(clock::now().since(before.at));
        let lossy = listeners.iter().filter(|listener| listener.tally.counts().lost > 0).count();
        let octets: u64 = listeners.iter().map(|listener| listener.octets).sum();
        let expected = counts.packets - counts.duplicates + counts.lost;
        json!({
            "listeners": self.listeners,
            "connected": crowd.connected,
            "failed": crowd.fates.failed,
            "expired": crowd.fates.expired,
            "reconnects": crowd.fates.reconnects,
            "joining_seconds": round(seconds(joining), 2),
            "seconds": round(elapsed, 2),
            "answered_ms": spread(&listeners, |listener| Some(listener.times.answered.since(listener.times.asked))),
            "connected_ms": spread(&listeners, |listener| Some(listener.times.connected?.since(listener.times.asked))),
            "join_ms": spread(&listeners, |listener| Some(listener.times.first?.since(listener.times.asked))),
            "packets": counts.packets,
            "packets_per_second": round((counts.packets - before.counts.packets) as f64 / elapsed, 1),
            "bytes_per_packet": round(octets as f64 / counts.packets.max(1) as f64, 1),
            "lost": counts.lost,
            "lost_percent": round(counts.lost as f64 * 100.0 / expected.max(1) as f64, 5),
            "listeners_with_loss": lossy,
            "reordered": counts.reordered,
            "duplicates": counts.duplicates,
            "unheard": listeners.iter().filter(|listener| listener.times.first.is_none()).count(),
            "late_ms": spread(&listeners, |listener| listener.times.first.map(|_| listener.tally.late)),
            "silent_ms": spread(&listeners, |listener| listener.times.first.map(|_| listener.tally.silent)),
            "reports": listeners.iter().map(|listener| listener.reports).sum::<u64>(),
            "sample": sample(&listeners),
            "generator": before.generator(&crowd.behind, elapsed),
        })
    }
}

/// Where things stood when everybody had joined.
struct Mark {
    at: Nanos,
    counts: Counts,
    thread_cpu: u64,
    process_cpu: u64,
    waited: u64,
}

impl Mark {
    /// Now; how far the loop was behind while people joined is forgotten.
    fn now(crowd: &mut Crowd) -> Mark {
        crowd.behind = Behind::default();
        Mark {
            at: clock::now(),
            counts: total(crowd),
            thread_cpu: clock::thread_cpu(),
            process_cpu: clock::process_cpu(),
            waited: clock::waited_for_core(),
        }
    }

    /// What the generator itself needed, and how far behind it was.
    fn generator(&self, behind: &Behind, elapsed: f64) -> Value {
        let percent = |now: u64, before: u64| round(seconds(now - before) / elapsed * 100.0, 1);
        json!({
            "loop_core_percent": percent(clock::thread_cpu(), self.thread_cpu),
            "core_percent": percent(clock::process_cpu(), self.process_cpu),
            "waited_for_core_percent": percent(clock::waited_for_core(), self.waited),
            "behind_ms": { "p50": behind.quantile(0.5), "p99": behind.quantile(0.99), "max": round(milliseconds(behind.longest), 2) },
        })
    }
}

struct Progress {
    on: bool,
    next: Nanos,
    started: Nanos,
    packets: u64,
}

impl Progress {
    fn show(&mut self, crowd: &Crowd) {
        let now = clock::now();
        if now < self.next {
            return;
        }
        self.next = now.after(SECOND);
        if !self.on {
            return;
        }
        let counts = total(crowd);
        let _ = writeln!(
            std::io::stderr(),
            "{:.0} s: {} listening, {} failed, {} packets/s, {} lost, {} expired, at most {:.1} ms behind",
            seconds(now.since(self.started)),
            crowd.connected,
            crowd.fates.failed,
            counts.packets - self.packets,
            counts.lost,
            crowd.fates.expired,
            milliseconds(crowd.behind.longest),
        );
        self.packets = counts.packets;
    }
}

fn total(crowd: &Crowd) -> Counts {
    let mut counts = Counts::default();
    crowd.listeners.iter().flatten().for_each(|listener| counts.add(listener.tally.counts()));
    counts
}

/// What the listeners that opened and decoded everything heard.
fn sample(listeners: &[&Listener]) -> Value {
    let ears: Vec<&Ears> = listeners.iter().filter_map(|listener| listener.ears.as_deref()).collect();
    let rms = |ears: &Ears| decibels((ears.energy / ears.samples.max(1) as f64).sqrt());
    let (energy, samples) = ears.iter().fold((0.0, 0), |(energy, samples), ears| (energy + ears.energy, samples + ears.samples));
    let quietest = ears.iter().map(|ears| rms(ears)).fold(f64::INFINITY, f64::min);
    json!({
        "listeners": ears.len(),
        "decoded": ears.iter().map(|ears| ears.decoded).sum::<u64>(),
        "decode_errors": ears.iter().map(|ears| ears.errors).sum::<u64>(),
        "forged": listeners.iter().map(|listener| listener.forged).sum::<u64>(),
        "peak_dbfs": decibels(ears.iter().map(|ears| f64::from(ears.peak)).fold(0.0, f64::max)),
        "rms_dbfs": decibels((energy / samples.max(1) as f64).sqrt()),
        "quietest_rms_dbfs": if ears.is_empty() { Value::Null } else { json!(quietest) },
    })
}

/// `{"p50", "p95", "max"}` in milliseconds of what some listeners say in nanoseconds; null if none does.
fn spread(listeners: &[&Listener], of: impl Fn(&Listener) -> Option<u64>) -> Value {
    let mut all: Vec<u64> = listeners.iter().filter_map(|listener| of(listener)).collect();
    all.sort_unstable();
    let at = |share: f64| {
        all.get(((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1))).map(|nanos| round(milliseconds(*nanos), 2))
    };
    if all.is_empty() { Value::Null } else { json!({ "p50": at(0.5), "p95": at(0.95), "max": at(1.0) }) }
}

fn decibels(amplitude: f64) -> f64 {
    round(20.0 * amplitude.max(1e-9).log10(), 1)
}

fn milliseconds(nanos: u64) -> f64 {
    nanos as f64 / MILLISECOND as f64
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}

/// To so many digits after the point.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

//! The node's counters and gauges, as `/metrics` names them.

use crate::messages::{FromMedia, Stat, Stats};
use crate::node::Node;
use crate::session::Feed;
use crate::time::Nanos;

impl Node {
    /// Counters and gauges for `/metrics`.
    pub(crate) fn stats(&mut self, request: u64, now: Nanos) -> FromMedia {
        let (transport, counters) = (self.transport.counters, self.counters);
        let (mut concealed, mut late, mut recovered, mut refused) = (0, 0, 0, 0);
        for speaker in self.spaces.values_mut().flat_map(|space| space.speakers().iter()) {
            let voice = speaker.voice.stats();
            concealed += voice.concealed;
            late += voice.late;
            recovered += voice.recovered;
            refused += speaker.refused;
        }
        let stat = |name: &str, value: f64| Stat { name: format!("rostra_media_{name}"), value };
        let stats = vec![
            stat("generation", f64::from(self.region.header().generation())),
            stat("spaces", self.spaces.len() as f64),
            stat("sessions_ingest", self.transport.live_count(Feed::Ingest) as f64),
            stat("sessions_programme", self.transport.live_count(Feed::Programme) as f64),
            stat("sessions_stage", self.transport.live_count(Feed::Stage) as f64),
            stat("sessions_pending", self.transport.pending as f64),
            stat("sessions_slow_profile", self.transport.slow_count() as f64),
            stat("grants_open", self.grants.open(now) as f64),
            stat("packets_out_total", counters.packets_out as f64),
            stat("bytes_out_total", counters.octets_out as f64),
            stat("reports_total", counters.reports as f64),
            stat("reported_loss_total", counters.reported_lost as f64 / 256.0),
            stat("forged_total", transport.forged as f64),
            stat("replayed_total", transport.replayed as f64),
            stat("stun_refused_total", transport.stun_refused as f64),
            stat("dtls_refused_total", transport.dtls_refused as f64),
            stat("handshakes_total", transport.handshakes as f64),
            stat("handshakes_failed_total", transport.handshakes_failed as f64),
            stat("address_moves_total", transport.moves as f64),
            stat("concealed_samples", concealed as f64),
            stat("late_packets", late as f64),
            stat("recovered_frames", recovered as f64),
            stat("refused_packets", refused as f64),
            stat("frames_skipped_total", counters.frames_skipped as f64),
            stat("panics_total", counters.panics as f64),
        ];
        FromMedia::Stats(Stats { request, stats })
    }
}

//! Through a WHIP (RFC 9725) or WHEP door: offer, answer, and the peer that goes on from there.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use media_core::dtls::DtlsSetup;
use media_core::session::Feed;
use media_core::time::Nanos;
use media_load::peer::{Peer, PeerConfig};
use media_load::signal::Answer;

use crate::clock::{self, Entropy};
use crate::http::{Client, Request, Response, Url};

/// How often a server that is busy (429, 503) is asked again.
const TRIES: u32 = 8;

/// What every session of a run has in common.
#[derive(Clone)]
pub struct Door {
    /// Where offers go.
    pub url: Url,
    /// An access token.
    pub bearer: Option<String>,
    /// One certificate for all.
    pub dtls: DtlsSetup,
    /// What is wanted.
    pub feed: Feed,
}

/// A session that has been answered.
pub struct Opened {
    /// Not yet connected.
    pub peer: Peer,
    /// What the server said.
    pub answer: String,
    /// Its first candidate.
    pub remote: SocketAddr,
    /// Where the session is ended.
    pub session: Option<Url>,
    /// When it was first asked for.
    pub asked: Nanos,
    /// When the answer had come.
    pub answered: Nanos,
}

impl Door {
    /// Offers until answered or refused for good.
    pub fn open(&self, client: &mut Client) -> Result<Opened, String> {
        let config = PeerConfig { feed: self.feed, dtls: self.dtls.clone(), setup: "actpass", answers_checks: true, nominates: true };
        let peer = Peer::new(config, &mut Entropy::new());
        let (offer, asked) = (peer.offer(), clock::now());
        let response = self.offer(client, &offer)?;
        let answer = response.text();
        let remote = Answer::parse(&answer).and_then(|answer| answer.candidates.first().copied());
        let remote = remote.ok_or_else(|| format!("the answer is no use: {answer}"))?;
        let session = response.header("location").map(|location| self.url.join(location)).transpose()?;
        Ok(Opened { peer, answer, remote, session, asked, answered: clock::now() })
    }

    fn offer(&self, client: &mut Client, offer: &str) -> Result<Response, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            let response = self.ask(client, "POST", &self.url, offer)?;
            match response.status {
                201 => return Ok(response),
                429 | 503 if tries < TRIES => {
                    let seconds = response.header("retry-after").and_then(|value| value.parse().ok()).unwrap_or(1);
                    thread::sleep(Duration::from_secs(seconds));
                }
                status => return Err(format!("POST {} was answered {status}: {}", self.url.path, response.text().trim())),
            }
        }
    }

    fn ask(&self, client: &mut Client, method: &str, url: &Url, body: &str) -> Result<Response, String> {
        let authorization = self.bearer.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type", "application/sdp")];
        headers.extend(authorization.as_ref().map(|value| ("Authorization", value.as_str())));
        let request = Request { method, url, headers: if body.is_empty() { &headers[1..] } else { &headers }, body };
        client.ask(&request).map_err(|error| format!("{method} {}:{}{}: {error}", url.host, url.port, url.path))
    }

    /// Ends a session. The server may have done so already.
    pub fn close(&self, client: &mut Client, session: &Url) -> Result<(), String> {
        let response = self.ask(client, "DELETE", session, "")?;
        if matches!(response.status, 200 | 204 | 404 | 410) { Ok(()) } else { Err(format!("DELETE was answered {}", response.status)) }
    }
}

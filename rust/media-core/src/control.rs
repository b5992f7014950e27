//! What the api asks of the node, and how it is answered. Denies are true on packets before they are acknowledged (rule 10).

use crate::grants::GrantError;
use crate::messages::{
    Allow, Answered, CloseSession, Deny, Done, FromMedia, OpenSession, PatchSession, Refused, Renew, Session as WireSession, SessionDown,
    SessionUp, ToMedia,
};
use crate::node::Node;
use crate::opening::{Open, OpenError, PatchError};
use crate::outbox::Outbox;
use crate::random::Random;
use crate::session::{Feed, Name, OwnerName, Session, SessionId, SessionKey, SpaceName};
use crate::time::Nanos;

/// A refusal: its code and one sentence.
type Refusal = (&'static str, String);

/// The longest reason kept with a session's end.
const MAX_REASON: usize = 40;

impl Node {
    /// Takes one message of a connected api; replies in order.
    pub fn control(&mut self, now: Nanos, random: &mut dyn Random, message: ToMedia, out: &mut Outbox) -> Option<FromMedia> {
        let (request, outcome) = match message {
            ToMedia::Hello(_) => return None,
            ToMedia::Renew(renew) => {
                self.renew(now, &renew);
                return None;
            }
            ToMedia::GetStats(get) => return Some(self.stats(get.request, now)),
            ToMedia::OpenSession(open) => (open.request, self.open_session(now, random, &open, out)),
            ToMedia::PatchSession(patch) => (patch.request, self.patch_session(random, &patch)),
            ToMedia::CloseSession(close) => (close.request, self.end_session(&close, out)),
            ToMedia::Allow(allow) => (allow.request, self.allow(now, &allow)),
            ToMedia::Deny(deny) => (deny.request, self.deny(&deny, out)),
            ToMedia::CloseSpace(close) => (close.request, self.close_space(&close.space, close.seq, out)),
        };
        Some(match outcome {
            Ok(Some(answered)) => FromMedia::Answered(Answered { request, ..answered }),
            Ok(None) => FromMedia::Done(Done { request }),
            Err((code, detail)) => FromMedia::Refused(Refused { request, code: code.to_owned(), detail }),
        })
    }

    fn open_session(
        &mut self,
        now: Nanos,
        random: &mut dyn Random,
        open: &OpenSession,
        out: &mut Outbox,
    ) -> Result<Option<Answered>, Refusal> {
        let id = SessionId::of_hex(&open.session).ok_or_else(|| invalid("session"))?;
        let (space, owner) = names(&open.space, &open.owner)?;
        let feed = Feed::of_name(&open.feed).ok_or_else(|| invalid("feed"))?;
        if open.csrc > 0x00ff_ffff {
            return Err(invalid("csrc"));
        }
        if self.grants.epoch(space, owner) > open.seq {
            return Err(("stale", "a later decision is in force".to_owned()));
        }
        let old = self.transport.of_owner(space, owner, feed);
        let wish = Open { id, space, owner, feed, csrc: open.csrc, offer: &open.offer };
        let opened = self.transport.open(now, random, &wish).map_err(|error| match error {
            OpenError::Sdp(error) => ("bad_sdp", error.0),
            OpenError::Full => ("overloaded", "there is no room for another session".to_owned()),
        })?;
        let replaced = old.and_then(|key| self.transport.get(key)).map(|session| session.id.hex()).into_iter().collect();
        old.into_iter().for_each(|key| self.close_session(key, "replaced", out));
        Ok(Some(Answered { request: 0, sdp: opened.sdp, etag: opened.etag, replaced }))
    }

    fn patch_session(&mut self, random: &mut dyn Random, patch: &PatchSession) -> Result<Option<Answered>, Refusal> {
        let key = self.find(&patch.session)?;
        let (sdp, etag) = self.transport.patch(random, key, &patch.if_match, &patch.fragment).map_err(|error| match error {
            PatchError::Sdp(error) => ("bad_sdp", error.0),
            PatchError::Required => ("precondition_required", PatchError::Required.to_string()),
            PatchError::Stale => ("precondition_failed", PatchError::Stale.to_string()),
        })?;
        Ok(Some(Answered { request: 0, sdp, etag, replaced: Vec::new() }))
    }

    fn end_session(&mut self, close: &CloseSession, out: &mut Outbox) -> Result<Option<Answered>, Refusal> {
        let key = self.find(&close.session)?;
        let reason: String = close.reason.chars().take(MAX_REASON).collect();
        self.close_session(key, &reason, out);
        Ok(None)
    }

    fn find(&self, session: &str) -> Result<SessionKey, Refusal> {
        let key = SessionId::of_hex(session).and_then(|id| self.transport.by_id(id));
        key.ok_or_else(|| ("session_not_found", "no such session".to_owned()))
    }

    fn allow(&mut self, now: Nanos, allow: &Allow) -> Result<Option<Answered>, Refusal> {
        let (space, owner) = names(&allow.grant.space, &allow.grant.account)?;
        self.grants.allow(space, owner, allow.grant.csrc, allow.grant.seq, now).map(|()| None).map_err(|error| match error {
            GrantError::Stale => ("stale", "a later decision is in force".to_owned()),
            GrantError::Full => ("overloaded", "no room to remember the grant".to_owned()),
        })
    }

    fn deny(&mut self, deny: &Deny, out: &mut Outbox) -> Result<Option<Answered>, Refusal> {
        let (space, owner) = names(&deny.space, &deny.owner)?;
        let scope: &[Feed] = match deny.scope.as_str() {
            "mic" => &[],
            "stage" => &[Feed::Ingest, Feed::Stage],
            "space" => &[Feed::Ingest, Feed::Stage, Feed::Programme],
            _ => return Err(invalid("scope")),
        };
        if !self.grants.deny(space, owner, deny.seq) {
            return Err(("overloaded", "no room to remember the decision".to_owned()));
        }
        if let Some(space) = self.spaces.get_mut(&space) {
            space.close_gate(owner);
        }
        let over: Vec<SessionKey> = scope.iter().filter_map(|feed| self.transport.of_owner(space, owner, *feed)).collect();
        over.into_iter().for_each(|key| self.close_session(key, "denied", out));
        Ok(None)
    }

    fn close_space(&mut self, space: &str, seq: u64, out: &mut Outbox) -> Result<Option<Answered>, Refusal> {
        let space: SpaceName = Name::new(space).ok_or_else(|| invalid("space"))?;
        self.grants.close_space(space, seq);
        let over: Vec<SessionKey> = self.transport.sessions().filter(|(_, session)| session.space == space).map(|(key, _)| key).collect();
        over.into_iter().for_each(|key| self.close_session(key, "ended", out));
        Ok(None)
    }

    fn renew(&mut self, now: Nanos, renew: &Renew) {
        let grants = renew.grants.iter().filter_map(|grant| {
            let (space, owner) = names(&grant.space, &grant.account).ok()?;
            Some((space, owner, grant.csrc, grant.seq))
        });
        self.grants.renew(grants, now);
    }
}

fn names(space: &str, owner: &str) -> Result<(SpaceName, OwnerName), Refusal> {
    Ok((Name::new(space).ok_or_else(|| invalid("space"))?, Name::new(owner).ok_or_else(|| invalid("owner"))?))
}

fn invalid(field: &str) -> Refusal {
    ("invalid", format!("{field} is not valid"))
}

/// A session as the api knows it.
pub(crate) fn wire_session(session: &Session) -> WireSession {
    WireSession {
        id: session.id.hex(),
        space: session.space.text().to_owned(),
        owner: session.owner.text().to_owned(),
        feed: session.feed.name().to_owned(),
        connected: session.is_live(),
    }
}

pub(crate) fn fact_up(session: &Session) -> FromMedia {
    FromMedia::SessionUp(SessionUp { session: wire_session(session) })
}

pub(crate) fn fact_down(session: &Session, reason: &str) -> FromMedia {
    FromMedia::SessionDown(SessionDown { session: wire_session(session), reason: reason.to_owned() })
}

"""People who want everything of a Space, and what must hold whatever they do."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random

from space_script import ANN, BEN, CEM, HOST, Script

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.handle import REACTIONS, handle
from rostra.domain.ids import AccountId, PinId
from rostra.domain.views import concerns, entry_for, snapshot

PEOPLE = (HOST, ANN, BEN, CEM)
CODES = frozenset(
    {"not_permitted", "not_a_speaker", "muted", "removed", "banned", "stage_locked", "account_not_found", "not_live", "ended"}
    | {"stage_full", "no_hand", "no_invite", "conflict", "invalid"}
)
CHANGES: list[dict[str, object]] = [{"title": "New"}, {"topics": ("a",)}, {"who_may_speak": "invited"}, {"who_may_speak": "everyone"}, {}]
FINAL = (c.End, c.Cancel)
SPOKEN_AGAIN = (c.Warn, c.TransferHost)
"""Commands whose repetition is not "already true": a warning is said again, and whoever handed over may not do so twice."""


class Wisher:
    """Thinks of commands, by a ``Random`` that a test gives it."""

    def __init__(self, rng: Random, script: Script) -> None:
        self.rng, self.script = rng, script

    def who(self) -> c.Account:
        return self.rng.choice(PEOPLE)

    def id(self) -> AccountId:
        return self.who().id

    def question(self) -> str:
        return self.rng.choice(["", "asked-1", "asked-2"])

    def secret(self) -> str:
        return self.rng.choice(["", "secret-1", "secret-2"])

    def exclusion(self, kind: type[c.Remove | c.Ban]) -> c.Command:
        minutes = self.rng.choice([None, 1, 30])
        return kind(self.who(), self.secret(), None if minutes is None else self.script.now + timedelta(minutes=minutes))

    def pin(self) -> PinId:
        return PinId(self.rng.choice("pq"))


WISHES: dict[type, Callable[[Wisher], c.Command]] = {
    c.Open: lambda w: c.Open(),
    c.End: lambda w: c.End(),
    c.Cancel: lambda w: c.Cancel(),
    c.UpdateDetails: lambda w: c.UpdateDetails(w.rng.choice(CHANGES)),
    c.RaiseHand: lambda w: c.RaiseHand(w.question()),
    c.LowerHand: lambda w: c.LowerHand(),
    c.ApproveHand: lambda w: c.ApproveHand(w.id()),
    c.DeclineHand: lambda w: c.DeclineHand(w.id(), w.secret()),
    c.InviteToStage: lambda w: c.InviteToStage(w.who()),
    c.AcceptInvite: lambda w: c.AcceptInvite(),
    c.DeclineInvite: lambda w: c.DeclineInvite(),
    c.StepDown: lambda w: c.StepDown(),
    c.MoveToAudience: lambda w: c.MoveToAudience(w.id(), w.secret()),
    c.SetMic: lambda w: c.SetMic(on=w.rng.random() < 0.7),
    c.Mute: lambda w: c.Mute(w.id(), w.secret()),
    c.MuteAll: lambda w: c.MuteAll((w.id(),)),
    c.Unmute: lambda w: c.Unmute(w.id()),
    c.AddCohost: lambda w: c.AddCohost(w.who()),
    c.RemoveCohost: lambda w: c.RemoveCohost(w.id()),
    c.TransferHost: lambda w: c.TransferHost(w.who()),
    c.Remove: lambda w: w.exclusion(c.Remove),
    c.Ban: lambda w: w.exclusion(c.Ban),
    c.Unban: lambda w: c.Unban(w.id()),
    c.Warn: lambda w: c.Warn(w.who(), w.secret()),
    c.LockStage: lambda w: c.LockStage(),
    c.UnlockStage: lambda w: c.UnlockStage(),
    c.Pin: lambda w: c.Pin(w.pin(), w.rng.choice(["https://a", "https://b"])),
    c.Unpin: lambda w: c.Unpin(w.pin()),
    c.React: lambda w: c.React(w.rng.choice([*REACTIONS, "x"])),
}
OFTEN = tuple(kind for kind in WISHES if kind not in FINAL)


class Watched:
    """A Space of which everything that must hold is checked after every command."""

    def __init__(self, seats: int, *, open: bool, who_may_speak: str = "everyone") -> None:
        self.script = Script(seats, open=open, who_may_speak=who_may_speak)
        self.happened: Counter[type] = Counter()
        self._csrc = 1
        self._read = 0

    @property
    def host(self) -> c.Account:
        assert self.script.space.host is not None
        return self.script.space.host

    def do(self, by: c.Account, command: c.Command) -> None:
        """Let someone command, allowed or not, and check everything."""
        space = self.script.space
        before = copy.deepcopy(space)
        try:
            events = handle(space, command, by, self.script.now)
        except Refused as refused:
            assert space == before and refused.code in CODES
            return
        assert space == before, "deciding changes nothing"
        self.script.append(events, by)
        self.happened.update(type(event) for event in events)
        if not isinstance(command, SPOKEN_AGAIN):
            assert handle(space, command, by, self.script.now) == [], "what is true already makes nothing happen"
        self.check()

    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.script.now += timedelta(minutes=minutes)
        self.check()

    def finish(self) -> None:
        """Every story ends, in peace, and can be told again from its log."""
        for last in (c.End(), c.Cancel()):
            self.do(self.host, last)
        assert self.script.space.state in ("ended", "canceled") and self.script.rebuilt() == self.script.space

    def check(self) -> None:
        """Every invariant."""
        self._one_host()
        self._the_stage()
        self._whoever_is_out_has_nothing()
        self._what_is_over_is_quiet()
        self._the_log_tells_no_secrets()

    def _one_host(self) -> None:
        space = self.script.space
        assert self.host.id not in space.cohosts and space.role(self.host.id) == "host"
        mute = space.mutes.get(self.host.id)
        assert mute is None or mute.by == self.host.id, "nobody has power over the host"

    def _the_stage(self) -> None:
        space = self.script.space
        numbers = [seat.number for seat in space.seats.values()]
        assert len(set(numbers)) == len(numbers) <= space.size and set(numbers) <= set(range(1, space.size + 1))
        assert not set(space.seats) & (set(space.hands) | set(space.invites))
        assert space.answering is None or space.answering.account.id in space.seats
        for account, seat in space.seats.items():
            assert not seat.mic or (space.state == "live" and account not in space.mutes)

    def _whoever_is_out_has_nothing(self) -> None:
        space = self.script.space
        holders = {*space.seats, *space.hands, *space.invites, *space.cohosts, self.host.id}
        assert not [account for account in holders if space.excluded(account, self.script.now)]

    def _what_is_over_is_quiet(self) -> None:
        space = self.script.space
        assert space.state in ("scheduled", "live") or not (space.hands or space.invites)
        assert (space.ended_at is not None) == (space.state in ("ended", "canceled"))
        assert (space.started_at is not None) == (space.state in ("live", "ended"))

    def _the_log_tells_no_secrets(self) -> None:
        new, self._read = self.script.log[self._read :], len(self.script.log)
        for entry in new:
            if isinstance(entry.event, e.SpeakerSeated) and entry.seq > 2:
                assert entry.event.csrc > self._csrc, "a csrc is never used again"
                self._csrc = entry.event.csrc
            shown = entry_for(entry, "public")
            told = json.dumps(shown)
            assert "secret-" not in told and ("asked-" not in told or isinstance(entry.event, e.SpeakerSeated))
            assert shown["seq"] == entry.seq and ("redacted" in shown) == ("actor" not in shown) == (entry.event.audience != "public")
            assert concerns(entry, entry.actor)
        view = json.dumps({**snapshot(self.script.space, None, self.script.now, 0), "answering": None})
        assert "secret-" not in view and "asked-" not in view

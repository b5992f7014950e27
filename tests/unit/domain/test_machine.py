"""Anyone commands anything, in any order: no sequence breaks an invariant, and the log alone rebuilds the Space."""

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from space_script import ANN, BEN, CEM, HOST, Script

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.handle import REACTIONS, handle
from rostra.domain.ids import PinId
from rostra.domain.roles import PERMITTED
from rostra.domain.views import concerns, entry_for, snapshot

Make = Callable[[datetime], c.Command]
PEOPLE = st.sampled_from([HOST, ANN, BEN, CEM])
IDS = PEOPLE.map(lambda account: account.id)
QUESTIONS = st.sampled_from(["", "asked-1", "asked-2"])
SECRETS = st.sampled_from(["", "secret-1", "secret-2"])
MINUTES = st.sampled_from([None, 1, 30])
CODES = frozenset(
    {"not_permitted", "not_a_speaker", "muted", "removed", "banned", "stage_locked", "account_not_found", "not_live", "ended"}
    | {"stage_full", "no_hand", "no_invite", "conflict", "invalid"}
)


def _at_any_time(kind: type, *fields: st.SearchStrategy) -> st.SearchStrategy[Make]:
    return st.tuples(*fields).map(lambda values: lambda now: kind(*values))


def _until(kind: type) -> st.SearchStrategy[Make]:
    def make(account: c.Account, reason: str, minutes: int | None) -> Make:
        return lambda now: kind(account, reason, None if minutes is None else now + timedelta(minutes=minutes))

    return st.builds(make, PEOPLE, SECRETS, MINUTES)


CHANGES = st.sampled_from([{"title": "New"}, {"topics": ("a",)}, {"who_may_speak": "invited"}, {"who_may_speak": "everyone"}, {}])
WISHES: dict[type, st.SearchStrategy[Make]] = {
    c.Open: _at_any_time(c.Open),
    c.End: _at_any_time(c.End),
    c.Cancel: _at_any_time(c.Cancel),
    c.UpdateDetails: _at_any_time(c.UpdateDetails, CHANGES),
    c.RaiseHand: _at_any_time(c.RaiseHand, QUESTIONS),
    c.LowerHand: _at_any_time(c.LowerHand),
    c.ApproveHand: _at_any_time(c.ApproveHand, IDS),
    c.DeclineHand: _at_any_time(c.DeclineHand, IDS, SECRETS),
    c.InviteToStage: _at_any_time(c.InviteToStage, PEOPLE),
    c.AcceptInvite: _at_any_time(c.AcceptInvite),
    c.DeclineInvite: _at_any_time(c.DeclineInvite),
    c.StepDown: _at_any_time(c.StepDown),
    c.MoveToAudience: _at_any_time(c.MoveToAudience, IDS, SECRETS),
    c.SetMic: _at_any_time(c.SetMic, st.booleans()),
    c.Mute: _at_any_time(c.Mute, IDS, SECRETS),
    c.MuteAll: _at_any_time(c.MuteAll, st.lists(IDS, max_size=2).map(tuple)),
    c.Unmute: _at_any_time(c.Unmute, IDS),
    c.AddCohost: _at_any_time(c.AddCohost, PEOPLE),
    c.RemoveCohost: _at_any_time(c.RemoveCohost, IDS),
    c.TransferHost: _at_any_time(c.TransferHost, PEOPLE),
    c.Remove: _until(c.Remove),
    c.Ban: _until(c.Ban),
    c.Unban: _at_any_time(c.Unban, IDS),
    c.Warn: _at_any_time(c.Warn, PEOPLE, SECRETS),
    c.LockStage: _at_any_time(c.LockStage),
    c.UnlockStage: _at_any_time(c.UnlockStage),
    c.Pin: _at_any_time(c.Pin, st.sampled_from("pq").map(PinId), st.sampled_from(["https://a", "https://b"])),
    c.Unpin: _at_any_time(c.Unpin, st.sampled_from("pq").map(PinId)),
    c.React: _at_any_time(c.React, st.sampled_from([*REACTIONS, "x"])),
}
OFTEN = st.one_of(*(wish for kind, wish in WISHES.items() if kind not in (c.End, c.Cancel)))
SPOKEN_AGAIN = (c.Warn, c.TransferHost)
"""Commands whose repetition is not "already true": a warning is said again, and whoever handed over may not do so twice."""


class AnySequence(RuleBasedStateMachine):
    """A Space and people who want everything of it."""

    @initialize(
        seats=st.integers(1, 4), open=st.sampled_from([True, True, True, False]), who=st.sampled_from(["everyone", "everyone", "invited"])
    )
    def begin(self, seats: int, *, open: bool, who: str) -> None:
        self.script = Script(seats, open=open, who_may_speak=who)
        self.csrcs = [1]
        self.read = 0

    @rule(by=PEOPLE, wish=OFTEN)
    def command(self, by: c.Account, wish: Make) -> None:
        self._do(by, wish(self.script.now))

    @rule(wish=OFTEN)
    def host_commands(self, wish: Make) -> None:
        self._do(self._host(), wish(self.script.now))

    @rule(who=PEOPLE, question=QUESTIONS, talking=st.booleans())
    def bring_to_the_stage(self, who: c.Account, question: str, *, talking: bool) -> None:
        """The way most go, whole, for single commands find it too seldom."""
        self._do(who, c.RaiseHand(question))
        self._do(self._host(), c.ApproveHand(who.id))
        self._do(who, c.SetMic(on=talking))

    @rule(who=PEOPLE, wish=st.sampled_from([c.Mute, c.MoveToAudience, c.RemoveCohost, c.ApproveHand, c.Unmute]))
    def host_touches(self, who: c.Account, wish: type) -> None:
        self._do(self._host(), wish(who.id))

    @rule(who=PEOPLE, wish=st.sampled_from([c.InviteToStage, c.AddCohost, c.TransferHost]))
    def host_raises(self, who: c.Account, wish: type) -> None:
        self._do(self._host(), wish(who))

    @rule(by=PEOPLE, wish=st.one_of(WISHES[c.End], WISHES[c.Cancel]), chance=st.integers(0, 5))
    def finish(self, by: c.Account, wish: Make, chance: int) -> None:
        if chance == 0:  # Seldom: what is over refuses everything.
            self._do(by, wish(self.script.now))

    @rule(minutes=st.sampled_from([0, 1, 45]))
    def wait(self, minutes: int) -> None:
        self.script.now += timedelta(minutes=minutes)

    def _host(self) -> c.Account:
        assert self.script.space.host is not None
        return self.script.space.host

    def _do(self, by: c.Account, command: c.Command) -> None:
        space = self.script.space
        before = copy.deepcopy(space)
        try:
            events = handle(space, command, by, self.script.now)
        except Refused as refused:
            assert space == before and refused.code in CODES
            return
        assert space == before, "deciding changes nothing"
        self.script.append(events, by)
        if not isinstance(command, SPOKEN_AGAIN):
            assert handle(space, command, by, self.script.now) == [], "what is true already makes nothing happen"

    @invariant()
    def one_host_and_roles_that_exclude_each_other(self) -> None:
        space = self.script.space
        assert space.host is not None and space.host.id not in space.cohosts
        assert space.role(space.host.id) == "host"
        mute = space.mutes.get(space.host.id)
        assert mute is None or mute.by == space.host.id, "nobody has power over the host"

    @invariant()
    def the_stage_has_its_size_and_every_seat_one_number(self) -> None:
        space = self.script.space
        numbers = [seat.number for seat in space.seats.values()]
        assert len(set(numbers)) == len(numbers) <= space.size and set(numbers) <= set(range(1, space.size + 1))
        assert not set(space.seats) & (set(space.hands) | set(space.invites))
        assert space.answering is None or space.answering.account.id in space.seats
        for account, seat in space.seats.items():
            assert not seat.mic or (space.state == "live" and account not in space.mutes)

    @invariant()
    def whoever_is_out_has_nothing(self) -> None:
        space = self.script.space
        assert space.host is not None
        holders = {*space.seats, *space.hands, *space.invites, *space.cohosts, space.host.id}
        assert not [account for account in holders if space.excluded(account, self.script.now)]

    @invariant()
    def what_is_over_is_quiet(self) -> None:
        space = self.script.space
        assert space.state in ("scheduled", "live") or not (space.hands or space.invites)
        assert (space.ended_at is not None) == (space.state in ("ended", "canceled"))
        assert (space.started_at is not None) == (space.state in ("live", "ended"))

    @invariant()
    def the_log_says_it_all_and_tells_no_secrets(self) -> None:
        space, new = self.script.space, self.script.log[self.read :]
        self.read = len(self.script.log)
        for entry in new:
            if isinstance(entry.event, e.SpeakerSeated) and entry.seq > 2:
                assert entry.event.csrc > self.csrcs[-1], "a csrc is never used again"
                self.csrcs.append(entry.event.csrc)
            shown = entry_for(entry, "public")
            told = json.dumps(shown)
            assert "secret-" not in told and ("asked-" not in told or isinstance(entry.event, e.SpeakerSeated))
            assert shown["seq"] == entry.seq and ("redacted" in shown) == ("actor" not in shown) == (entry.event.audience != "public")
            assert concerns(entry, entry.actor)
        view = json.dumps({**snapshot(space, None, self.script.now, 0), "answering": None})
        assert "secret-" not in view and "asked-" not in view

    def teardown(self) -> None:
        if hasattr(self, "script"):
            for last in (c.End(), c.Cancel()):  # Every story ends, and in peace.
                self._do(self._host(), last)
            self.the_stage_has_its_size_and_every_seat_one_number()
            self.what_is_over_is_quiet()
            assert self.script.space.state in ("ended", "canceled") and self.script.rebuilt() == self.script.space


def test_every_command_is_wished_for() -> None:
    assert set(WISHES) == set(PERMITTED)


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)

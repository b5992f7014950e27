"""The rules of a Space, command by command, and as a machine that no sequence of commands can break."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rostra.adapters.codec import decode_event, encode_event
from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.handle import create, handle
from rostra.domain.ids import AccountId, PinId, SpaceId
from rostra.domain.space import Space
from rostra.domain.views import entry_for, snapshot, wire_name

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def person(name: str) -> c.Account:
    return c.Account(AccountId(name), name, name.title(), guest=True)


HOST, ANN, BEN, CEM = (person(name) for name in ("host", "ann", "ben", "cem"))


class Room:
    """A Space and its log, for tests that read as scripts."""

    def __init__(self, seats: int = 3, *, open: bool = True) -> None:
        self.space = Space(SpaceId("s"))
        self.log: list[e.Entry] = []
        self.now = NOW
        self._append(create(c.CreateSpace(c.Details("Title"), seats, open), HOST), HOST)

    def _append(self, events: list[e.Event], by: c.Account) -> None:
        for event in events:
            entry = e.Entry(len(self.log) + 1, self.now, by.id, event)
            self.log.append(entry)
            self.space.apply(entry)

    def do(self, by: c.Account, command: c.Command) -> list[str]:
        events = handle(self.space, command, by, self.now)
        self._append(events, by)
        return [wire_name(type(event)) for event in events]

    def refused(self, by: c.Account, command: c.Command) -> str:
        before = snapshot(self.space, HOST, self.now, 0)
        with pytest.raises(Refused) as refusal:
            handle(self.space, command, by, self.now)
        assert snapshot(self.space, HOST, self.now, 0) == before
        return refusal.value.code

    def seat(self, who: c.Account) -> None:
        self.do(who, c.RaiseHand())
        self.do(HOST, c.ApproveHand(who.id))


def test_a_hand_is_raised_approved_and_heard() -> None:
    room = Room()
    assert room.do(ANN, c.RaiseHand("why?")) == ["hand_raised"]
    assert room.do(ANN, c.RaiseHand("why?")) == []
    assert room.do(HOST, c.ApproveHand(ANN.id)) == ["speaker_seated"]
    assert room.space.role(ANN.id) == "speaker" and not room.space.seats[ANN.id].mic
    assert room.space.answering is not None and room.space.answering.question == "why?"
    assert room.do(ANN, c.SetMic(on=True)) == ["mic_changed"]
    assert room.do(HOST, c.ApproveHand(ANN.id)) == []


def test_a_mute_outlives_the_seat() -> None:
    room = Room()
    room.seat(ANN)
    room.do(ANN, c.SetMic(on=True))
    assert room.do(HOST, c.Mute(ANN.id, "noise")) == ["muted"]
    assert not room.space.seats[ANN.id].mic
    assert room.refused(ANN, c.SetMic(on=True)) == "muted"
    room.do(ANN, c.StepDown())
    room.seat(ANN)
    assert room.refused(ANN, c.SetMic(on=True)) == "muted"
    assert room.do(HOST, c.Unmute(ANN.id)) == ["unmuted"]
    assert not room.space.seats[ANN.id].mic
    assert room.do(ANN, c.SetMic(on=True)) == ["mic_changed"]


def test_a_removal_takes_everything_and_ends_by_itself() -> None:
    room = Room()
    room.seat(ANN)
    room.do(HOST, c.AddCohost(ANN))
    until = NOW + timedelta(minutes=10)
    assert room.do(HOST, c.Remove(ANN, "insults", until)) == ["speaker_unseated", "cohost_removed", "removed"]
    assert room.space.role(ANN.id) == "listener"
    assert room.refused(ANN, c.RaiseHand()) == "removed"
    assert room.refused(HOST, c.InviteToStage(ANN)) == "conflict"
    room.now = until
    assert room.do(ANN, c.RaiseHand()) == ["hand_raised"]


def test_cohosts_touch_neither_the_host_nor_each_other() -> None:
    room = Room()
    for who in (ANN, BEN):
        room.do(HOST, c.AddCohost(who))
    for command in (c.Mute(HOST.id), c.MoveToAudience(HOST.id), c.Remove(HOST, "no"), c.Ban(BEN, "no")):
        if isinstance(command, c.Ban | c.Remove | c.MoveToAudience | c.Mute):
            assert room.refused(ANN, command) == "not_permitted"
    for command in (c.End(), c.TransferHost(ANN), c.AddCohost(CEM), c.RemoveCohost(BEN.id), c.Cancel()):
        assert room.refused(ANN, command) == "not_permitted"


def test_a_full_stage_and_a_locked_one() -> None:
    room = Room(seats=2)
    room.seat(ANN)
    room.do(BEN, c.RaiseHand())
    assert room.refused(HOST, c.ApproveHand(BEN.id)) == "stage_full"
    room.do(HOST, c.MoveToAudience(ANN.id, "time"))
    room.do(HOST, c.LockStage())
    assert room.refused(HOST, c.ApproveHand(BEN.id)) == "stage_locked"
    assert room.refused(ANN, c.RaiseHand()) == "stage_locked"
    assert room.do(HOST, c.LockStage()) == []


def test_the_host_hands_over_before_leaving_the_stage() -> None:
    room = Room()
    assert room.refused(HOST, c.StepDown()) == "conflict"
    assert room.do(HOST, c.TransferHost(ANN)) == ["speaker_seated", "host_transferred"]
    assert (room.space.role(ANN.id), room.space.role(HOST.id)) == ("host", "cohost")
    assert room.do(HOST, c.StepDown()) == ["speaker_unseated"]


def test_before_and_after_it_is_live() -> None:
    room = Room(open=False)
    assert room.refused(ANN, c.RaiseHand()) == "not_live"
    assert room.refused(HOST, c.SetMic(on=True)) == "not_live"
    assert room.do(HOST, c.Open()) == ["space_opened"]
    assert room.refused(HOST, c.Cancel()) == "conflict"
    assert room.do(HOST, c.End()) == ["space_ended"]
    assert room.do(HOST, c.End()) == []
    assert room.refused(ANN, c.RaiseHand()) == "ended"


def test_others_see_that_a_hand_went_up_but_not_whose() -> None:
    room = Room()
    room.do(ANN, c.RaiseHand("secret"))
    shown = entry_for(room.log[-1], "public")
    assert shown == {"seq": len(room.log), "at": "2026-11-24T09:00:00.000Z", "type": "hand_raised", "redacted": True}
    assert entry_for(room.log[-1], "host")["question"] == "secret"
    assert snapshot(room.space, BEN, NOW, 0)["hands"] == [] and snapshot(room.space, BEN, NOW, 0)["hand_count"] == 1


PEOPLE = st.sampled_from([HOST, ANN, BEN, CEM])


class AnySequence(RuleBasedStateMachine):
    """Anyone commands anything: refused commands change nothing, and the invariants of a Space hold."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(seats=2)
        self.csrcs: dict[int, AccountId] = {}

    @rule(
        by=PEOPLE,
        other=PEOPLE,
        pick=st.integers(0, 26),
        minutes=st.sampled_from([None, 1, 60]),
        flag=st.booleans(),
        text=st.sampled_from(["", "why?", "how?"]),
    )
    def command(self, by: c.Account, other: c.Account, pick: int, minutes: int | None, flag: bool, text: str) -> None:
        until = None if minutes is None else self.room.now + timedelta(minutes=minutes)
        choices: list[c.Command] = [
            c.Open(), c.End() if flag and text == "why?" else c.LockStage(), c.Cancel(), c.UpdateDetails({"title": f"T{text}"}), c.RaiseHand(text), c.LowerHand(),
            c.ApproveHand(other.id), c.DeclineHand(other.id, text), c.InviteToStage(other), c.AcceptInvite(), c.DeclineInvite(),
            c.StepDown(), c.MoveToAudience(other.id), c.SetMic(flag), c.Mute(other.id, text), c.MuteAll((other.id,)), c.Unmute(other.id),
            c.AddCohost(other), c.RemoveCohost(other.id), c.TransferHost(other), c.Remove(other, text, until), c.Ban(other, text, until),
            c.Unban(other.id), c.Warn(other, text), c.UnlockStage(), c.Pin(PinId(text), "https://x", text), c.Unpin(PinId(text)),
        ]  # fmt: skip
        before = snapshot(self.room.space, HOST, self.room.now, 0)
        try:
            self.room.do(by, choices[pick])
        except Refused:
            assert snapshot(self.room.space, HOST, self.room.now, 0) == before

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.room.now += timedelta(minutes=minutes)

    @invariant()
    def holds(self) -> None:
        space = self.room.space
        assert space.host is not None and space.host.id not in space.cohosts
        assert len(space.seats) <= space.size
        numbers = [seat.number for seat in space.seats.values()]
        assert len(set(numbers)) == len(numbers)
        for account, seat in space.seats.items():
            assert self.csrcs.setdefault(seat.csrc, account) == account, "a csrc belongs to one person for ever"
            assert not (seat.mic and account in space.mutes)
            assert not space.excluded(account, self.room.now) and account not in space.hands and account not in space.invites
        for account in (*space.hands, *space.invites, *space.cohosts):
            assert not space.excluded(account, self.room.now)

    def teardown(self) -> None:
        rebuilt = Space(SpaceId("s"))
        for entry in self.room.log:
            event = decode_event(*encode_event(entry.event))
            rebuilt.apply(e.Entry(entry.seq, entry.at, entry.actor, event))
        assert rebuilt == self.room.space


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

"""Scheduled, live, ended, canceled; details, pins and reactions."""

import pytest
from space_script import ANN, BEN, HOST, NOW, Script

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.handle import MAX_PINS, MAX_SEATS, REACTIONS, create
from rostra.domain.ids import PinId
from rostra.domain.roles import PERMITTED
from rostra.domain.state import TRANSITIONS, after


def test_the_host_has_a_seat_from_the_start() -> None:
    script = Script(open=False)
    assert [type(entry.event) for entry in script.log] == [e.SpaceCreated, e.SpeakerSeated]
    assert script.space.role(HOST.id) == "host" and script.space.seats[HOST.id].number == 1
    assert (script.space.state, script.space.created_at, script.space.started_at) == ("scheduled", NOW, None)
    assert Script(open=True).space.started_at == NOW


@pytest.mark.parametrize("seats", [0, MAX_SEATS + 1, -1])
def test_a_stage_has_a_size(seats: int) -> None:
    with pytest.raises(Refused, match="invalid"):
        create(c.CreateSpace(c.Details("T"), seats), HOST)


def test_before_during_and_after() -> None:
    script = Script(open=False)
    assert script.refused(HOST, c.End()) == "not_live"
    assert script.refused(HOST, c.SetMic(on=True)) == "not_live" and script.do(HOST, c.SetMic(on=False)) == []
    assert script.refused(ANN, c.Open()) == "not_permitted"
    assert script.do(HOST, c.Open()) == ["space_opened"] and script.do(HOST, c.Open()) == []
    assert script.refused(ANN, c.Open()) == "not_permitted", "already live or not"
    assert script.refused(HOST, c.Cancel()) == "conflict"
    assert script.do(HOST, c.End()) == ["space_ended"] and script.do(HOST, c.End()) == []
    assert script.refused(HOST, c.Open()) == script.refused(HOST, c.Cancel()) == "ended"


def test_canceled_is_over() -> None:
    script = Script(open=False)
    assert script.do(HOST, c.Cancel()) == ["space_canceled"] and script.do(HOST, c.Cancel()) == []
    assert script.space.state == "canceled"
    assert script.refused(HOST, c.Open()) == script.refused(HOST, c.End()) == "ended"


@pytest.mark.parametrize("open", [True, False])
def test_nothing_happens_in_a_space_that_is_over(open: bool) -> None:  # noqa: FBT001
    script = Script(open=open)
    if open:
        script.seat(ANN)
        script.do(ANN, c.SetMic(on=True))
        script.do(BEN, c.RaiseHand())
    script.do(HOST, c.End() if open else c.Cancel())
    assert not script.space.hands and not script.space.invites and not any(seat.mic for seat in script.space.seats.values())
    already = c.End if open else c.Cancel
    for kind in set(PERMITTED) - {already}:
        assert script.refused(HOST, SAMPLES[kind]) == "ended"


SAMPLES: dict[type, c.Command] = {
    type(command): command
    for command in [
        c.Open(), c.End(), c.Cancel(), c.UpdateDetails({"title": "x"}), c.RaiseHand(), c.LowerHand(), c.ApproveHand(ANN.id),
        c.DeclineHand(ANN.id), c.InviteToStage(ANN), c.AcceptInvite(), c.DeclineInvite(), c.StepDown(), c.MoveToAudience(ANN.id),
        c.SetMic(on=False), c.Mute(ANN.id), c.MuteAll(), c.Unmute(ANN.id), c.AddCohost(ANN), c.RemoveCohost(ANN.id), c.TransferHost(ANN),
        c.Remove(ANN, ""), c.Ban(ANN, ""), c.Unban(ANN.id), c.Warn(ANN, ""), c.LockStage(), c.UnlockStage(), c.Pin(PinId("p"), "u"),
        c.Unpin(PinId("p")), c.React("👏"),
    ]
}  # fmt: skip


def test_the_table_of_transitions_is_all_there_is() -> None:
    assert {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values()) == {"none", "scheduled", "live", "ended", "canceled"}
    for state in ("ended", "canceled"):
        for event in (e.SpaceOpened(), e.SpaceEnded(), e.SpaceCanceled()):
            assert after(state, event) == state  # type: ignore[arg-type]


def test_details_change_one_by_one() -> None:
    script = Script()
    assert script.do(HOST, c.UpdateDetails({"title": "Title"})) == [] == script.do(HOST, c.UpdateDetails({}))
    assert script.do(HOST, c.UpdateDetails({"title": "New", "topics": ("a",)})) == ["details_updated"]
    assert (script.space.details.title, script.space.details.topics, script.space.details.description) == ("New", ("a",), "")
    assert script.refused(ANN, c.UpdateDetails({"title": "Mine"})) == "not_permitted"


def test_pins() -> None:
    script = Script(open=False)
    assert script.do(HOST, c.Pin(PinId("p1"), "https://a", "A")) == ["pinned"]
    assert script.do(HOST, c.Pin(PinId("p2"), "https://a", "A")) == [], "it is pinned"
    assert script.do(HOST, c.Pin(PinId("p3"), "https://a", "B")) == ["pinned"]
    assert script.do(HOST, c.Unpin(PinId("p1"))) == ["unpinned"] and script.do(HOST, c.Unpin(PinId("p1"))) == []
    for number in range(MAX_PINS - 1):
        script.do(HOST, c.Pin(PinId(f"q{number}"), f"https://{number}"))
    assert script.refused(HOST, c.Pin(PinId("last"), "https://last")) == "conflict"
    assert script.refused(ANN, c.Unpin(PinId("p3"))) == "not_permitted"


def test_reactions_are_permitted_or_not_but_never_events() -> None:
    script = Script()
    assert all(script.do(ANN, c.React(emoji)) == [] for emoji in REACTIONS)
    assert script.refused(ANN, c.React("x")) == "invalid"

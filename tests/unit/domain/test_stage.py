"""Hands, seats, invites, microphones and mutes, command by command."""

from datetime import timedelta

import pytest
from space_script import ANN, BEN, CEM, DAN, HOST, Script

from rostra.domain import commands as c
from rostra.domain import events as e


def test_a_hand_is_raised_approved_and_heard() -> None:
    script = Script()
    assert script.do(ANN, c.RaiseHand("why?")) == ["hand_raised"]
    assert script.do(ANN, c.RaiseHand("why?")) == []
    assert script.do(HOST, c.ApproveHand(ANN.id)) == ["speaker_seated"]
    assert script.space.role(ANN.id) == "speaker" and not script.space.seats[ANN.id].mic
    assert script.space.answering is not None and script.space.answering.question == "why?"
    assert script.do(ANN, c.SetMic(on=True)) == ["mic_changed"]
    assert script.do(ANN, c.SetMic(on=True)) == []
    assert script.do(HOST, c.ApproveHand(ANN.id)) == []
    assert script.do(ANN, c.RaiseHand()) == [], "whoever has a seat has what a hand asks for"


def test_hands_keep_their_order_when_the_question_changes() -> None:
    script = Script()
    for who in (ANN, BEN, CEM):
        script.do(who, c.RaiseHand("first"))
        script.now += timedelta(minutes=1)
    raised = script.space.hands[ANN.id].raised_at
    assert script.do(ANN, c.RaiseHand("second")) == ["hand_raised"]
    assert list(script.space.hands) == [ANN.id, BEN.id, CEM.id]
    assert (script.space.hands[ANN.id].question, script.space.hands[ANN.id].raised_at) == ("second", raised)
    script.do(ANN, c.LowerHand())
    script.do(ANN, c.RaiseHand("third"))
    assert list(script.space.hands) == [BEN.id, CEM.id, ANN.id], "lowering gives the place up"


def test_a_hand_is_lowered_or_declined() -> None:
    script = Script()
    assert script.do(ANN, c.LowerHand()) == [] and script.do(HOST, c.DeclineHand(ANN.id)) == []
    script.do(ANN, c.RaiseHand())
    assert script.do(HOST, c.DeclineHand(ANN.id, "later")) == ["hand_declined"]
    assert script.refused(HOST, c.ApproveHand(ANN.id)) == "no_hand"
    script.do(ANN, c.RaiseHand())
    assert script.do(ANN, c.LowerHand()) == ["hand_lowered"]
    assert script.refused(ANN, c.ApproveHand(ANN.id)) == "not_permitted"


def test_an_invite_is_accepted_or_declined() -> None:
    script = Script()
    assert script.refused(ANN, c.AcceptInvite()) == "no_invite"
    assert script.do(HOST, c.InviteToStage(ANN)) == ["invited"]
    assert script.do(HOST, c.InviteToStage(ANN)) == []
    assert script.do(ANN, c.DeclineInvite()) == ["invite_declined"] and script.do(ANN, c.DeclineInvite()) == []
    script.do(HOST, c.InviteToStage(ANN))
    assert script.do(ANN, c.AcceptInvite()) == ["speaker_seated"] and script.do(ANN, c.AcceptInvite()) == []
    assert script.do(HOST, c.InviteToStage(ANN)) == []
    assert script.space.answering is None, "no hand was brought up"


def test_by_invitation_only() -> None:
    script = Script(who_may_speak="invited")
    assert script.refused(ANN, c.RaiseHand()) == "not_permitted"
    script.do(HOST, c.InviteToStage(ANN))
    assert script.do(ANN, c.AcceptInvite()) == ["speaker_seated"]


def test_the_question_being_answered_leaves_with_who_asked() -> None:
    script = Script(seats=4)
    for who in (ANN, BEN):
        script.do(who, c.RaiseHand(f"{who.id}?"))
        script.do(HOST, c.ApproveHand(who.id))
    assert script.space.answering is not None and script.space.answering.account == BEN
    script.do(ANN, c.StepDown())
    assert script.space.answering is not None
    script.do(HOST, c.MoveToAudience(BEN.id))
    assert script.space.answering is None


def test_seats_are_numbered_from_the_lowest_free_and_a_csrc_is_never_used_again() -> None:
    script = Script(seats=4)
    script.seat(ANN, BEN, CEM)
    script.do(ANN, c.StepDown())
    script.seat(DAN)
    assert {who: seat.number for who, seat in script.space.seats.items()} == {HOST.id: 1, BEN.id: 3, CEM.id: 4, DAN.id: 2}
    assert [seat.csrc for seat in script.space.seats.values()] == [1, 3, 4, 5]
    script.do(DAN, c.StepDown())
    script.seat(ANN)
    assert script.space.seats[ANN.id].csrc == 6


def test_a_full_stage_and_a_locked_one() -> None:
    script = Script(seats=2)
    script.seat(ANN)
    script.do(BEN, c.RaiseHand())
    script.do(HOST, c.InviteToStage(CEM))
    assert script.refused(HOST, c.ApproveHand(BEN.id)) == "stage_full"
    assert script.refused(CEM, c.AcceptInvite()) == "stage_full"
    script.do(HOST, c.MoveToAudience(ANN.id, "time"))
    assert script.do(HOST, c.LockStage()) == ["stage_locked"] and script.do(HOST, c.LockStage()) == []
    assert script.refused(HOST, c.ApproveHand(BEN.id)) == "stage_locked"
    assert script.refused(ANN, c.RaiseHand()) == "stage_locked"
    assert script.refused(HOST, c.InviteToStage(ANN)) == "stage_locked"
    assert script.refused(CEM, c.AcceptInvite()) == "stage_locked"
    assert script.do(BEN, c.RaiseHand("still here")) == ["hand_raised"], "a hand that is up may change its question"
    assert script.do(HOST, c.UnlockStage()) == ["stage_unlocked"] and script.do(HOST, c.UnlockStage()) == []
    assert script.do(HOST, c.ApproveHand(BEN.id)) == ["speaker_seated"]


def test_a_mute_is_not_the_microphone() -> None:
    script = Script()
    script.seat(ANN)
    assert script.do(HOST, c.Mute(ANN.id, "noise")) == ["muted"], "even with the microphone off"
    assert script.do(HOST, c.Mute(ANN.id, "other")) == []
    assert script.refused(ANN, c.SetMic(on=True)) == "muted" and script.do(ANN, c.SetMic(on=False)) == []
    assert script.do(HOST, c.Unmute(ANN.id)) == ["unmuted"] and script.do(HOST, c.Unmute(ANN.id)) == []
    assert not script.space.seats[ANN.id].mic, "only its owner turns a microphone on"
    script.do(ANN, c.SetMic(on=True))
    script.do(HOST, c.Mute(ANN.id))
    assert not script.space.seats[ANN.id].mic


def test_a_mute_outlives_the_seat() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.Mute(ANN.id, "noise"))
    script.do(ANN, c.StepDown())
    assert script.do(HOST, c.Mute(ANN.id)) == []
    script.do(ANN, c.RaiseHand())
    assert script.do(HOST, c.ApproveHand(ANN.id)) == ["speaker_seated", "muted"], "and the log says so to who came since"
    muted = script.log[-1].event
    assert isinstance(muted, e.Muted) and (muted.by, muted.reason) == (HOST.id, "noise")
    assert script.refused(ANN, c.SetMic(on=True)) == "muted"
    script.do(ANN, c.StepDown())
    assert script.do(HOST, c.Unmute(ANN.id)) == ["unmuted"]
    script.seat(ANN)
    assert script.do(ANN, c.SetMic(on=True)) == ["mic_changed"]


def test_muting_all_spares_hosts_and_the_exempt() -> None:
    script = Script(seats=6)
    script.seat(ANN, BEN, CEM, DAN)
    script.do(HOST, c.AddCohost(DAN))
    script.do(HOST, c.Mute(CEM.id))
    assert script.do(DAN, c.MuteAll((BEN.id,))) == ["muted"]
    assert set(script.space.mutes) == {ANN.id, CEM.id}
    assert script.do(HOST, c.MuteAll((BEN.id,))) == []


def test_without_a_seat() -> None:
    script = Script()
    assert script.refused(ANN, c.SetMic(on=True)) == "not_a_speaker"
    assert script.refused(ANN, c.SetMic(on=False)) == "not_a_speaker"
    assert script.refused(HOST, c.Mute(ANN.id)) == "account_not_found"
    assert script.do(ANN, c.StepDown()) == [] and script.do(HOST, c.MoveToAudience(ANN.id)) == []
    script.do(HOST, c.AddCohost(ANN))
    assert script.refused(ANN, c.SetMic(on=True)) == "not_a_speaker"
    assert script.do(ANN, c.AcceptInvite()) == ["speaker_seated"], "a co-host needs no invite"


def test_moving_someone_tells_the_public_nothing_of_who_did_it() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.AddCohost(BEN))
    script.do(ANN, c.SetMic(on=True))
    assert script.do(BEN, c.MoveToAudience(ANN.id, "time")) == ["speaker_unseated"], "no public event of BEN's beside it"
    assert script.space.role(ANN.id) == "listener"


@pytest.mark.parametrize("command", [c.RaiseHand(), c.ApproveHand(ANN.id), c.Mute(HOST.id), c.LockStage(), c.React("👏"), c.StepDown()])
def test_the_stage_waits_for_the_start(command: c.Command) -> None:
    assert Script(open=False).refused(HOST, command) == "not_live"

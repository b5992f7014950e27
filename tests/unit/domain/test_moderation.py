"""Who has power over whom: roles, transfer, removal and ban, each way round."""

from datetime import timedelta

import pytest
from space_script import ANN, BEN, CEM, DAN, HOST, NOW, Script

from rostra.domain import commands as c
from rostra.domain import events as e

TEN = NOW + timedelta(minutes=10)
HOUR = NOW + timedelta(hours=1)


def test_a_removal_takes_everything_and_ends_by_itself() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.AddCohost(ANN))
    assert script.do(HOST, c.Remove(ANN, "insults", TEN)) == ["speaker_unseated", "cohost_removed", "removed"]
    assert script.space.role(ANN.id) == "listener" and ANN.id not in script.space.seats
    assert script.refused(ANN, c.RaiseHand()) == "removed"
    assert script.refused(HOST, c.InviteToStage(ANN)) == "conflict"
    assert script.refused(HOST, c.AddCohost(ANN)) == script.refused(HOST, c.TransferHost(ANN)) == "conflict"
    script.now = TEN
    assert script.do(ANN, c.RaiseHand()) == ["hand_raised"]
    assert script.do(HOST, c.Unban(ANN.id)) == [], "it has ended already"
    assert script.space.role(ANN.id) == "listener", "what was taken stays taken"


def test_a_removal_takes_hands_and_invites() -> None:
    script = Script()
    script.do(ANN, c.RaiseHand("why?"))
    script.do(HOST, c.InviteToStage(BEN))
    assert script.do(HOST, c.Remove(ANN, "spam")) == ["removed"] and script.do(HOST, c.Ban(BEN, "spam")) == ["banned"]
    assert not script.space.hands and not script.space.invites
    script.do(HOST, c.Unban(BEN.id))
    assert script.refused(BEN, c.AcceptInvite()) == "no_invite"
    assert script.do(HOST, c.ApproveHand(HOST.id)) == [] and script.refused(HOST, c.ApproveHand(ANN.id)) == "no_hand"


def test_whoever_is_out_may_do_nothing_and_is_told_why() -> None:
    script = Script()
    script.do(HOST, c.Ban(ANN, "spam", HOUR))
    for command in (c.RaiseHand(), c.LowerHand(), c.AcceptInvite(), c.React("👏"), c.SetMic(on=False), c.End()):
        assert script.refused(ANN, command) == "banned"
    script.do(HOST, c.End())
    assert script.refused(ANN, c.RaiseHand()) == "banned"


def test_a_ban_may_name_someone_who_never_came() -> None:
    script = Script(open=False)
    assert script.do(HOST, c.Ban(DAN, "known")) == ["banned"]
    script.do(HOST, c.Open())
    assert script.refused(DAN, c.RaiseHand()) == "banned"


def test_unban_lets_back_in_before_the_time() -> None:
    script = Script()
    script.do(HOST, c.Remove(ANN, "spam"))
    assert script.do(HOST, c.Unban(ANN.id)) == ["unbanned"] and script.do(HOST, c.Unban(ANN.id)) == []
    assert script.do(ANN, c.RaiseHand()) == ["hand_raised"]


@pytest.mark.parametrize(
    ("first", "second", "events", "until", "kind"),
    [
        (c.Remove(ANN, "a", TEN), c.Remove(ANN, "b", TEN), [], TEN, "removed"),
        (c.Remove(ANN, "a", HOUR), c.Remove(ANN, "b", TEN), [], HOUR, "removed"),
        (c.Remove(ANN, "a"), c.Remove(ANN, "b", TEN), [], None, "removed"),
        (c.Remove(ANN, "a", TEN), c.Remove(ANN, "b", HOUR), ["removed"], HOUR, "removed"),
        (c.Remove(ANN, "a", TEN), c.Remove(ANN, "b"), ["removed"], None, "removed"),
        (c.Ban(ANN, "a"), c.Remove(ANN, "b", TEN), [], None, "banned"),
        (c.Ban(ANN, "a", TEN), c.Remove(ANN, "b"), ["removed"], None, "removed"),
        (c.Remove(ANN, "a", TEN), c.Ban(ANN, "b", TEN), ["banned"], TEN, "banned"),
        (c.Remove(ANN, "a"), c.Ban(ANN, "b", TEN), ["banned"], None, "banned"),
        (c.Ban(ANN, "a", HOUR), c.Ban(ANN, "b", TEN), [], HOUR, "banned"),
    ],
)
def test_a_second_removal_never_shortens_the_first(
    first: c.Command, second: c.Command, events: list[str], until: object, kind: str
) -> None:
    script = Script()
    script.do(HOST, c.AddCohost(BEN))
    script.do(HOST, first)
    assert script.do(BEN, second) == events
    exclusion = script.space.exclusions[ANN.id]
    assert (exclusion.until, exclusion.kind) == (until, kind)


def test_a_removal_that_is_already_over_is_invalid() -> None:
    assert Script().refused(HOST, c.Remove(ANN, "late", NOW)) == "invalid"


def test_nobody_removes_the_host_or_takes_their_seat() -> None:
    script = Script()
    script.do(HOST, c.AddCohost(ANN))
    script.seat(BEN)
    touching_the_host: list[c.Command] = [
        c.Remove(HOST, "no"),
        c.Ban(HOST, "no"),
        c.Mute(HOST.id),
        c.MoveToAudience(HOST.id),
        c.RemoveCohost(HOST.id),
        c.Warn(HOST, "no"),
    ]
    for by in (ANN, BEN, CEM):
        for command in touching_the_host:
            assert script.refused(by, command) == "not_permitted"
    for command in (c.Remove(HOST, "no"), c.Ban(HOST, "no"), c.MoveToAudience(HOST.id)):
        assert script.refused(HOST, command) == "not_permitted", "not even they themselves"
    assert script.refused(HOST, c.StepDown()) == "conflict"


def test_cohosts_do_not_touch_each_other_nor_what_is_the_hosts() -> None:
    script = Script()
    for who in (ANN, BEN):
        script.do(HOST, c.AddCohost(who))
        script.do(who, c.AcceptInvite())
    on_each_other: list[c.Command] = [c.Mute(BEN.id), c.MoveToAudience(BEN.id), c.Remove(BEN, "no"), c.Ban(BEN, "no"), c.Warn(BEN, "no")]
    the_hosts: list[c.Command] = [c.End(), c.TransferHost(ANN), c.AddCohost(CEM), c.RemoveCohost(BEN.id), c.Cancel(), c.Open()]
    for command in (*on_each_other, *the_hosts):
        assert script.refused(ANN, command) == "not_permitted"
    assert script.do(HOST, c.Remove(BEN, "yes")) == ["speaker_unseated", "cohost_removed", "removed"]


def test_cohosts_run_the_stage() -> None:
    script = Script(seats=4)
    script.do(HOST, c.AddCohost(ANN))
    for who in (BEN, CEM):
        script.do(who, c.RaiseHand())
    assert script.do(ANN, c.ApproveHand(BEN.id)) == ["speaker_seated"]
    assert script.do(ANN, c.DeclineHand(CEM.id)) == ["hand_declined"]
    assert script.do(ANN, c.Mute(BEN.id)) == ["muted"] and script.do(ANN, c.Unmute(BEN.id)) == ["unmuted"]
    assert script.do(ANN, c.UpdateDetails({"title": "New"})) == ["details_updated"]
    assert script.do(ANN, c.Remove(BEN, "spam", TEN)) == ["speaker_unseated", "removed"]


def test_a_cohost_cannot_lift_what_another_host_imposed_on_them() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.Mute(ANN.id))
    script.do(HOST, c.AddCohost(ANN))
    assert script.refused(ANN, c.Unmute(ANN.id)) == "muted" and script.refused(ANN, c.SetMic(on=True)) == "muted"
    assert script.do(HOST, c.Unmute(ANN.id)) == ["unmuted"]
    script.do(ANN, c.Mute(ANN.id))
    assert script.do(ANN, c.Unmute(ANN.id)) == ["unmuted"]


def test_a_cohost_who_loses_the_role_keeps_the_seat() -> None:
    script = Script()
    script.do(HOST, c.AddCohost(ANN))
    assert script.do(HOST, c.AddCohost(ANN)) == [] and script.do(HOST, c.AddCohost(HOST)) == []
    script.do(ANN, c.AcceptInvite())
    script.do(ANN, c.SetMic(on=True))
    assert script.do(HOST, c.RemoveCohost(ANN.id)) == ["cohost_removed"] and script.do(HOST, c.RemoveCohost(ANN.id)) == []
    assert script.space.role(ANN.id) == "speaker" and script.space.seats[ANN.id].mic
    assert script.refused(ANN, c.LockStage()) == "not_permitted"
    script.do(ANN, c.StepDown())
    assert script.refused(ANN, c.AcceptInvite()) == "no_invite"


def test_the_host_hands_over_before_leaving_the_stage() -> None:
    script = Script()
    assert script.do(HOST, c.TransferHost(HOST)) == []
    assert script.do(HOST, c.TransferHost(ANN)) == ["speaker_seated", "host_transferred"]
    assert (script.space.role(ANN.id), script.space.role(HOST.id)) == ("host", "cohost")
    assert script.refused(HOST, c.End()) == "not_permitted"
    assert script.do(HOST, c.StepDown()) == ["speaker_unseated"]
    assert script.do(ANN, c.Remove(HOST, "over")) == ["cohost_removed", "removed"]


def test_handing_over_to_someone_muted_lifts_the_mute_but_not_the_microphone() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.Mute(ANN.id, "noise"))
    assert script.do(HOST, c.TransferHost(ANN)) == ["unmuted", "host_transferred"]
    assert not script.space.seats[ANN.id].mic
    assert script.do(ANN, c.SetMic(on=True)) == ["mic_changed"]


def test_handing_over_to_a_hand_or_a_cohost() -> None:
    script = Script(seats=4)
    script.do(ANN, c.RaiseHand("mine?"))
    script.do(HOST, c.TransferHost(ANN))
    assert not script.space.hands
    script.do(ANN, c.AddCohost(BEN))
    script.do(ANN, c.TransferHost(BEN))
    assert set(script.space.cohosts) == {HOST.id, ANN.id} and script.space.role(BEN.id) == "host"
    script.do(BEN, c.TransferHost(HOST))
    assert set(script.space.cohosts) == {ANN.id, BEN.id}


def test_a_full_or_locked_stage_does_not_keep_a_space_from_changing_hands() -> None:
    script = Script(seats=1)
    script.do(HOST, c.LockStage())
    assert script.do(HOST, c.TransferHost(ANN)) == ["host_transferred"]
    assert script.refused(ANN, c.AcceptInvite()) == "stage_full"
    script.do(ANN, c.MoveToAudience(HOST.id))
    assert script.do(ANN, c.AcceptInvite()) == ["speaker_seated"]
    seated = script.log[-1].event
    assert isinstance(seated, e.SpeakerSeated) and seated.role == "host"


def test_warnings_are_always_said() -> None:
    script = Script()
    assert script.do(HOST, c.Warn(ANN, "please")) == script.do(HOST, c.Warn(ANN, "please")) == ["warned"]
    assert script.refused(ANN, c.Warn(BEN, "you")) == "not_permitted"

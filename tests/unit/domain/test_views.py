"""What whom: redaction of the log, and the snapshot by viewer."""

import json
from datetime import timedelta

from space_script import ANN, BEN, CEM, HOST, NOW, Script

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.views import class_of, concerns, entry_for, entry_whole, plain, snapshot, wire_name, wire_time


def test_others_see_that_a_hand_went_up_but_not_whose() -> None:
    script = Script()
    script.do(ANN, c.RaiseHand("secret"))
    shown = entry_for(script.log[-1], "public")
    assert shown == {"seq": len(script.log), "at": "2026-11-24T09:00:00.654Z", "type": "hand_raised", "redacted": True}
    assert entry_for(script.log[-1], "stage") == shown
    assert entry_for(script.log[-1], "host")["question"] == "secret"
    assert concerns(script.log[-1], ANN.id) and not concerns(script.log[-1], BEN.id) and not concerns(script.log[-1], None)
    assert snapshot(script.space, BEN, NOW, 0)["hands"] == [] and snapshot(script.space, BEN, NOW, 0)["hand_count"] == 1
    assert snapshot(script.space, ANN, NOW, 0)["you"]["hand"]["question"] == "secret"


def test_everyone_reads_the_question_once_it_is_brought_up() -> None:
    script = Script()
    script.do(ANN, c.RaiseHand("why?"))
    script.do(HOST, c.ApproveHand(ANN.id))
    shown = entry_for(script.log[-1], "public")
    assert shown["question"] == "why?" and "redacted" not in shown
    assert snapshot(script.space, None, NOW, 0)["answering"] == {
        "account": plain(ANN),
        "question": "why?",
        "raised_at": shown["raised_at"],
    }


def test_whom_a_sanction_names_and_hosts_see_it_whole_and_others_its_outcome() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.AddCohost(BEN))
    script.do(BEN, c.Mute(ANN.id, "secret"))
    muted = script.log[-1]
    assert entry_for(muted, "public") == {"seq": muted.seq, "at": wire_time(muted.at), "type": "muted", "redacted": True, "account": ANN.id}
    assert concerns(muted, ANN.id) and concerns(muted, BEN.id) and not concerns(muted, HOST.id)
    assert entry_whole(muted)["by"] == BEN.id
    for viewer, mute in (
        (None, {"by": None, "reason": None}),
        (ANN, {"by": BEN.id, "reason": "secret"}),
        (HOST, {"by": BEN.id, "reason": "secret"}),
    ):
        assert snapshot(script.space, viewer, NOW, 0)["stage"][1]["mute"] == mute
    script.do(BEN, c.Unmute(ANN.id))
    assert entry_for(script.log[-1], "public") == {
        "seq": muted.seq + 1,
        "at": wire_time(NOW),
        "type": "unmuted",
        "redacted": True,
        "account": ANN.id,
    }


def test_a_removal_is_for_hosts_and_who_is_removed() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.Remove(ANN, "secret", NOW + timedelta(minutes=5)))
    unseated, removed = script.log[-2:]
    assert entry_for(unseated, "public") == {
        "seq": unseated.seq, "at": wire_time(NOW), "type": "speaker_unseated", "redacted": True, "account": ANN.id, "cause": "removed",
    }  # fmt: skip
    assert entry_for(removed, "public") == {"seq": removed.seq, "at": wire_time(NOW), "type": "removed", "redacted": True}
    assert concerns(removed, ANN.id)
    mine = snapshot(script.space, ANN, NOW, 0)
    assert mine["you"]["removed"] == {"reason": "secret", "until": "2026-11-24T09:05:00.654Z", "kind": "removed"}
    assert mine["you"]["permissions"] == [] and mine["removed"] == []
    assert [one["reason"] for one in snapshot(script.space, HOST, NOW, 0)["removed"]] == ["secret"]
    later = NOW + timedelta(minutes=5)
    assert snapshot(script.space, HOST, later, 0)["removed"] == [] and snapshot(script.space, ANN, later, 0)["you"]["removed"] is None


def test_roles_and_permissions() -> None:
    script = Script()
    script.seat(ANN)
    script.do(HOST, c.AddCohost(BEN))
    by_role = {who: snapshot(script.space, who, NOW, 0)["you"] for who in (HOST, ANN, BEN, CEM)}
    assert [by_role[who]["role"] for who in by_role] == ["host", "speaker", "cohost", "listener"]
    assert [class_of(by_role[who]["role"]) for who in by_role] == ["host", "stage", "host", "public"]
    assert "end" in by_role[HOST]["permissions"] and "end" not in by_role[BEN]["permissions"]
    assert by_role[ANN]["permissions"] == by_role[CEM]["permissions"] == snapshot(script.space, None, NOW, 0)["you"]["permissions"]
    assert [seat["role"] for seat in snapshot(script.space, None, NOW, 0)["stage"]] == ["host", "speaker"]


def test_a_snapshot_is_plain_data() -> None:
    script = Script()
    script.do(ANN, c.RaiseHand("why?"))
    script.do(HOST, c.Remove(BEN, "spam"))
    for viewer in (None, HOST, ANN, BEN):
        view = snapshot(script.space, viewer, NOW, 7)
        assert json.loads(json.dumps(view)) == view and view["listener_count"] == 7


def test_every_event_declares_who_reads_it() -> None:
    public = {kind for kind in e.KINDS if kind.audience == "public"}
    named = {wire_name(kind): kind.visible_to_all for kind in set(e.KINDS) - public if kind.visible_to_all}
    assert named == {"speaker_unseated": ("account", "cause"), "muted": ("account",), "unmuted": ("account",)}
    assert not public & {
        e.HandRaised,
        e.HandLowered,
        e.HandDeclined,
        e.Invited,
        e.InviteDeclined,
        e.Removed,
        e.Banned,
        e.Unbanned,
        e.Warned,
    }

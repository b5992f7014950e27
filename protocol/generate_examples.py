"""Plays scenes in a Space and writes protocol/examples/<scene>.<viewer>.jsonl: a snapshot, what the viewer's event stream then carries,
and the snapshot that follows. A client's reducer is right if it gets from the first line to the last. `--check` only compares.

First line `{"snapshot": …, "underivable": […]}`: names of snapshot fields that this viewer's events cannot tell (dots reach inside). Then
`{"event": …}` as in the stream's `data:`. Last line `{"snapshot": …}`. A viewer who is put out reads no further than that event.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fresh import settle

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.handle import create, handle
from rostra.domain.ids import AccountId, PinId, SpaceId
from rostra.domain.space import Space
from rostra.domain.views import class_of, concerns, entry_for, entry_whole, snapshot

FOLDER = Path(__file__).resolve().parent / "examples"
START = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)


def person(name: str) -> c.Account:
    """An account of an example."""
    return c.Account(AccountId(f"{name.lower()}-id"), f"guest-{name.lower()}", name, guest=True)


HOST, ANN, BEN, CEM, DAN = (person(name) for name in ("Hilde", "Ann", "Ben", "Cem", "Dan"))
VIEWERS: dict[str, c.Account | None] = {"host": HOST, "ann": ANN, "public": None}


@dataclass
class Scene:
    """A Space that is played, and what each viewer gets of it."""

    details: c.Details
    seats: int = 4
    open: bool = True
    space: Space = field(default_factory=lambda: Space(SpaceId("exampLe1")))
    now: datetime = START
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._happen(create(c.CreateSpace(self.details, self.seats, self.open), HOST), HOST)

    def do(self, by: c.Account, *commands: c.Command) -> None:
        """Let someone command; the domain decides, and each must make something happen."""
        for command in commands:
            events = handle(self.space, command, by, self.now)
            assert events, f"{command} changes nothing"
            self._happen(events, by)

    def watch(self) -> None:
        """From here on the viewers watch."""
        for name, viewer in VIEWERS.items():
            hosting = class_of(self.space.role(viewer.id if viewer else None)) == "host"
            # How many hands are up is an aggregate (`counts`): a redacted event does not say whether a hand is new.
            self.lines[name] = [{"snapshot": self._snapshot(viewer), "underivable": [] if hosting else ["hand_count"]}]

    def finish(self) -> None:
        """The viewers who may still read get the last snapshot."""
        for name in VIEWERS.keys() - self.gone:
            self.lines[name].append({"snapshot": self._snapshot(VIEWERS[name])})

    def _happen(self, events: list[e.Event], by: c.Account) -> None:
        entries = [e.Entry(seq, self.now, by.id, event) for seq, event in enumerate(events, self.space.seq + 1)]
        self.now += timedelta(seconds=7, milliseconds=125)
        for entry in entries:
            self.space.apply(entry)
        for entry in entries:
            for name in self.lines.keys() - self.gone:
                self._tell(name, VIEWERS[name], entry)

    def _tell(self, name: str, viewer: c.Account | None, entry: e.Entry) -> None:
        account = viewer.id if viewer else None
        whole = concerns(entry, account)
        self.lines[name].append({"event": entry_whole(entry) if whole else entry_for(entry, class_of(self.space.role(account)))})
        if whole and isinstance(entry.event, e.Removed | e.Banned) and entry.event.account.id == account:
            self.lines[name].append({"snapshot": self._snapshot(viewer)})
            self.gone.add(name)

    def _snapshot(self, viewer: c.Account | None) -> dict[str, Any]:
        return {**snapshot(self.space, viewer, self.now, 3), "on_air": []}


def stage() -> Scene:
    """Hands, seats, invites, microphones and mutes; a mute from before that outlived its seat."""
    scene = Scene(c.Details("Night trains", "Who sleeps where?", "en", ("travel", "railways")))
    scene.do(BEN, c.RaiseHand("Is the buffet car back?"))
    scene.do(HOST, c.ApproveHand(BEN.id), c.Mute(BEN.id, "feedback"), c.MoveToAudience(BEN.id, "until the echo is gone"))
    scene.do(CEM, c.RaiseHand("Where do you change gauge?"))
    scene.watch()
    scene.do(ANN, c.RaiseHand("Why so few?"), c.RaiseHand("Why are there so few?"))
    scene.do(DAN, c.RaiseHand(), c.LowerHand(), c.RaiseHand("Me first"))
    scene.do(HOST, c.DeclineHand(DAN.id, "we have had this one"), c.ApproveHand(ANN.id), c.SetMic(on=True))
    scene.do(ANN, c.SetMic(on=True), c.SetMic(on=False), c.SetMic(on=True))
    scene.do(HOST, c.Mute(ANN.id, "traffic noise"), c.Unmute(ANN.id))
    scene.do(ANN, c.SetMic(on=True))
    scene.do(HOST, c.MoveToAudience(ANN.id, "five minutes are over"), c.ApproveHand(CEM.id))
    scene.do(ANN, c.RaiseHand())
    scene.do(HOST, c.ApproveHand(ANN.id))
    scene.do(ANN, c.StepDown())
    scene.do(HOST, c.InviteToStage(ANN), c.InviteToStage(DAN))
    scene.do(ANN, c.DeclineInvite())
    scene.do(HOST, c.InviteToStage(ANN))
    scene.do(ANN, c.AcceptInvite())
    scene.do(HOST, c.MuteAll((ANN.id,)), c.LockStage(), c.UnlockStage())
    scene.do(CEM, c.StepDown())
    scene.do(BEN, c.RaiseHand("Better now?"))
    scene.do(HOST, c.ApproveHand(BEN.id))
    scene.do(CEM, c.RaiseHand("One more"))
    scene.finish()
    return scene


def moderation() -> Scene:
    """Co-hosts, warnings, removal, ban, unban, and a Space that changes hands twice."""
    scene = Scene(c.Details("Open floor"), seats=5)
    eve = person("Eve")
    scene.do(HOST, c.Ban(eve, "advertising"))
    for who in (ANN, CEM):
        scene.do(who, c.RaiseHand("May I?"))
        scene.do(HOST, c.ApproveHand(who.id))
    scene.watch()
    scene.do(HOST, c.AddCohost(CEM), c.LockStage())
    scene.do(ANN, c.SetMic(on=True))
    scene.do(CEM, c.Warn(ANN, "Please let others finish."), c.Mute(ANN.id, "shouting"))
    scene.do(CEM, c.UnlockStage())
    scene.do(DAN, c.RaiseHand("What happened?"))
    scene.do(CEM, c.Remove(ANN, "insults", scene.now + timedelta(hours=2)))
    scene.do(HOST, c.Ban(DAN, "spam", scene.now + timedelta(days=1)), c.Ban(DAN, "spam, again"), c.Unban(DAN.id), c.Unban(ANN.id))
    scene.do(HOST, c.TransferHost(BEN))
    scene.do(BEN, c.SetMic(on=True), c.RemoveCohost(CEM.id), c.AddCohost(DAN), c.Remove(CEM, "over the line"))
    scene.do(BEN, c.Ban(DAN, "that too"), c.Unban(CEM.id), c.TransferHost(HOST))
    scene.finish()
    return scene


def evening() -> Scene:
    """Scheduled, described, pinned, opened, ended with hands still up."""
    scene = Scene(c.Details("Draft", scheduled_start=START + timedelta(hours=1)), open=False)
    scene.do(HOST, c.Pin(PinId("pin1"), "https://example.org/old", "Old notes"))
    scene.watch()
    scene.do(HOST, c.UpdateDetails({"title": "The long evening", "topics": ("news", "music"), "who_may_speak": "invited"}))
    scene.do(HOST, c.Pin(PinId("pin2"), "https://example.org/notes"), c.Unpin(PinId("pin1")), c.AddCohost(BEN))
    scene.do(BEN, c.UpdateDetails({"description": "Bring tea.", "show_listeners": True}))
    scene.do(HOST, c.Open())
    scene.do(BEN, c.AcceptInvite(), c.SetMic(on=True))
    scene.do(HOST, c.UpdateDetails({"who_may_speak": "everyone"}), c.InviteToStage(CEM))
    scene.do(ANN, c.RaiseHand("Is it late already?"))
    scene.do(DAN, c.RaiseHand())
    scene.do(HOST, c.End())
    scene.finish()
    return scene


def canceled() -> Scene:
    """Scheduled and called off."""
    scene = Scene(c.Details("Maybe", scheduled_start=START + timedelta(days=1)), open=False)
    scene.watch()
    scene.do(HOST, c.UpdateDetails({"scheduled_start": None}), c.Cancel())
    scene.finish()
    return scene


SCENES: tuple[Callable[[], Scene], ...] = (stage, moderation, evening, canceled)


def examples() -> Iterator[tuple[Path, str]]:
    """Every file and what belongs in it."""
    for play in SCENES:
        for viewer, lines in play().lines.items():
            text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
            yield FOLDER / f"{play.__name__}.{viewer}.jsonl", text


def main() -> int:
    made = dict(examples())
    return settle(made, sorted(set(FOLDER.glob("*.jsonl")) - set(made)))


if __name__ == "__main__":
    sys.exit(main())

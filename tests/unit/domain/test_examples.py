"""The examples that other languages are held to: fresh, covering every event, and telling each viewer only what is theirs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rostra.domain import events as e
from rostra.domain.views import wire_name

PROTOCOL = Path(__file__).resolve().parents[3] / "protocol"
FILES = sorted((PROTOCOL / "examples").glob("*.jsonl"))
PRIVATE = ("feedback", "echo is gone", "had this one", "traffic noise", "five minutes", "Me first", "advertising", "let others", "shouting")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_they_are_what_the_domain_makes() -> None:
    checked = subprocess.run([sys.executable, PROTOCOL / "generate_examples.py", "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_they_show_every_event_but_the_first() -> None:
    shown = {line["event"]["type"] for file in FILES if ".host." in file.name for line in lines(file) if "event" in line}
    assert shown == {wire_name(kind) for kind in e.KINDS} - {"space_created"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_seq_comes_once_and_ends_at_the_last_snapshot(file: Path) -> None:
    first, *events, last = lines(file)
    assert [line["event"]["seq"] for line in events] == list(range(first["snapshot"]["seq"] + 1, last["snapshot"]["seq"] + 1))


@pytest.mark.parametrize("file", [file for file in FILES if ".public." in file.name], ids=lambda file: file.stem)
def test_the_public_reads_nothing_private(file: Path) -> None:
    assert not [text for text in PRIVATE if text in file.read_text()]
    host = file.with_name(file.name.replace(".public.", ".host.")).read_text()
    assert any(text in host for text in PRIVATE) or file.stem.startswith(("evening", "canceled")), "the texts are still the examples'"

"""`media-load`: speakers and listeners in Rust, in a process of their own, whose pace does not depend on what a test is doing."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or Path(os.environ.get("ROSTRA_CACHE") or Path.home() / ".cache/rostra") / "target")
LOAD = TARGET / "release" / "media-load"


@contextmanager
def load(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A running `media-load WORDS`; ended on the way out if it still runs."""
    assert LOAD.exists(), f"{LOAD} is missing: run `make load`"
    with subprocess.Popen([LOAD, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def speaking(door: str, token: str, *words: object) -> Iterator[None]:
    """Somebody who speaks at a WHIP door, steadily: `--wav FILE`, `--babble SEED`, `--level DB`."""
    with load("speak", "--url", door, "--bearer", token, "--seconds", 3600, *words) as process:
        wait_for(process.stderr, "^[1-9][0-9]* packets sent")
        yield
        assert process.poll() is None, "the speaker was cut off"


def wait_for(lines: IO[str] | None, pattern: str) -> None:
    """Read until a line says so; a command that ends before is a failure, and what it said is shown."""
    assert lines is not None
    said = []
    for line in lines:
        said.append(line)
        if re.search(pattern, line):
            return
    raise AssertionError("".join(said))


def result(process: subprocess.Popen[str], seconds: float = 120) -> dict[str, Any]:
    """What it found, with `--json`, once it is done."""
    out, fault = process.communicate(timeout=seconds)
    assert process.returncode == 0, fault
    return json.loads(out)

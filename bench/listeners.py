"""Listeners of one Space: loss, media CPU for each packet against the kernel's floor, memory of each, and what a join costs the api.

Media has core 0 to itself, everybody else the last core. Usage: listeners.py [--listeners 1000] [--seconds 30]"""

import argparse
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from common import Person, Server, cpu_seconds, proportional_kib, report, serving

TARGET = os.environ.get("CARGO_TARGET_DIR") or Path(os.environ.get("ROSTRA_CACHE") or Path.home() / ".cache/rostra") / "target"
LOAD = Path(TARGET) / "release" / "media-load"
MEDIA_CORE, OTHER_CORE = 0, (os.cpu_count() or 1) - 1
ALONE_SECONDS = 5


def pin(pid: int, core: int) -> None:
    """Every thread of a process to one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@contextmanager
def load(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A `media-load` command on the other core."""
    command = ["taskset", "-c", str(OTHER_CORE), LOAD, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_for(lines: IO[str] | None, pattern: str) -> None:
    """Read until a line says so; a command that ends before is a failure, and what it said is shown."""
    assert lines is not None
    said = []
    for line in lines:
        said.append(line)
        if re.search(pattern, line):
            return
    raise AssertionError("".join(said))


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, fault = process.communicate(timeout=120)
    assert process.returncode == 0, fault
    return json.loads(out)


def listen(server: Server, space: str, listeners: int, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `media-load listen` says, and what the server needed meanwhile."""
    (media,), (api,) = server.children("media"), server.children("api")
    quiet = cpu_seconds(media)
    time.sleep(ALONE_SECONDS)
    alone = (cpu_seconds(media) - quiet) / ALONE_SECONDS
    memory, joining, media_joining = proportional_kib(media), cpu_seconds(api), cpu_seconds(media)
    with load("listen", "--url", server.door(space, "whep"), "--listeners", listeners, "--seconds", seconds, "--json") as process:
        wait_for(process.stderr, "^joined:")
        joined, media_joined = cpu_seconds(api), cpu_seconds(media)
        began = time.monotonic()
        time.sleep(seconds - 1)
        used, took, full = cpu_seconds(media) - media_joined, time.monotonic() - began, proportional_kib(media)
        heard = result(process)
    packets = heard["packets_per_second"] * took
    return heard, {
        "media_core_percent": round(used / took * 100, 1),
        "media_core_percent_without_listeners": round(alone * 100, 1),
        "media_us_per_packet": round(used / packets * 1e6, 3),
        "media_us_per_packet_beyond_the_mix": round((used - alone * took) / packets * 1e6, 3),
        "media_us_per_listener_second": round(used / took / listeners * 1e6, 1),
        "media_kib_per_listener": round((full - memory) / listeners, 2),
        "media_pss_mib": round(full / 1024, 1),
        "media_cpu_ms_per_join": round((media_joined - media_joining) / listeners * 1000, 2),
        "api_cpu_ms_per_join": round((joined - joining) / listeners * 1000, 2),
    }


def floor(listeners: int, size: float, seconds: float) -> dict[str, Any]:
    """The same packets from the same core by nothing but the kernel."""
    words = ("--listeners", listeners, "--bytes", round(size), "--seconds", seconds, "--cpu", MEDIA_CORE, "--json")
    with load("floor", *words) as process:
        return result(process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with serving() as server:
        for role, pid in server.pids.items():
            pin(pid, MEDIA_CORE if role == "media" else OTHER_CORE)
        host = Person(server.url, "Host")
        space = host.open_space()
        words = ("--url", server.door(space, "whip"), "--bearer", host.token, "--babble", 1, "--seconds", given.seconds + 600)
        with load("speak", *words) as speaker:
            wait_for(speaker.stderr, "^[1-9][0-9]* packets sent")
            heard, needed = listen(server, space, given.listeners, given.seconds)
    kernel = floor(given.listeners, heard["bytes_per_packet"], min(given.seconds, 10))
    ratio = round(needed["media_us_per_packet"] / kernel["cpu_us_per_packet"], 2)
    report("listeners", {**needed, "times_the_floor": ratio, "floor": kernel, "heard": heard})
    assert heard["connected"] == given.listeners and heard["expired"] == 0, "listeners were lost"
    assert heard["sample"]["decode_errors"] == heard["sample"]["forged"] == 0, "packets that no browser could play"


if __name__ == "__main__":
    main()

"""Every measurement, one after the other, and one table of what was found against what must be reached.

Usage: run.py [NAME…] (names of scripts here without .py; all by default) [--table] (only print what bench/results holds)"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPTS = (
    "click_to_audio", "mouth_to_ear", "silence", "loudness", "crash_media", "crash_api", "listeners", "commands", "streams", "idle", "build",
)  # fmt: skip
Line = tuple[str, str, Callable[[dict[str, Any]], str]]
LINES: tuple[Line, ...] = (
    ("click_to_audio", "click → first audio p95 ≤ 400 ms", lambda r: f"{r['p95_ms']} ms (p50 {r['p50_ms']})"),
    ("mouth_to_ear", "mouth to ear, stage p50 ≤ 100 ms", lambda r: f"{r['stage']['p50_ms']} ms (p95 {r['stage']['p95_ms']}, floor {r['floor']['p50_ms']})"),
    ("mouth_to_ear", "mouth to ear, programme p50 ≤ 150 ms", lambda r: f"{r['programme']['p50_ms']} ms (p95 {r['programme']['p95_ms']})"),
    ("silence", "mute → silence ≤ 200 ms", lambda r: f"max {r['mute']['max_ms']} ms (p95 {r['mute']['p95_ms']})"),
    ("silence", "removal → silence ≤ 200 ms", lambda r: f"max {r['remove']['max_ms']} ms (p95 {r['remove']['p95_ms']})"),
    ("loudness", "speakers 20 dB apart within 4 LU", lambda r: f"{r['pairs'][0]['apart_lu']} LU (quieter pairs {', '.join(str(p['apart_lu']) for p in r['pairs'][1:])})"),
    ("loudness", "8 talkers, peaks ≤ −1 dBFS", lambda r: f"{r['peak_dbfs']} dBFS, {r['true_peak_dbtp']} dBTP"),
    ("crash_media", "media killed: hole p95 ≤ 250 ms", lambda r: f"{r['hole_p95_ms']} ms (p50 {r['hole_p50_ms']}, max {r['hole_max_ms']}; {r['kills']} kills)"),
    ("crash_media", "media killed: nobody reconnects", lambda r: f"{sum(r['reconnects'].values())} of {r['listeners']} and two browsers"),
    ("crash_media", "media killed: mutes and removals hold", lambda r: str(r["mutes_and_removals_hold"])),
    ("crash_api", "api killed: gap ≤ 60 ms", lambda r: f"{r['longest_gap_ms']} ms ({r['kills']} kills)"),
    ("crash_api", "api killed: events exact, nothing lost", lambda r: f"{r['events_exact']}, {r['acknowledged_and_lost']} of {r['acknowledged']} lost"),
    ("listeners", "1,000 listeners on one core: loss 0", lambda r: f"{r['heard']['lost']} packets of {r['heard']['packets']}"),
    ("listeners", "CPU a packet, beside the floor", lambda r: f"{r['media_us_per_packet']} µs, {r['times_the_floor']} × {r['floor']['cpu_us_per_packet']} µs"),
    ("listeners", "CPU a listener-second; memory a listener", lambda r: f"{r['media_us_per_listener_second']} µs; {r['media_kib_per_listener']} KiB"),
    ("commands-sqlite", "commands on one Space, SQLite ≥ 200/s", lambda r: f"{r['per_second']}/s (p95 {r['p95_ms']} ms)"),
    ("commands-postgresql", "commands on one Space, PostgreSQL ≥ 200/s", lambda r: f"{r['per_second']}/s (p95 {r['p95_ms']} ms)"),
    ("streams", "1,000 event streams beside commands", lambda r: f"command p95 {r['command_ms']['beside_p95']} ms (alone {r['command_ms']['alone_p95']}), {r['expected'] - r['delivered']} events lost"),
    ("idle", "idle ≤ 1 % of a core, ≤ 400 MB PSS", lambda r: f"{r['core_percent_all']} %, {r['pss_mib_all']} MiB"),
    ("build", "fresh clone serves ≤ 2 minutes, warm caches", lambda r: f"{r['serving_seconds']} s"),
    ("build", "make test ≤ 15 minutes", lambda r: f"{r['test_seconds']} s, passed: {r['test_passed']}"),
)  # fmt: skip


def table() -> str:
    """What the results say, a line each."""
    out = []
    for name, says, found in LINES:
        path = HERE / "results" / f"{name}.json"
        kept = json.loads(path.read_text()) if path.exists() else None
        try:
            shown = "not measured" if kept is None else f"{found(kept)}  [{kept['commit']}, {kept['at'][:16]}]"
        except KeyError:
            shown = "not measured"
        out.append(f"{says:<46} {shown}")
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SCRIPTS])
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    failed = []
    for name in [] if given.table else given.names or SCRIPTS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, HERE / f"{name}.py"], check=False).returncode != 0:
            failed.append(name)
    sys.stdout.write(f"\n{table()}\n" + (f"\nout of bounds or failed: {', '.join(failed)}\n" if failed else ""))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

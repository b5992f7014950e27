"""Every measurement, one after the other, and one table of what was found against what must be reached.

Usage: run.py [NAME…] (names of scripts here without .py; all by default) [--table] (only print what bench/results holds)"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    *("click_to_audio", "mouth_to_ear", "silence", "loudness", "crash_media", "crash_api"),
    *("listeners", "commands", "streams", "idle", "build"),
)
LINES = (
    ("click_to_audio", "click → first audio p95 ≤ 400 ms", "{p95_ms} ms (p50 {p50_ms})"),
    ("mouth_to_ear", "mouth to ear, stage p50 ≤ 100 ms", "{stage[p50_ms]} ms (p95 {stage[p95_ms]}, floor {floor[p50_ms]})"),
    ("mouth_to_ear", "mouth to ear, programme p50 ≤ 150 ms", "{programme[p50_ms]} ms (p95 {programme[p95_ms]})"),
    ("silence", "mute → silence ≤ 200 ms", "max {mute[max_ms]} ms (p95 {mute[p95_ms]})"),
    ("silence", "removal → silence ≤ 200 ms", "max {remove[max_ms]} ms (p95 {remove[p95_ms]})"),
    ("loudness", "speakers 20 dB apart within 4 LU", "{pairs[0][apart_lu]} LU (quieter: {pairs[1][apart_lu]}, {pairs[2][apart_lu]})"),
    ("loudness", "8 talkers, peaks ≤ −1 dBFS", "{peak_dbfs} dBFS, {true_peak_dbtp} dBTP"),
    ("crash_media", "media killed: hole p95 ≤ 250 ms", "{hole_p95_ms} ms (p50 {hole_p50_ms}, max {hole_max_ms}; {kills} kills)"),
    ("crash_media", "media killed: nobody reconnects", "{reconnects} of {listeners} listeners and two browsers"),
    ("crash_media", "media killed: mutes and removals hold", "{mutes_and_removals_hold}"),
    ("crash_api", "api killed: gap ≤ 60 ms", "{longest_gap_ms} ms ({kills} kills)"),
    ("crash_api", "api killed: events exact, nothing lost", "{events_exact}, {acknowledged_and_lost} of {acknowledged} lost"),
    ("listeners", "1,000 listeners on one core: loss 0", "{heard[lost]} packets of {heard[packets]}"),
    ("listeners", "CPU a packet, beside the floor", "{media_us_per_packet} µs, {times_the_floor} × {floor[cpu_us_per_packet]} µs"),
    ("listeners", "CPU a listener-second; memory a listener", "{media_us_per_listener_second} µs; {media_kib_per_listener} KiB"),
    ("commands-sqlite", "commands on one Space, SQLite ≥ 200/s", "{per_second}/s (p95 {p95_ms} ms)"),
    ("commands-postgresql", "commands on one Space, PostgreSQL ≥ 200/s", "{per_second}/s (p95 {p95_ms} ms)"),
    ("streams", "a command beside 1,000 event streams", "p95 {command_ms[beside_p95]} ms (alone {command_ms[alone_p95]})"),
    ("idle", "idle ≤ 1 % of a core, ≤ 400 MB PSS", "{core_percent_all} %, {pss_mib_all} MiB"),
    ("build", "fresh clone serves ≤ 2 minutes, warm caches", "{serving_seconds} s"),
    ("build", "make test ≤ 15 minutes (build.py --test)", "{test_seconds} s, passed: {test_passed}"),
)
"""Result file, what must be reached, and what of the result to show."""


def table() -> str:
    """What the results say, a line each."""
    out = []
    for name, says, shows in LINES:
        path = HERE / "results" / f"{name}.json"
        kept = json.loads(path.read_text()) if path.exists() else None
        try:
            shown = "not measured" if kept is None else f"{shows.format_map(kept)}  [{kept['commit']}, {kept['at'][:16]}]"
        except KeyError:
            shown = "not measured"
        out.append(f"{says:<46} {shown}")
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - set(SCRIPTS):
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
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

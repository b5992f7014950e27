"""What every benchmark shares: a server of its own, CPU and memory of its processes, and results as JSON with machine and commit."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("e2e", "contract")]

from server import Person, Server  # noqa: E402

RESULTS = ROOT / "bench" / "results"
TICKS = os.sysconf("SC_CLK_TCK")
__all__ = ["Person", "Server", "cpu_seconds", "median", "percentile", "proportional_kib", "report", "serving"]


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """A fresh server on free ports with an empty data folder."""
    with TemporaryDirectory(prefix="rostra-bench-") as folder:
        server = Server(Path(folder) / "data", settings).start()
        try:
            yield server
        finally:
            server.stop()


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def proportional_kib(pid: int) -> int:
    """A process's proportional set size."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0…1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def report(name: str, figures: dict[str, Any]) -> None:
    """Print the figures and keep them in ``bench/results/NAME.json`` with where they came from."""
    commit, dirty = _git("rev-parse", "--short", "HEAD"), bool(_git("status", "--porcelain", "-uno"))
    model = next((line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    where = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit + ("+" if dirty else ""),
        "machine": f"{os.cpu_count()} × {model}, Linux {platform.release()}",
        "python": platform.python_version(),
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**where, **figures}, indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    sys.stdout.write(f"{name}: {text}\n")

"""A fresh clone with warm caches: how long until `make serve` serves, and with --test how long `make test` takes.

The clone is of the last commit. Caches are the one folder outside the checkout (ROSTRA_CACHE). Usage: build.py [--test]"""

import argparse
import os
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from common import ROOT, report

# isort: split
from load import wait_for
from server import free_port

BOUND_SERVING_SECONDS, BOUND_TEST_SECONDS = 120, 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="rostra-clone-") as folder:
        clone = Path(folder) / "rostra"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        figures: dict[str, float | bool] = {"serving_seconds": round(serve(clone), 1), "bound_serving_seconds": BOUND_SERVING_SECONDS}
        if given.test:
            started = time.monotonic()
            done = subprocess.run(["make", "test"], cwd=clone, env=environment(clone), check=False)
            figures |= {"test_seconds": round(time.monotonic() - started), "bound_test_seconds": BOUND_TEST_SECONDS}
            figures["test_passed"] = done.returncode == 0
    report("build", figures)
    assert figures["serving_seconds"] <= BOUND_SERVING_SECONDS
    assert figures.get("test_passed", True) and figures.get("test_seconds", 0) <= BOUND_TEST_SECONDS


def environment(clone: Path) -> dict[str, str]:
    """As a stranger has it: nothing of this checkout's own environment."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")}
    return kept | {"ROSTRA_HTTP": f"127.0.0.1:{free_port()}", "ROSTRA_DATA": str(clone.parent / "data")}


def serve(clone: Path) -> float:
    """Seconds until the clone serves its page."""
    started = time.monotonic()
    values = environment(clone)
    make = subprocess.Popen(["make", "serve"], cwd=clone, env=values, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(make.stdout, "^Rostra is ready")
        took = time.monotonic() - started
        page = httpx.get(f"http://{values['ROSTRA_HTTP']}/", timeout=10)
        assert page.status_code == 200 and '<div id="app">' in page.text, page.text
    finally:
        make.send_signal(signal.SIGTERM)
        make.wait(timeout=15)
    return took


if __name__ == "__main__":
    main()

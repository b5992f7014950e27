"""How every generator ends: it writes what is stale, or with `--check` only says so."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def settle(made: Mapping[Path, str], extra: Iterable[Path] = ()) -> int:
    """Make the files ``made`` hold their texts and the ``extra`` ones not be there; the exit status."""
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    gone = list(extra)
    if "--check" in sys.argv:
        for path in (*stale, *gone):
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make generate`\n")
        return 1 if stale or gone else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
    for path in gone:
        path.unlink()
    return 0

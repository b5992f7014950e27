"""Which files are ours: everything that git knows or would take, by language, with generated files told apart by their mark."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "do not edit"
"""What a generated file says in its first lines."""


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Our source files that end so, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    names = sorted({name for name in listed.stdout.decode().split("\0") if name.endswith(suffixes)})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


def is_generated(path: Path) -> bool:
    """Whether a tool wrote it."""
    return any(MARK in line for line in text(path).splitlines()[:5])

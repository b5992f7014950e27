"""Imports point one way, in Python and on the page."""

import re
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from sources import ROOT, files, text

IMPORT = re.compile(r"""(?:^|\s)(?:import|export)\b[^'"]*?['"](\.{1,2}/[^'"]+)['"]|import\(['"](\.{1,2}/[^'"]+)['"]\)""", re.MULTILINE)
BELOW: dict[str, set[str]] = {
    "views": {"views", "ui", "state", "protocol"},
    "ui": {"ui", "state", "protocol"},
    "state": {"state", "net", "media", "protocol"},
    "net": {"net", "protocol"},
    "media": {"media", "protocol"},
    "protocol": {"protocol"},
}
"""Which folders of web/src a folder may import from. Others, such as fixtures, stand above them all."""


def test_python_layers(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"))
    assert status == 0, capsys.readouterr().out


def imports(path: Path) -> list[Path]:
    """The files of ours that a file of the page imports, relative to web/src."""
    found = [first or second for first, second in IMPORT.findall(text(path))]
    return [(ROOT / path.parent / name).resolve().relative_to(ROOT / "web/src") for name in found]


def test_page_layers() -> None:
    wrong = []
    for path in files(".ts", ".svelte"):
        if path.parts[:2] == ("web", "src") and (allowed := BELOW.get(path.parts[2])):
            wrong += [f"{path} imports {other}" for other in imports(path) if other.parts[0] not in allowed]
    assert imports(Path("web/src/main.ts")), "imports are found at all"
    assert not wrong, f"views → state → net | media → protocol: {wrong}"

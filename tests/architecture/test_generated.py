"""Files made from others agree with them: generated code and documents, version numbers, the settings and the pages about them."""

import json
import re
import subprocess
import sys
import tomllib
from typing import get_args

import pytest
from sources import MARK, ROOT, files, text

from rostra import settings
from rostra.api import wire
from rostra.domain import commands, events
from rostra.domain.views import COMMANDS, wire_name

GENERATORS = [path for path in files(".py") if re.fullmatch(r"protocol/generate\w*\.py", str(path))]
SETTING = re.compile(r"ROSTRA_[A-Z_]+")


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda path: path.stem)
def test_generated_files_are_fresh(generator) -> None:
    checked = subprocess.run([sys.executable, ROOT / generator, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_generated_files_name_their_generator() -> None:
    marked = [
        path for path in files(".py", ".rs", ".ts", ".md") if MARK in "".join(text(path).splitlines()[:5]) and path.parts[0] != "tests"
    ]
    made = [path for path in marked if path not in GENERATORS]
    assert made, "there are generated files"
    for path in made:
        assert any(str(generator) in text(path) for generator in GENERATORS), f"{path} does not say what generates it"


def test_versions_agree() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    page = json.loads((ROOT / "web/package.json").read_text())["version"]
    assert (cargo, page) == (pyproject, pyproject)
    assert f"## {pyproject}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_setting_is_documented() -> None:
    known = {*settings._DEFAULTS, *settings._NOT_OURS, "ROSTRA_CONFIG"}
    page = (ROOT / "docs/howto/settings.md").read_text()
    assert set(re.findall(r"^\| `(ROSTRA_[A-Z_]+)`", page, re.MULTILINE)) == known


@pytest.mark.parametrize("name", sorted(set(settings._DEFAULTS)))
def test_documented_defaults_are_the_real_ones(name: str) -> None:
    page = (ROOT / "docs/howto/settings.md").read_text()
    row = re.search(rf"^\| `{name}` \| (.*?) \|", page, re.MULTILINE)
    assert row is not None
    default = settings._DEFAULTS[name]
    assert row[1] == (f"`{default}`" if default else "empty")


def test_documents_name_no_setting_that_is_not() -> None:
    known = {*settings._DEFAULTS, *settings._NOT_OURS, "ROSTRA_CONFIG"}
    for path in files(".md"):
        unknown = set(SETTING.findall(text(path))) - known
        assert not unknown, f"{path} names {unknown}"


def test_every_command_and_event_is_documented() -> None:
    page = (ROOT / "docs/protocol.md").read_text()
    kinds = [*COMMANDS.values(), *events.KINDS]
    missing = [wire_name(kind) for kind in kinds if f"| `{wire_name(kind)}`" not in page]
    assert not missing
    for kind in (*kinds, *get_args(wire.AnyCommand), commands.CreateSpace):
        assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("), f"{kind.__name__} needs a docstring"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path in files(".md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(path)):
            if not (ROOT / path.parent / target).exists():
                broken.append(f"{path}: {target}")
    assert not broken

"""One word per thing: names in the code are those of GLOSSARY.md, and none of those it rules out."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sources import files, is_generated, text, tree

RULED_OUT = {"room", "rooms", "channel", "peer", "peers", "kick", "kicked", "moderator", "moderators"}
"""Of the glossary's list, ``call`` is a fine word for running a function, ``client`` for a program, ``audience`` for everyone who listens,
and sound has ``channels``: what these must not name cannot be told from the word alone."""
WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
DECLARED = re.compile(r"(?:\b(?:const|let|var|function|class|interface|type|enum)\s+|^\s*(?:export\s+)?)(\w+)\s*[=:(<{]", re.MULTILINE)


def words(name: str) -> set[str]:
    return {word.lower() for word in WORD.findall(name)}


def python_names(path: Path) -> set[str]:
    """Every name that a Python file makes: of modules, classes, functions, arguments, variables and attributes."""
    found = {path.stem}
    for node in ast.walk(tree(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return {name for name in found if not (name.startswith("__") and name.endswith("__"))}


def page_names(path: Path) -> set[str]:
    """The names that a TypeScript or Svelte file declares."""
    code = re.sub(r"//.*|/\*.*?\*/|<!--.*?-->", "", text(path), flags=re.DOTALL if path.suffix == ".svelte" else re.NOFLAG)
    return {path.name.partition(".")[0], *DECLARED.findall(code)}


@pytest.mark.parametrize(
    ("folder", "suffixes", "names"),
    [("python/rostra", (".py",), python_names), ("web/src", (".ts", ".svelte"), page_names)],
)
def test_no_ruled_out_word_is_a_name(folder: str, suffixes: tuple[str, ...], names: Callable[[Path], set[str]]) -> None:
    wrong = []
    for path in files(*suffixes):
        if path.is_relative_to(folder) and not is_generated(path) and ".test." not in path.name:
            wrong += [f"{path}: {name}" for name in names(path) if words(name) & RULED_OUT]
    assert not wrong, f"GLOSSARY.md has the word to use: {wrong}"

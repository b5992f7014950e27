"""The shape of the source: every file says why it exists, and none outgrows a reader."""

import ast
import re
from pathlib import Path

from sources import files, is_generated, text, tree

LONGEST_FILE, LONGEST_FUNCTION = 450, 45
LANGUAGES = (".py", ".rs", ".ts", ".svelte", ".css", ".sh", ".js")
OPENINGS = {
    ".py": re.compile(r'(#!.*\n)?("""\S|# \S)'),
    ".rs": re.compile(r"//! \S"),
    ".ts": re.compile(r"(// \S|/\*\* \S)"),
    ".js": re.compile(r"(// \S|/\*\* \S)"),
    ".svelte": re.compile(r"<!--\s*\S"),
    ".css": re.compile(r"/\* \S"),
    ".sh": re.compile(r"#!.*\n# \S"),
}


def test_every_file_says_first_why_it_exists() -> None:
    silent = [str(path) for path in files(*LANGUAGES) if not OPENINGS[path.suffix].match(text(path))]
    assert not silent, f"the first line must be a comment or docstring: {silent}"


def test_no_file_is_too_long() -> None:
    lengths = {str(path): len(text(path).splitlines()) for path in files(*LANGUAGES) if not is_generated(path)}
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert not long, f"at most {LONGEST_FILE} lines, or the file has two reasons to exist: {long}"


def functions(path: Path) -> list[tuple[str, int]]:
    """Every function of a Python file and its lines, from ``def`` to its end."""
    found = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(f"{path}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in found]


def test_no_python_function_is_too_long() -> None:
    long = {
        name: length for path in files(".py") if not is_generated(path) for name, length in functions(path) if length > LONGEST_FUNCTION
    }
    assert not long, f"at most {LONGEST_FUNCTION} lines: {long}"


def test_no_rust_function_is_too_long() -> None:
    long = {}
    for path in files(".rs"):
        if not is_generated(path):
            long |= {name: length for name, length in rust_functions(path) if length > LONGEST_FUNCTION}
    assert not long, f"at most {LONGEST_FUNCTION} lines: {long}"


def rust_functions(path: Path) -> list[tuple[str, int]]:
    """Every function of a Rust file and its lines. The layout is rustfmt's: a body ends at the brace indented as its ``fn``."""
    lines, found = text(path).splitlines(), []
    for start, line in enumerate(lines):
        head = re.match(r"(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe |extern \"C\" )*fn (\w+)", line)
        if head and not line.rstrip().endswith(("}", ";")):
            end = next((at for at in range(start, len(lines)) if lines[at] == head[1] + "}"), start)
            found.append((f"{path}:{start + 1} {head[2]}", end - start + 1))
    return found


def test_test_modules_have_names_of_their_own() -> None:
    """pytest imports test modules by their bare name."""
    names = [path.stem for path in files(".py") if path.parts[0] == "tests" and path.stem != "conftest"]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"rename one of each: {sorted(twice)}"

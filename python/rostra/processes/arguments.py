"""How the supervisor hands descriptors and numbers to a child: ``name=value`` words, lists by commas. Imports next to nothing."""

import os
import sys


def write(arguments: dict[str, object]) -> list[str]:
    """The words for a command line."""
    return [f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in arguments.items()]


def read() -> dict[str, str]:
    """What this process was started with. Leaves at once if its supervisor is already gone."""
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    leave_if_orphaned(words)
    return words


def numbers(text: str) -> list[int]:
    """A list of descriptors."""
    return [int(word) for word in text.split(",") if word]


def leave_if_orphaned(words: dict[str, str]) -> None:
    """Nobody outlives the supervisor. Call it after asking the kernel to pass on its death, which cannot tell of an earlier one."""
    if os.getppid() != int(words["parent"]):
        os._exit(1)

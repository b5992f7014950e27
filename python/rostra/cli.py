"""The command line: names what can be run and runs it."""

import argparse
import sys
from collections.abc import Sequence

from rostra import __version__
from rostra.processes import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """The ``rostra`` command; the exit status."""
    parser = argparse.ArgumentParser(prog="rostra", description="A live-audio Spaces server. Settings are ROSTRA_… variables.")
    parser.add_argument("--version", action="version", version=f"rostra {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("serve", help="run the server until SIGTERM")
    command.add_argument("--roles", default=",".join(serve.ROLES), help="which processes to run (default: %(default)s)")
    asked = parser.parse_args(arguments)
    return serve.main(asked.roles)


if __name__ == "__main__":
    sys.exit(main())

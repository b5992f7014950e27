"""Where the processes that Python alone runs write their log: standard error, one line an entry."""

import logging


def start(level: str) -> None:
    """Logs what is at least as severe as ``level``; the libraries below us only warn."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("rostra").setLevel(level.upper())

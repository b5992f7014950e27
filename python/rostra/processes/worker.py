"""The worker process: deletes every hour what is past its keeping. Small in between, because it loads the store only to use it."""

import os
import sys
import time

from rostra.processes import arguments, lifeline
from rostra.processes.title import set_title

_FIRST_SECONDS, _LATER_SECONDS, _AGAIN_SECONDS = 60, 3600, 300


def main() -> None:
    """Waits, purges, and starts over as a fresh interpreter of the same process, which gives the store's memory back."""
    set_title("rostra: worker")
    given = arguments.read()
    lifeline.hold(given)
    os.write(int(given["ready"]), b"ready\n")
    time.sleep(float(given.get("pause", _FIRST_SECONDS)))
    given["pause"] = str(_LATER_SECONDS if _purge() else _AGAIN_SECONDS)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "rostra.processes.worker", *arguments.write(dict(given))])


def _purge() -> bool:
    """Whether it could be done now."""
    import asyncio
    import logging

    from rostra.adapters.clock import SystemClock
    from rostra.adapters.sql.engine import open_store
    from rostra.ports import Unavailable
    from rostra.processes import log
    from rostra.settings import load

    settings = load(os.environ)
    log.start(settings.log)
    logger = logging.getLogger("rostra.worker")

    async def purge() -> int:
        store = await open_store(settings.database_url, data=settings.data)
        try:
            return await store.accounts.purge(SystemClock().now())
        finally:
            await store.close()

    try:
        logger.info("deleted %d expired sessions and answers", asyncio.run(purge()))
    except Unavailable as error:
        logger.warning("nothing could be deleted: %s", error)
        return False
    return True


if __name__ == "__main__":
    main()

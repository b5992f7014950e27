"""Waiting for what other processes bring about, with a deadline."""

import asyncio
import time
from collections.abc import Callable


async def eventually(condition: Callable[[], bool], seconds: float) -> None:
    """Return as soon as ``condition`` holds; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        await asyncio.sleep(0.02)

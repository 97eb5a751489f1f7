"""Waiting for a server, with a limit."""

import time
from collections.abc import Callable


def until(ready: Callable[[], bool], gone: Callable[[], bool], limit: float) -> bool:
    """True as soon as `ready`; False when `gone` or after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if gone():
            return False
        if ready():
            return True
        time.sleep(0.05)
    return False

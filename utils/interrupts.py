"""Ctrl-C and SIGTERM at the right moment: a writer that is interrupted halfway may wait for itself for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back(dropped: bool = False) -> Iterator[None]:
    """Let an interrupt wait until the block is over; or drop it, where the run ends anyway.

    Only where Python's own handlers would raise, and in the main thread, which is the one that they raise in.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: handler for number in (signal.SIGINT, signal.SIGTERM) if callable(handler := signal.getsignal(number))
    }
    for number in before:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came and not dropped:
        before[signal.Signals(came[0])](came[0], None)

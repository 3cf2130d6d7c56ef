"""Dask's own log, which speaks of workers that come and go; what matters is said by the runs."""

from __future__ import annotations

import logging

# Dask gives some of them a level of their own.
_LOGGERS = ("client", "comm", "core", "nanny", "scheduler", "utils", "worker")


def quieten() -> None:
    """Keep it off the console."""
    for name in ("distributed", *(f"distributed.{part}" for part in _LOGGERS)):
        # A connection that is lost is told as an error, with its traceback.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

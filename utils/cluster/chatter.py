"""Dask's own log, which speaks of workers that come and go; what matters is said by the runs."""

from __future__ import annotations

import logging

_LOGGERS = ("distributed", "distributed.worker", "distributed.scheduler", "distributed.core", "distributed.nanny")


def quieten() -> None:
    """Keep it off the console."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)

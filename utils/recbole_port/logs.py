"""One log per run: RecBole logs to the root logger, and sets that up once per process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.console import Console, plain

# For what the user is shown anyway: it goes to the log only.
QUIET = "recbridge"


class _PlainFormatter(logging.Formatter):
    """RecBole puts colour codes into its messages; a file does not want them."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class _Warnings(logging.Handler):
    """Warnings are shown to the user as well, once each; Python's own are for developers and stay in the file."""

    _FILE_ONLY = frozenset({QUIET, "py.warnings"})

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = plain(record.getMessage()).strip()
        if record.name not in self._FILE_ONLY and message not in self._seen:
            self._seen.add(message)
            self._console.line(f"    warning: {message}")


@contextmanager
def run_log(path: Path, level: str, console: Console) -> Iterator[None]:
    """Send this run's log to `path`; the root logger is as it was afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, encoding="utf-8")
    to_file.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    root.handlers = [to_file, _Warnings(console)]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers = handlers
        root.setLevel(before)
        to_file.close()

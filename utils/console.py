"""What the user sees while a folder runs: steps, epochs, bars; plain text when nobody is watching."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# A bar that is gone before it can be read is noise.
_BAR_DELAY_S = 1.0
# Whether bars are drawn at all: those of several experiments at once would draw over each other.
_bars = True


def without_bars() -> None:
    """Draw no bars from here on."""
    global _bars
    _bars = False


def plain(text: str) -> str:
    """The text without terminal colour codes."""
    return _COLOUR.sub("", text)


class Console:
    """Writes to standard output; bars go to standard error, and only to a terminal."""

    def line(self, text: str = "") -> None:
        """One line, or several when the text has several."""
        tqdm.write(plain(text), file=sys.stdout)
        sys.stdout.flush()

    def bar(self, total: int, what: str) -> Any:
        """A tqdm bar to `update` by hand."""
        return tqdm(total=total, desc=f"    {what}", **_bar_options())


def bar_over(iterable: Iterable[T], total: int | None = None, desc: str = "", **_: Any) -> Iterable[T]:
    """tqdm as RecBole's trainer calls it, without colours, gone when done, silent outside a terminal."""
    return tqdm(iterable, total=total, desc=f"    {plain(desc).strip()}", **_bar_options())


def _bar_options() -> dict[str, Any]:
    # Asked here, because a terminal that does not tell its size hides tqdm's own bars.
    size = shutil.get_terminal_size()
    shape = {"ncols": size.columns, "nrows": size.lines}
    # None is tqdm's word for "only on a terminal".
    return {"leave": False, "disable": None if _bars else True, "delay": _BAR_DELAY_S, "file": sys.stderr, **shape}


def table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Lines of a text table: the first two columns to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()

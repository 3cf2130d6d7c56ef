"""Atomic files read by pandas' C engine: the same frames as RecBole's Python engine gives, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd


def with_c_engine(read_csv: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """`read_csv` as RecBole calls it, by the C engine wherever that reads the same.

    Its separators have one character, its parser of floats named "high" is the Python engine's to the last bit, and
    files with quotes or NUL bytes, which it takes otherwise, are left to the Python engine.
    """

    def read(path: Any, **kwargs: Any) -> pd.DataFrame:
        if kwargs.get("engine") == "python" and len(kwargs.get("delimiter") or "") == 1 and _is_simple(path):
            kwargs.update(engine="c", float_precision="high")
        return read_csv(path, **kwargs)

    return read


def _is_simple(path: Any) -> bool:
    """Whether a file has neither quotes nor NUL bytes."""
    with open(path, "rb") as file:
        return not any(b'"' in block or b"\0" in block for block in iter(lambda: file.read(2**20), b""))


def use_c_engine() -> None:
    """Have RecBole's datasets read with it."""
    from recbole.data.dataset import dataset

    dataset.pd = SimpleNamespace(**{**vars(dataset.pd), "read_csv": with_c_engine(dataset.pd.read_csv)})

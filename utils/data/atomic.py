"""RecBole's atomic files read as text, by token: for facts that no tensor needs."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd


def read_atomic(path: Path, separator: str = "\t", encoding: str = "utf-8") -> pd.DataFrame:
    """All columns as text, named without their types; a missing value is an empty text."""
    frame = pd.read_csv(
        path, sep=separator, dtype=str, keep_default_na=False, encoding=encoding, quoting=csv.QUOTE_NONE
    )
    frame.columns = pd.Index([column.partition(":")[0] for column in frame.columns])
    return frame

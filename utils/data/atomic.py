"""RecBole's atomic files read as text, by token: for facts that no tensor needs."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

_FLOAT = ":float"


def find_malformed(path: Path, separator: str = "\t", encoding: str = "utf-8") -> str | None:
    """The first line with too few or too many fields, or with a text where a number belongs; None if all are fine.

    RecBole drops such a row or cuts it short without a word. Lines with quotes are left to its own reader.
    """
    with path.open(encoding=encoding) as file:
        header = next(file, "").rstrip("\n").split(separator)
        numbers = [index for index, column in enumerate(header) if column.endswith(_FLOAT)]
        for number, line in enumerate(file, start=2):
            fields = line.rstrip("\n").split(separator)
            if '"' in line or not line.strip():
                continue
            if len(fields) != len(header):
                return f"{path}, line {number}: {len(fields)} fields, the header has {len(header)}"
            for index in numbers:
                if fields[index] and not _is_number(fields[index]):
                    name = header[index].removesuffix(_FLOAT)
                    return f"{path}, line {number}: {name} is '{fields[index]}', not a number"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_atomic(path: Path, separator: str = "\t", encoding: str = "utf-8") -> pd.DataFrame:
    """All columns as text, named without their types; a missing value is an empty text."""
    frame = pd.read_csv(
        path, sep=separator, dtype=str, keep_default_na=False, encoding=encoding, quoting=csv.QUOTE_NONE
    )
    frame.columns = pd.Index([column.partition(":")[0] for column in frame.columns])
    return frame

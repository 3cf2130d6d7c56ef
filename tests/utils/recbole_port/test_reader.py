"""The quick reader gives the frames of the slow one, cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from utils.recbole_port.known_models import shipped_dataset
from utils.recbole_port.reader import with_c_engine

TRICKY = [
    "id:token\tname:token_seq\tvalue:float",
    'a\t"a ""quoted"" name\twith a tab"\t0.1',
    "b\t\t1e-5",
    'c\tit\'s ""\t',
    "d\tNA\t123456789.123456789",
    " e \tNone null\t-0.30000000000000004",
    "f\tno value\t",
]


def _both(path: Path, separator: str = "\t") -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    columns = path.read_text("utf-8").partition("\n")[0].split(separator)
    dtype = {column: np.float64 if column.endswith(":float") else str for column in columns}
    calls: list[dict[str, Any]] = []

    def recorded(*args: Any, **kwargs: Any) -> pd.DataFrame:
        calls.append(kwargs)
        return pd.read_csv(*args, **kwargs)

    given: dict[str, Any] = {"delimiter": separator, "usecols": columns, "dtype": dtype, "encoding": "utf-8"}
    expected = pd.read_csv(path, **given, engine="python")
    return with_c_engine(recorded)(path, **given, engine="python"), expected, calls


@pytest.mark.parametrize("suffix", ["inter", "user", "item"])
def test_ml_100k(suffix: str) -> None:
    found, expected, calls = _both(shipped_dataset("ml-100k") / f"ml-100k.{suffix}")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert calls[0]["engine"] == "c"


def test_quotes_missing_values_and_floats_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "tricky.item"
    path.write_text("\n".join(TRICKY) + "\n", "utf-8")
    found, expected, _ = _both(path)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    path.write_text("\n".join(line for line in TRICKY if '"' not in line) + "\n", "utf-8")
    found, expected, calls = _both(path)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert calls[0]["engine"] == "c"
    assert found["value:float"].isna().sum() == 1


@pytest.mark.parametrize("odd", ['a"b', "x\0y", '"a\tb"'])
def test_quotes_and_nul_bytes_are_left_to_the_python_engine(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.inter"
    path.write_text(f"a\tb\n{odd}\t1\n", "utf-8")
    found, expected, calls = _both(path)
    pd.testing.assert_frame_equal(found, expected)
    assert calls[0]["engine"] == "python"


def test_separators_of_several_characters_are_left_to_the_python_engine(tmp_path: Path) -> None:
    path = tmp_path / "wide.inter"
    path.write_text("a::b\nx::y\n", "utf-8")
    found, expected, calls = _both(path, "::")
    pd.testing.assert_frame_equal(found, expected)
    assert calls[0]["engine"] == "python"

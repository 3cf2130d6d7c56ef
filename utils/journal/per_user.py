"""Test metrics by user: what two runs are compared on, as one small Parquet file per tested model."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

USER, N_TRAIN = "user_token", "n_train"


class PerUserError(ValueError):
    """A file that holds no metrics by user."""


def file_name(stage: str) -> str:
    """The file of a stage beside the record."""
    return f"per_user_{stage}.parquet"


def sliced(metric: str, part: str) -> str:
    """The column of a metric in a slice of items, as `cold_items:ndcg@10`; NaN for users who have none of these."""
    return f"{part}:{metric}"


def write(path: Path, users: pd.Series, n_train: pd.Series, values: pd.DataFrame) -> None:
    """Write the metrics `values` [n_rows, n_metrics] of the users `users` [n_rows] (tokens), in one step.

    n_train: how many items of the train part each of them has, for slices.
    """
    frame = pd.DataFrame({USER: users.astype("string"), N_TRAIN: n_train.astype("int32"), **values})
    frame = frame.sort_values(USER, kind="stable", ignore_index=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Metrics of one target take a dozen values: a dictionary and zstd leave a few bytes a user.
        frame.to_parquet(temporary, engine="pyarrow", compression="zstd", index=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> pd.DataFrame:
    """Metrics by user, indexed by token; a user's rows are averaged. PerUserError where the file cannot be read.

    Columns: the number of train items, one per metric, and those of `sliced`.
    """
    try:
        # A report reads thousands of these; pandas' own reader takes several times as long.
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
    except (OSError, ValueError) as error:
        # pyarrow's own errors are ValueErrors and OSErrors.
        raise PerUserError(f"{path} cannot be read: {error}") from error
    columns = dict(zip(table.column_names, table.columns, strict=True))
    if USER not in columns or N_TRAIN not in columns:
        raise PerUserError(f"{path} holds no metrics by user; its columns: {', '.join(columns)}")
    users = pd.Index(columns.pop(USER).to_pylist(), name=USER)
    frame = pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, index=users)
    if users.is_unique:
        return frame if users.is_monotonic_increasing else frame.sort_index()
    return frame.groupby(level=0, sort=True).mean()

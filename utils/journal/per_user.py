"""Test metrics by user: what two runs are compared on, as one small Parquet file per tested model."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

USER, N_TRAIN = "user_token", "n_train"


class PerUserError(ValueError):
    """A file that holds no metrics by user."""


def file_name(stage: str) -> str:
    """The file of a stage beside the record."""
    return f"per_user_{stage}.parquet"


def write(path: Path, users: pd.Series, n_train: pd.Series, values: pd.DataFrame) -> None:
    """Write the metrics `values` [n_rows, n_metrics] of the users `users` [n_rows] (tokens), in one step.

    n_train: how many items of the train part each of them has, for slices.
    """
    frame = pd.DataFrame({USER: users.astype("string"), N_TRAIN: n_train.astype("int32"), **values})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Metrics of one target take a dozen values: a dictionary and zstd leave a few bytes a user.
        frame.to_parquet(temporary, engine="pyarrow", compression="zstd", index=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> pd.DataFrame:
    """Metrics by user, indexed by token; a user's rows are averaged. PerUserError where the file cannot be read.

    Columns: the number of train items, and one per metric.
    """
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        # pyarrow's own errors are ValueErrors and OSErrors.
        raise PerUserError(f"{path} cannot be read: {error}") from error
    if USER not in frame or N_TRAIN not in frame:
        raise PerUserError(f"{path} holds no metrics by user; its columns: {', '.join(map(str, frame))}")
    if frame[USER].is_unique:
        return frame.set_index(USER).sort_index()
    return frame.groupby(USER, sort=True).mean()

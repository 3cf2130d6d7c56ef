"""RecBole's split as tables of tokens."""

from __future__ import annotations

from typing import Any

import pandas as pd

from utils.recbole_port.session import Data
from utils.recbole_port.train_part import file_interactions
from utils.recbole_port.windows import holds_windows, targets_of


def split_frames(config: Any, data: Data) -> dict[str, pd.DataFrame]:
    """train, valid, test -> interactions with tokens; scalar columns only.

    A sequential model's train rows are (history, target), so a user's first item is in none of them.
    """
    ids = [config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]]
    file = file_interactions(config)
    exact = None if file.duplicated(ids).any() else file.set_index(ids)
    loaders = {"train": data.full_train, "valid": data.valid, "test": data.test}
    return {part: _frame(data, loader._dataset, ids, exact) for part, loader in loaders.items()}


def _frame(data: Data, dataset: Any, ids: list[str], exact: pd.DataFrame | None) -> pd.DataFrame:
    """One part; numbers as the file has them (`exact`): RecBole may have normalised them."""
    windows = holds_windows(dataset) and dataset is data.full_train._dataset
    interactions = targets_of(dataset) if windows else dataset.inter_feat
    columns = {}
    for field, values in interactions.interaction.items():
        if values.dim() != 1:
            continue
        tokens = data.dataset.field2id_token.get(field)
        columns[field] = values.numpy() if tokens is None else tokens[values.numpy()]
    frame = pd.DataFrame(columns)
    if exact is not None:
        rows = exact.reindex(pd.MultiIndex.from_frame(frame[ids]))
        for field in frame.columns.intersection(rows.columns):
            frame[field] = rows[field].to_numpy()
    return frame

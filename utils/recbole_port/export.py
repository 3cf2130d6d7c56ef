"""RecBole's split as tables of tokens."""

from __future__ import annotations

from typing import Any

import pandas as pd

from utils.recbole_port.session import Data


def split_frames(config: Any, data: Data) -> dict[str, pd.DataFrame]:
    """train, valid, test -> interactions with tokens; scalar columns only (histories are in the train rows)."""
    loaders = {"train": data.full_train, "valid": data.valid, "test": data.test}
    return {part: _frame(config, data, loader._dataset) for part, loader in loaders.items()}


def _frame(config: Any, data: Data, dataset: Any) -> pd.DataFrame:
    columns = {}
    for field, values in dataset.inter_feat.interaction.items():
        if values.dim() != 1:
            continue
        tokens = data.dataset.field2id_token.get(field)
        columns[field] = values.numpy() if tokens is None else tokens[values.numpy()]
    return pd.DataFrame(columns)

"""The train part of a dataset, in tokens: all that a profile may be written from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from utils.data.atomic import read_atomic
from utils.data.profile_texts import fingerprint
from utils.recbole_port.session import Data, id_map


def train_pairs(config: Any, data: Data) -> list[tuple[str, str]]:
    """Every (user token, item token) of the full train part.

    RecBole's sequential train rows are (history, target): a user's first item stands only in a history, as
    the first of each of the histories that reach back to it.
    """
    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    rows = data.full_train._dataset.inter_feat
    pairs = [torch.stack([rows[users], rows[items]])]
    history = items + config["LIST_SUFFIX"]
    if history in rows:
        pairs.append(torch.stack([rows[users], rows[history][:, 0]]))
    unique = torch.unique(torch.cat(pairs, dim=1), dim=1)
    user_tokens, item_tokens = id_map(data, users).tokens, id_map(data, items).tokens
    return [(user_tokens[user], item_tokens[item]) for user, item in unique.T.tolist() if user and item]


def train_fingerprint(config: Any, data: Data) -> str:
    """What a text that was written from this train part is marked with."""
    return fingerprint(train_pairs(config, data))


def train_interactions(config: Any, data: Data) -> pd.DataFrame:
    """The train part's rows of the `.inter` file, as text; a pair that occurs more than once by its first row.

    Values come from the file, not from RecBole, which may have normalised them or rounded time to float32.
    """
    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    folder = Path(config["data_path"])
    parts = config["benchmark_filename"]
    names = [f"{config['dataset']}.{part}.inter" for part in parts] if parts else [f"{config['dataset']}.inter"]
    read = [read_atomic(folder / name, config["field_separator"], config["encoding"] or "utf-8") for name in names]
    rows = pd.concat(read, ignore_index=True)
    if config["TIME_FIELD"] in rows:
        rows = rows.sort_values(config["TIME_FIELD"], key=pd.to_numeric, kind="stable")
    rows = rows.drop_duplicates([users, items], keep="first")
    train = pd.DataFrame(train_pairs(config, data), columns=[users, items])
    return rows.merge(train, on=[users, items], how="inner")

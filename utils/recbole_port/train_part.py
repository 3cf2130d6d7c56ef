"""The train part of a dataset, in tokens: all that a profile may be written from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from utils.data.atomic import read_atomic
from utils.data.file_tokens import FileTokens, read_file_tokens
from utils.data.profile_texts import fingerprint
from utils.recbole_port.session import Data


def train_pairs(config: Any, data: Data) -> pd.DataFrame:
    """Every pair of user and item tokens of the full train part, once, in columns named as RecBole's fields."""
    return _tokens(config, data, *train_row_pairs(config, data))


def held_out_pairs(config: Any, data: Data, part: Literal["valid", "test"]) -> pd.DataFrame:
    """The pairs of user and item tokens of a part that is not trained on, in columns named as RecBole's fields.

    A row of RecBole's sequential datasets stands for its target.
    """
    rows = getattr(data, part)._dataset.inter_feat
    return _tokens(config, data, *(rows[config[f"{side}_ID_FIELD"]].numpy() for side in ("USER", "ITEM")))


def _tokens(config: Any, data: Data, user_rows: np.ndarray, item_rows: np.ndarray) -> pd.DataFrame:
    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    user_tokens, item_tokens = data.dataset.field2id_token[users], data.dataset.field2id_token[items]
    return pd.DataFrame({users: user_tokens[user_rows], items: item_tokens[item_rows]})


def train_counts(config: Any, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """How many items of the full train part each user has [n_users], and how many users each item [n_items]."""
    sizes = [data.dataset.num(config[field]) for field in ("USER_ID_FIELD", "ITEM_ID_FIELD")]
    user_rows, item_rows = train_row_pairs(config, data)
    return np.bincount(user_rows, minlength=sizes[0]), np.bincount(item_rows, minlength=sizes[1])


def train_row_pairs(config: Any, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of user and item of the full train part, once, as RecBole's rows: users [n] and items [n].

    RecBole's sequential train rows are (history, target): a user's first item stands only in a history, as
    the first of each of the histories that reach back to it.
    """
    from utils.recbole_port.windows import holds_windows

    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    dataset = data.full_train._dataset
    rows = dataset.train_interactions if holds_windows(dataset) else dataset.inter_feat
    user_rows, item_rows = rows[users], rows[items]
    history = items + config["LIST_SUFFIX"]
    if history in rows:
        user_rows, item_rows = torch.cat([user_rows, user_rows]), torch.cat([item_rows, rows[history][:, 0]])
    known = (user_rows > 0) & (item_rows > 0)
    n_items = data.dataset.num(items)
    keys = torch.unique(user_rows[known] * n_items + item_rows[known]).numpy()
    return keys // n_items, keys % n_items


def train_fingerprint(config: Any, data: Data) -> str:
    """What a text that was written from this train part is marked with."""
    pairs = train_pairs(config, data)
    return fingerprint(pairs[config["USER_ID_FIELD"]], pairs[config["ITEM_ID_FIELD"]])


def ids_fingerprint(config: Any, data: Data) -> str:
    """A hash of which user and item each row stands for; weights of another order belong to others."""
    digest = hashlib.sha256()
    for field in (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]):
        digest.update("\n".join(map(str, data.dataset.field2id_token[field])).encode() + b"\0")
    return digest.hexdigest()[:16]


def file_interactions(config: Any) -> pd.DataFrame:
    """All rows of the `.inter` file (of all its benchmark parts), as text."""
    read = [read_atomic(path, config["field_separator"], _encoding(config)) for path in _inter_paths(config)]
    return pd.concat(read, ignore_index=True)


def file_tokens(config: Any, side: Literal["users", "items"]) -> FileTokens:
    """The tokens of users or items in the dataset's files, before any filter."""
    suffix, field = ("user", config["USER_ID_FIELD"]) if side == "users" else ("item", config["ITEM_ID_FIELD"])
    described = _path(config, suffix)
    return read_file_tokens(_inter_paths(config), described, field, config["field_separator"], _encoding(config))


def _inter_paths(config: Any) -> list[Path]:
    parts = config["benchmark_filename"]
    return [_path(config, f"{part}.inter") for part in parts] if parts else [_path(config, "inter")]


def _path(config: Any, suffix: str) -> Path:
    return Path(config["data_path"]) / f"{config['dataset']}.{suffix}"


def _encoding(config: Any) -> str:
    return config["encoding"] or "utf-8"


def train_interactions(config: Any, data: Data) -> pd.DataFrame:
    """The train part's rows of the `.inter` file, as text; a pair that occurs more than once by its first row.

    Values come from the file, not from RecBole, which may have normalised them or rounded time to float32.
    """
    return _rows_of(config, _first_rows(config), train_pairs(config, data))


def split_interactions(config: Any, data: Data) -> dict[Literal["train", "valid", "test"], pd.DataFrame]:
    """The rows of all three parts, each as `train_interactions` has those of the train part."""
    rows = _first_rows(config)
    return {
        "train": _rows_of(config, rows, train_pairs(config, data)),
        "valid": _rows_of(config, rows, held_out_pairs(config, data, "valid")),
        "test": _rows_of(config, rows, held_out_pairs(config, data, "test")),
    }


def _first_rows(config: Any) -> pd.DataFrame:
    """The `.inter` file by time, each pair once."""
    rows = file_interactions(config)
    if config["TIME_FIELD"] in rows:
        rows = rows.sort_values(config["TIME_FIELD"], key=pd.to_numeric, kind="stable")
    return rows.drop_duplicates([config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]], keep="first")


def _rows_of(config: Any, rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    return rows.merge(pairs, on=[config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]], how="inner")

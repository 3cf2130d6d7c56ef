"""What a row of a sequential model's train part is, and when it may be a whole window; RecBole is not imported.

RecBole makes one row per target, each with the history before it: a user with n items is encoded n times. A window
is one row with up to MAX_ITEM_LIST_LENGTH targets, all of which are learnt from at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.recbole_port import known_models

WINDOWS, LAST_WINDOW, PREFIX = "windows", "last_window", "prefix"


def why_no_windows(model: str, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """(the setting that stands in the way, what is wrong with it) for windows of this model; None where they fit.

    values: all settings, with RecBole's defaults.
    """
    if not known_models.trains_on_windows(model):
        return "train_rows", f"the loss of {model} is that of one target; accepted: '{PREFIX}'"
    split = (values.get("eval_args") or {}).get("split") or {}
    if list(split) != ["LS"]:
        chosen = ", ".join(f"{name}: {value}" for name, value in split.items())
        return "eval_args", f"eval_args.split is {chosen}, which divides targets that share a window; accepted: LS"
    reasons = {
        "benchmark_filename": "the parts lie in files, row by row",
        "transform": "the transforms of RecBole change a history that has one target",
        "add_train_split": "a part of the windows is not that part of the interactions",
    }
    for setting, reason in reasons.items():
        if values.get(setting):
            return setting, f"{setting} is given, but {reason}; remove it, or set train_rows: {PREFIX}"
    if values.get("loss_type") != "CE":
        return (
            "loss_type",
            f"loss_type is {values.get('loss_type')!r}, which draws a negative per row; accepted with windows: 'CE'",
        )
    return None


def resolve(model: str, values: Mapping[str, Any]) -> str | None:
    """The rows that a run trains on: what is given, else windows wherever they fit; None for other families."""
    if known_models.models()[model].kind != "sequential":
        return None
    return values.get("train_rows") or (PREFIX if why_no_windows(model, values) else WINDOWS)


def is_windowed(train_rows: str | None) -> bool:
    """Whether rows of this kind have several targets."""
    return train_rows in (WINDOWS, LAST_WINDOW)

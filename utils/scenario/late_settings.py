"""When a setting is read, so that one that comes too late is refused instead of ignored."""

from __future__ import annotations

from collections.abc import Sequence

from utils.commands.base import Command
from utils.recbole_port import known_settings

# Read again at every use.
_ANY_TIME = frozenset({"distil_loss_weight", "show_progress"})
# Read once, before the first step.
_AT_START = frozenset(
    {"logger_level", "journal_name", "checkpoint_dir", "llm_config", "save", "threads", "model", "dataset"}
)
# Read by RecBole's trainer when it is made.
_BY_TRAINER = frozenset(
    [
        "epochs",
        "learner",
        "learning_rate",
        "weight_decay",
        "eval_step",
        "stopping_step",
        "clip_grad_norm",
        "metrics",
        "topk",
        "valid_metric",
        "metric_decimal_place",
        "loss_decimal_place",
        "enable_amp",
        "enable_scaler",
    ]
)


def why_too_late(setting: str, earlier: Sequence[Command], later: Sequence[Command]) -> str | None:
    """Why a `set_config` between these commands cannot change a setting any more; None when it can."""
    if setting in _ANY_TIME:
        return None
    if setting in _AT_START:
        return "is read before the first step; put it among the settings"
    if setting in _BY_TRAINER:
        return _needs_before("init_trainer", {"train", "test_eval"}, later)
    general = known_settings.defaults(None)
    if setting in general and any("data" in command.needs for command in earlier):
        return f"comes too late: '{_first_with_data(earlier)}' has loaded the dataset; put set_config before it"
    if setting not in general:
        return _needs_before("init_model", {"init_trainer", "wrap_model", "train"}, later)
    return None


def _first_with_data(earlier: Sequence[Command]) -> str:
    return next(command.name for command in earlier if "data" in command.needs)


def _needs_before(reader: str, users: set[str], later: Sequence[Command]) -> str | None:
    """None when `reader` comes before any of `users`."""
    for command in later:
        if command.name == reader:
            return None
        if command.name in users:
            return f"comes too late for '{command.name}': put set_config before '{reader}'"
    return f"would never be read: no '{reader}' follows"

"""When a setting is read, so that one that comes too late is refused instead of ignored."""

from __future__ import annotations

from collections.abc import Sequence

from utils.commands.base import Command
from utils.recbole_port import known_settings

# Read again at every use.
_ANY_TIME = frozenset({"distil_loss_weight", "show_progress"})
# Read once, before the first step.
_AT_START = frozenset(
    [
        "logger_level",
        "state",
        "journal_name",
        "checkpoint_dir",
        "data_path",
        "llm_config",
        "save",
        "threads",
        "model",
        "dataset",
        "add_train_split",
        "add_train_shuffle",
    ]
)
# Read when the dataset is loaded, although RecBole's list of defaults does not have it.
_BY_DATA = frozenset({"encoding"})
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
        "log_wandb",
        "wandb_project",
        "tail_ratio",
    ]
)


def why_too_late(setting: str, earlier: Sequence[Command], later: Sequence[Command]) -> str | None:
    """Why a `set_config` between these commands cannot change a setting any more; None when it can."""
    if setting in _ANY_TIME:
        return None
    if setting in _AT_START:
        return f"{setting} is read before the first step; put it among the settings"
    if setting in _BY_TRAINER:
        return _read_by("init_trainer", {"train", "test_eval"}, setting, earlier, later)
    if setting in _BY_DATA or setting in known_settings.defaults(None):
        loads = next((command.name for command in earlier if "data" in command.needs), None)
        return None if loads is None else f"{setting} comes too late: '{loads}' has loaded the dataset already"
    return _read_by("init_model", {"init_trainer", "wrap_model", "train"}, setting, earlier, later)


def _read_by(
    reader: str, users: set[str], setting: str, earlier: Sequence[Command], later: Sequence[Command]
) -> str | None:
    """None when `reader` comes before any of the commands that use what it makes."""
    following = next((command.name for command in later if command.name in {reader, *users}), None)
    if following == reader:
        return None
    if any(command.name == reader for command in earlier):
        return f"{setting} comes too late: '{reader}' has read it already; put set_config before '{reader}'"
    return f"{setting} would never be read: no '{reader}' follows"

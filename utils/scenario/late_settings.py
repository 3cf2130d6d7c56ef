"""When a setting is read, so that one that comes too late is refused instead of ignored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from utils.commands.base import Command, PlanView
from utils.recbole_port import known_settings
from utils.scenario.settings import effective

# Read again by each of these commands.
_AT_EACH = {"distil_loss_weight": ("train",), "show_progress": ("train", "test_eval"), "slices": ("test_eval",)}
# Settings of ours, and which part of RecBole they steer.
_STEERS = {"train_rows": "data", "filter_seen": "data", "precision": "trainer"}
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
        "seeds",
        "baseline",
        "search",
        "tuned",
        "trackers",
        "control",
        "controls",
    ]
)


def why_too_late(setting: str, view: PlanView) -> str | None:
    """Why a `set_config` at this place cannot change a setting any more; None when it can."""
    if setting in _AT_EACH:
        return None if _follows(view, _AT_EACH[setting]) else _never(setting, " or ".join(map(repr, _AT_EACH[setting])))
    if setting in _AT_START:
        return f"{setting} is read before the first step; put it among the settings"
    values = effective(dict(view.settings))
    transform = values.get("transform")
    reader = _STEERS.get(setting) or known_settings.read_first_by(
        str(values.get("model")), setting, transform if isinstance(transform, str) else None
    )
    if reader == "data":
        return _read_by_data(setting, view)
    if reader == "trainer":
        return _read_by("init_trainer", {"train", "test_eval"}, setting, view)
    return _read_by("init_model", {"init_trainer", "wrap_model", "train"}, setting, view)


def _read_by_data(setting: str, view: PlanView) -> str | None:
    loads = next((command.name for command in view.earlier if _loads_data(command)), None)
    if loads_at_start(view.settings):
        loads = "preprocess_random"
    if loads is not None:
        return f"{setting} comes too late: '{loads}' has loaded the dataset already"
    return None if any(map(_loads_data, view.later)) else _never(setting, "'init_model'")


def loads_at_start(settings: Mapping[str, Any]) -> bool:
    """Whether the dataset is loaded before the first step, for `preprocess_random`."""
    section = (settings.get("llm_config") or {}).get("preprocess_random") or {}
    return bool(section.get("random"))


def _loads_data(command: Command) -> bool:
    return command.loads_data


def _follows(view: PlanView, names: Collection[str]) -> bool:
    return any(command.name in names for command in view.later)


def _never(setting: str, reader: str) -> str:
    return f"{setting} would never be read: no {reader} follows"


def _read_by(reader: str, users: set[str], setting: str, view: PlanView) -> str | None:
    """None when `reader` comes before any of the commands that use what it makes."""
    following = next((command.name for command in view.later if command.name in {reader, *users}), None)
    if following == reader:
        return None
    if any(command.name == reader for command in view.earlier):
        return f"{setting} comes too late: '{reader}' has read it already; put set_config before '{reader}'"
    return _never(setting, f"'{reader}'")

"""A scenario with every default filled in: as text, itself a scenario, and as a hash that tells variants apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from utils.commands.base import Command
from utils.journal.outcome import WITHOUT_EFFECT
from utils.paths import dataset_dir, saved_dir
from utils.recbole_port import known_settings
from utils.scenario.plan import Plan
from utils.scenario.settings import effective
from utils.scenario.settings_schema import BridgeSettings


def variant_of(plan: Plan) -> str:
    """A hash of the scenario as it runs without its seed and without what changes no number."""
    return _hash(plan, {"seed", *WITHOUT_EFFECT})


def experiment_of(plan: Plan) -> str:
    """The same without what it is a control of: a scenario and its controls share it, an edited one does not."""
    return _hash(plan, {"seed", "control", *WITHOUT_EFFECT})


def _hash(plan: Plan, inert: Collection[str]) -> str:
    settings = {name: value for name, value in _settings(plan).items() if name not in inert}
    steps = [(step.command.name, step.command.model_dump()) for step in plan.steps]
    text = json.dumps(_alike([settings, steps]), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _alike(value: Any) -> Any:
    """Without the difference between 4 and 4.0, which YAML does not keep."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _alike(inner) for key, inner in value.items()}
    return [_alike(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def resolved_text(plan: Plan) -> str:
    """The scenario as it runs, itself a scenario: all settings with RecBole's defaults, and the steps with theirs."""
    settings = _settings(plan)
    # RecBole has another default for the first.
    settings |= {"data_path": str(dataset_dir(plan.settings).parent), "checkpoint_dir": str(saved_dir(plan.settings))}
    steps = [{step.command.name: _params(step.command)} for step in plan.steps]
    return yaml.safe_dump({**settings, "scenario": steps}, sort_keys=False, allow_unicode=True)


def _settings(plan: Plan) -> dict[str, Any]:
    ours = {name: field.get_default() for name, field in BridgeSettings.model_fields.items()}
    return ours | {key: value for key, value in effective(plan.settings).items() if key not in known_settings.REFUSED}


def _params(command: Command) -> Any:
    """Parameters as a scenario gives them; a command of one parameter takes its value."""
    values = command.model_dump()
    alone = len(values) == 1 and tuple(values) == command.shorthand
    return next(iter(values.values())) if alone else values or None

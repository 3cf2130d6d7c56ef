"""Settings that only some models read: RecBole states no types, so its own values and comments tell what fits."""

from __future__ import annotations

import math
import re
from typing import Any

from utils.recbole_port import known_defaults
from utils.scenario.mismatch import Schema

_COUNT = re.compile(r"(_size|_dim|_dimension|^n_layers|^num_layers|^n_heads|^num_heads)$")
_PROBABILITY = re.compile(r"(dropout|drop_ratio|_prob$|_probs$)")


def schema_of(model: str, setting: str, default: Any) -> Schema:
    """A JSON Schema for a setting of one model, whose value in RecBole is `default`; empty for any value."""
    if known_defaults.is_mixed(model, setting) or (
        known_defaults.is_text(model, setting) and not isinstance(default, str)
    ):
        return {}
    allowed = known_defaults.choices(model, setting) if isinstance(default, str) else []
    return {"type": "string", "enum": allowed} if allowed else _like(setting, default)


def _like(setting: str, default: Any) -> Schema:
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, (int, float)):
        if _COUNT.search(setting):
            return {"type": "integer", "exclusiveMinimum": 0}
        return {"type": "number", "minimum": 0, "maximum": 1} if _PROBABILITY.search(setting) else {"type": "number"}
    if isinstance(default, list):
        return {"type": "array", "items": _like(setting, default[0]) if default else {}}
    return {"type": "string"} if isinstance(default, str) else {}


def misfit(schema: Schema, value: Any) -> bool:
    """Whether a value is not what `schema_of` describes."""
    kind = schema.get("type")
    if "enum" in schema:
        return value not in schema["enum"]
    if kind == "boolean":
        return not isinstance(value, bool)
    if kind in {"integer", "number"}:
        accepted = (int,) if kind == "integer" else (int, float)
        if isinstance(value, bool) or not isinstance(value, accepted) or not math.isfinite(value):
            return True
        above = value > schema["exclusiveMinimum"] if "exclusiveMinimum" in schema else True
        return not (above and schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if kind == "array":
        return not isinstance(value, list) or any(misfit(schema["items"], item) for item in value)
    return kind == "string" and not isinstance(value, str)

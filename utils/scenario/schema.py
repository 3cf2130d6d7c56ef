"""The JSON Schema of a scenario, so that editors complete and check while one types.

`python -m utils.scenario.schema` writes `experiments/scenario.schema.json`; `--check` only compares.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from utils.commands.base import COMMANDS, Command
from utils.recbole_port import known_defaults, known_models, known_settings
from utils.scenario import by_default
from utils.scenario.settings_schema import CommonSettings

SCHEMA_FILE = Path(__file__).parents[2] / "experiments" / "scenario.schema.json"

Json = dict[str, Any]

# An editor takes LLM-KT's `params: None` for a text.
_NULL: Json = {"enum": [None, "None"]}


def build_schema() -> Json:
    """The whole schema (draft 2020-12), made of the registered commands and the known settings."""
    definitions: Json = {}
    properties = _settings(definitions)
    properties["scenario"] = {
        "description": "The commands, in the order in which they run.",
        "type": "array",
        "minItems": 1,
        "items": _step(definitions),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "RecBridge scenario",
        "description": "RecBole's settings and a list of commands; generated, see utils/scenario/schema.py.",
        "type": "object",
        "required": ["model", "dataset", "scenario"],
        "properties": dict(sorted(properties.items())),
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _settings(definitions: Json) -> Json:
    """Every setting that some model reads; which model reads which is told by --check."""
    described, defaults = known_defaults.descriptions(), known_defaults.defaults(None)
    models = known_models.models()
    found: Json = {name: {} for name in known_settings.settings_of(None)}
    for model in models:
        for setting, default in known_defaults.own_defaults(model).items():
            _offer(found, setting, dict(by_default.schema_of(model, setting, default)))
            described = {**known_defaults.descriptions(model), **described}
        found.update({setting: {} for setting in known_settings.settings_of(model) if setting not in found})
    found.update(_fields(CommonSettings, definitions)["properties"])
    found["model"] = {"anyOf": [{"enum": sorted(models)}, {"type": "string"}], **_only(found["model"], "description")}
    for setting, schema in found.items():
        if setting in described:
            schema.setdefault("description", described[setting])
        if setting in defaults:
            # What RecBole takes, not what its type says: a default of ours may be for another dataset.
            schema["default"] = defaults[setting]
    return {setting: schema for setting, schema in found.items() if setting not in known_settings.REFUSED}


def _offer(found: Json, setting: str, schema: Json) -> None:
    """Accept for a setting what one more model accepts; null is RecBole's own default everywhere."""
    if not schema:
        found.setdefault(setting, {})
        return
    known = found.setdefault(setting, {"anyOf": [_NULL]})
    if "anyOf" in known and schema not in known["anyOf"]:
        known["anyOf"].append(schema)


def _step(definitions: Json) -> Json:
    """A step: a bare name, {command: name, params: ...}, or {name: ...}."""
    bare, by_command, by_name = [], [], {}
    for name in COMMANDS.known():
        cls = COMMANDS.get(name)
        optional = not any(field.is_required() for field in cls.model_fields.values())
        params = {"description": _sentence(cls), **_params(cls, definitions)}
        definitions[f"{name}.params"] = params
        reference = {"$ref": f"#/$defs/{name}.params"}
        by_name[name] = reference
        then: Json = {"properties": {"params": reference}}
        if optional:
            bare.append(name)
        else:
            then["required"] = ["params"]
        by_command.append({"if": {"properties": {"command": {"const": name}}}, "then": then})
    return {
        "anyOf": [
            {"enum": bare},
            {
                "type": "object",
                "required": ["command"],
                "properties": {"command": {"enum": COMMANDS.known()}, "params": True},
                "additionalProperties": False,
                "allOf": by_command,
            },
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": by_name,
                "additionalProperties": False,
            },
        ]
    }


def _params(cls: type[Command], definitions: Json) -> Json:
    """What `params` may be: parameters by name, their shorthand, and null where none is needed."""
    by_name = _fields(cls, definitions)
    free = any(cls.model_fields[name].annotation == dict[str, Any] for name in cls.shorthand)
    forms = [] if free else [_only(by_name, "type", "properties", "required", "additionalProperties")]
    if len(cls.shorthand) == 1:
        forms.append(by_name["properties"][cls.shorthand[0]])
    elif cls.shorthand:
        each = [by_name["properties"][name] for name in cls.shorthand]
        forms.append({"type": "array", "prefixItems": each, "items": False, "minItems": len(each)})
    if not any(field.is_required() for field in cls.model_fields.values()):
        forms.append(_NULL)
    return {"anyOf": forms}


def _fields(model: type[BaseModel], definitions: Json) -> Json:
    """Pydantic's schema of a model, its parts moved to the definitions."""
    schema = _cleaned(model.model_json_schema())
    definitions.update(schema.pop("$defs", {}))
    return dict(schema)


def _cleaned(schema: Any) -> Any:
    """Without pydantic's titles, and with LLM-KT's 'None' wherever null is accepted."""
    if isinstance(schema, list):
        return [_cleaned(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "null":
        return dict(_NULL)
    # A property may be named `title`; then it is a schema and no text.
    return {key: _cleaned(part) for key, part in schema.items() if key != "title" or not isinstance(part, str)}


def _only(schema: Json, *keys: str) -> Json:
    return {key: schema[key] for key in keys if key in schema}


def _sentence(cls: type[Command]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def text_of(schema: Json) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it; 1 when it differs."""
    parser = argparse.ArgumentParser(prog="python -m utils.scenario.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the file is out of date")
    check = parser.parse_args(arguments).check
    text = text_of(build_schema())
    current = SCHEMA_FILE.read_text("utf-8") if SCHEMA_FILE.is_file() else ""
    if current == text:
        print(f"{SCHEMA_FILE.name} is up to date")
        return 0
    if check:
        print(f"{SCHEMA_FILE.name} is out of date; run: python -m utils.scenario.schema")
        return 1
    SCHEMA_FILE.write_text(text, "utf-8")
    print(f"{SCHEMA_FILE.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())

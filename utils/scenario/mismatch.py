"""Pydantic's findings in our words: what was got, what is accepted, the nearest right value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ValidationError

from utils.registry import did_you_mean
from utils.scenario.nodes import NodePath
from utils.scenario.source import parse_value

Schema = Mapping[str, Any]

# A word that is near a boolean by meaning, not by letters.
_TRUE_WORDS = {"train", "trainable", "unfreeze", "yes", "on", "true"}
_FALSE_WORDS = {"freeze", "frozen", "no", "off", "false", "none"}
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Mismatch:
    """One thing that is wrong with a value: where in it, and what.

    kind: an unknown key, a missing key, or a value that is not accepted.
    text: for an unknown key the tail that says what would be right, for a missing key its name,
        for a value the whole message.
    """

    path: NodePath
    kind: Literal["unknown", "missing", "value"]
    text: str


def mismatches(error: ValidationError, model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[Mismatch]:
    """What pydantic found in `values`, once per place: a union reports each of its branches, we report the closest."""
    found = [(*_place(detail["loc"], values, detail["type"] == "missing"), detail) for detail in error.errors()]
    seen: set[NodePath] = set()
    for path, got, detail in found:
        # A branch that went deeper into the value is the one that was meant.
        if path in seen or any(len(other) > len(path) and other[: len(path)] == path for other, *_ in found):
            continue
        seen.add(path)
        known = _keys(_schemas_at(model, path[:-1]))
        if detail["type"] == "extra_forbidden":
            nearest = did_you_mean(str(path[-1]), known)
            yield Mismatch(path, "unknown", nearest or (f"; accepted: {', '.join(known)}" if known else ""))
        elif detail["type"] == "missing":
            # Said already, and better, by the key that was meant to be this one.
            if not _meant(path, found, known):
                yield Mismatch(path, "missing", str(path[-1]))
        else:
            yield Mismatch(path, "value", refusal(got, _schemas_at(model, path)))


def refusal(got: Any, schemas: Iterable[Schema]) -> str:
    """`got 'x'; accepted: an integer greater than 0; did you mean ...?`"""
    accepted = list(schemas)
    shown = repr(got) if len(repr(got)) <= _LONGEST_SHOWN else f"{repr(got)[: _LONGEST_SHOWN - 3]}..."
    return f"got {shown}; accepted: {in_words(accepted)}{_hint(got, accepted)}"


def in_words(schemas: Iterable[Schema]) -> str:
    """What JSON Schemas accept, as alternatives in plain words; null goes without saying."""
    words = list(dict.fromkeys(_words(schema) for schema in schemas if schema.get("type") != "null"))
    if not words:
        return "nothing"
    # A comma keeps alternatives apart that are lists of alternatives themselves.
    return ", or ".join(words) if any(" or " in word for word in words) else _one_of(words)


def _words(schema: Schema) -> str:
    kind = schema.get("type")
    if "accepted" in schema:
        return str(schema["accepted"])
    if "enum" in schema or "const" in schema:
        choices = [repr(choice) for choice in schema.get("enum", [schema.get("const")]) if choice is not None]
        return _one_of(choices)
    if kind == "boolean":
        return "True or False"
    if kind in {"integer", "number"}:
        return f"{'an integer' if kind == 'integer' else 'a number'}{_range(schema)}"
    if kind == "string":
        if schema.get("examples"):
            return f"a text such as {_one_of(map(repr, schema['examples']))}"
        return "a text that is not empty" if schema.get("minLength") else "a text"
    if kind == "array" and "prefixItems" in schema:
        words = dict.fromkeys(_plural(in_words(_branches(item))) for item in schema["prefixItems"])
        return f"a list of {len(schema['prefixItems'])} {' and '.join(words)}"
    if kind == "array":
        items = in_words(_branches(schema.get("items", {})))
        several = "values" if items == "any value" else _plural(items)
        if schema.get("minItems", 0) > 1 and schema["minItems"] == schema.get("maxItems"):
            return f"a list of {schema['minItems']} {several}"
        return f"a list of one or more {several}" if schema.get("minItems") else f"a list of {several}"
    if kind == "object":
        if schema.get("properties"):
            return f"a mapping with {', '.join(schema['properties'])}"
        inner = schema.get("additionalProperties")
        if not isinstance(inner, dict):
            return "a mapping"
        names = "one or more names" if schema.get("minProperties") else "names"
        return f"a mapping of {names} to {_plural(in_words(_branches(inner)))}"
    return "any value"


def _one_of(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least:g} to {most}" if isinstance(most, int) else f" from {least:g} to {most:g}"
    below = f" and less than {schema['exclusiveMaximum']:g}" if "exclusiveMaximum" in schema else ""
    if "exclusiveMinimum" in schema:
        below = f" and at most {most:g}" if most is not None else below
        return f" greater than {schema['exclusiveMinimum']:g}{below}"
    return "" if least is None else f" of at least {least:g}{below}"


def _plural(words: str) -> str:
    if words.startswith(("'", "True")):
        return f"texts: {words}" if words.startswith("'") else words
    return re.sub(r"\ban? (integer|number|text|list|mapping)\b", r"\1s", words)


def _hint(got: Any, schemas: list[Schema]) -> str:
    if not isinstance(got, str):
        return ""
    kinds = {schema.get("type") for schema in schemas}
    if "boolean" in kinds:
        word = got.casefold()
        if word in {"true", "false"}:
            return f"; did you mean {word.capitalize()}, without quotes?"
        return f"; did you mean {word in _TRUE_WORDS}?" if word in _TRUE_WORDS | _FALSE_WORDS else ""
    choices = [choice for schema in schemas for choice in schema.get("enum", [schema.get("const")])]
    texts = [choice for choice in choices if isinstance(choice, str)]
    texts += [example for schema in schemas for example in schema.get("examples", [])]
    if texts:
        return did_you_mean(got, texts)
    if kinds & {"integer", "number", "array", "object"}:
        try:
            meant = parse_value(got)
        except yaml.YAMLError:
            return ""
        if isinstance(meant, (int, float, list, dict)) and not isinstance(meant, bool):
            return f"; did you mean {got}, without quotes?"
    return ""


def _place(location: NodePath, values: Any, missing: bool) -> tuple[NodePath, Any]:
    """The keys in pydantic's location, without its names of union branches, and the value there."""
    path: list[str | int] = []
    for part in location[:-1] if missing else location:
        inside = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if inside or (isinstance(values, dict) and part in values):
            path.append(part)
            values = values[part]
    return (*path, *(location[-1:] if missing else ())), values


def _meant(path: NodePath, found: Iterable[tuple[NodePath, Any, Mapping[str, Any]]], known: list[str]) -> bool:
    """Whether an unknown key beside this missing one is most likely this one, misspelled."""
    unknown = [other for other, _, detail in found if detail["type"] == "extra_forbidden" and other[:-1] == path[:-1]]
    return any(did_you_mean(str(other[-1]), known) == f"; did you mean '{path[-1]}'?" for other in unknown)


@lru_cache(maxsize=64)
def _schema_of(model: type[BaseModel]) -> Schema:
    return _resolved(model.model_json_schema(), model.model_json_schema().get("$defs", {}))


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A JSON Schema with every `$ref` replaced by what it names."""
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    return {key: _resolved(part, definitions) for key, part in schema.items() if key not in {"$ref", "$defs"}}


def _branches(schema: Schema) -> list[Schema]:
    return [
        branch for part in schema.get("anyOf", [schema]) for branch in (_branches(part) if "anyOf" in part else [part])
    ]


def _schemas_at(model: type[BaseModel], path: NodePath) -> list[Schema]:
    """The JSON Schemas, one per branch of a union, that describe the value at `path`."""
    schemas = _branches(_schema_of(model))
    for part in path:
        inner: list[Schema] = []
        for schema in schemas:
            if schema.get("type") == "array":
                inner += _branches(schema["items"]) if isinstance(schema.get("items"), dict) else []
            elif part in schema.get("properties", {}):
                inner += _branches(schema["properties"][part])
            elif isinstance(schema.get("additionalProperties"), dict):
                inner += _branches(schema["additionalProperties"])
        schemas = inner
    return schemas


def _keys(schemas: Iterable[Schema]) -> list[str]:
    return [key for schema in schemas for key in schema.get("properties", {})]

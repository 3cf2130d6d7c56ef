"""The value that every setting has by itself, and what the comments say about it.

Read from RecBole's YAML files and, for recommenders of ours, from the `DEFAULTS` of their files.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from utils.recbole_port.known_models import SHIPPED, KnownModel, declared_defaults, models, own_sources, recbole_root
from utils.yaml_loader import Loader

_COMMENT = re.compile(r'^\s*"?(\w+)"?:[^#\n]*#\s*(?:\(([^)\n]*)\)\s*)?(.+?)\s*$', re.M)
# Models that RecBole gives other defaults than the rest of their family.
_OTHER_DEFAULTS = {
    "DIN": "sequential_DIN",
    "DIEN": "sequential_DIN",
    "GRU4RecKG": "sequential_embedding_model",
    "KSR": "sequential_embedding_model",
}
_FAMILY_DEFAULTS = {
    "sequential": "sequential",
    "context": "context-aware",
    "exlib": "context-aware",
    "knowledge": "knowledge_base",
}
_ML_100K_DEFAULTS = {
    "sequential_DIN": "sequential_DIN_on_ml-100k",
    "context-aware": "context-aware_ml-100k",
}
_SPECIAL_ON_ML_100K = {"GRU4RecF", "SASRecF", "FDSA", "S3Rec"}


@lru_cache(maxsize=256)
def defaults(model: str | None, dataset: str | None = None) -> dict[str, Any]:
    """The value of every setting that has one without being given, for this model and dataset."""
    properties = recbole_root() / "properties"
    known = models().get(model or "")
    files = [properties / "overall.yaml", properties / "dataset" / "sample.yaml"]
    if known:
        files.insert(1, _own_file(known.name))
    if dataset and re.fullmatch(r"[\w.-]+", dataset):
        files.append(properties / "dataset" / f"{dataset}.yaml")
    if known:
        files += [properties / "quick_start_config" / f"{name}.yaml" for name in _quick_start(known, dataset)]
    merged: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            merged.update(_yaml(file))
    return merged | (declared_defaults(known) if known else {})


def _quick_start(known: KnownModel, dataset: str | None) -> list[str]:
    """The files that RecBole lays over a model's defaults, weakest first."""
    first = _OTHER_DEFAULTS.get(known.name) or _FAMILY_DEFAULTS.get(known.kind)
    if first is None:
        return []
    special = [_ML_100K_DEFAULTS[first]] if first in _ML_100K_DEFAULTS else []
    if known.name in _SPECIAL_ON_ML_100K:
        special = ["special_sequential_on_ml-100k"]
    return [first, *(special if dataset == SHIPPED else [])]


def own_defaults(model: str) -> dict[str, Any]:
    """What RecBole's file on this one model says, or ours; empty when there is none."""
    known, file = models().get(model), _own_file(model)
    return (dict(_yaml(file)) if file.is_file() else {}) | (declared_defaults(known) if known else {})


def unknown_to_recbole(model: str) -> dict[str, Any]:
    """The defaults of a model that RecBole, which looks into its own files for the model's name, does not find."""
    known = models()[model]
    return own_defaults(model) if known.base else declared_defaults(known)


def _own_file(model: str) -> Path:
    """RecBole's file on this one model, or on the model that one of ours derives from."""
    known = models().get(model)
    return recbole_root() / "properties" / "model" / f"{(known and known.base) or model}.yaml"


@lru_cache(maxsize=256)
def _yaml(file: Path) -> dict[str, Any]:
    # Loader is a SafeLoader.
    return yaml.load(file.read_text("utf-8"), Loader=Loader) or {}


def descriptions(model: str | None = None) -> dict[str, str]:
    """RecBole's one-line comment on each general setting, or on each setting of one model."""
    return {setting: text for setting, (_, text) in _comments(model).items()}


@lru_cache(maxsize=128)
def _comments(model: str | None) -> dict[str, tuple[str, str]]:
    """Setting -> (type, meaning) as the comments beside the values state them."""
    properties = recbole_root() / "properties"
    files = [_own_file(model)] if model else [properties / "overall.yaml", properties / "dataset" / "sample.yaml"]
    known = models().get(model or "")
    texts = own_sources(known) if known else []
    texts += [file.read_text("utf-8") for file in files if file.is_file()]
    found: dict[str, tuple[str, str]] = {}
    for text in texts:
        for name, kind, meaning in _COMMENT.findall(text):
            found.setdefault(name, (kind, meaning))
    return found


def is_text(model: str, setting: str) -> bool:
    """Whether RecBole's comment calls a setting a text, whatever its default looks like (`100  # (str)`)."""
    return _comments(model).get(setting, ("", ""))[0] == "str"


def is_mixed(model: str, setting: str) -> bool:
    """Whether a comment allows values of several types (`mean  # (str or list)`)."""
    return " or " in _comments(model).get(setting, ("", ""))[0]


def choices(model: str, setting: str) -> list[str]:
    """The texts that RecBole's comment allows (`Range in ['BPR', 'CE']`); empty when it names none."""
    match = re.search(r"[Rr]ang(?:e|ing) in `*\[([^\]]+)\]", descriptions(model).get(setting, ""))
    found = [choice.strip(" '\"") for choice in match[1].split(",")] if match else []
    return found if own_defaults(model).get(setting) in found else []

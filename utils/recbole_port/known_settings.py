"""Which settings RecBole and each of its models read, found in its files without importing it.

RecBole takes any key and reads a missing one as None, so a typo trains the default model. What it reads
stands in three places: its YAML defaults, its argument lists, and every `config["..."]` in its code.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from utils.scenario.source import parse_value

_READ = re.compile(
    r"""config(?:\.final_config_dict)?(?:\[|\.get\()\s*["'](\w+)["']|["'](\w+)["'] in (?:self\.)?config\b"""
)
_IMPORT = re.compile(r"^\s*from recbole\.model\.(\w+_recommender)\.(\w+) import", re.M)
_ATTRIBUTE = re.compile(r"self\.config\.(\w+)|\bconfig\.(log_wandb|wandb_project)")

# Set by RecBole itself after the settings are read, so that a value given here would be lost.
COMPUTED = frozenset(
    [
        "MODEL_TYPE",
        "MODEL_INPUT_TYPE",
        "device",
        "single_spec",
        "eval_type",
        "valid_neg_sample_args",
        "test_neg_sample_args",
        "final_config_dict",
        "model_class",
        "parameters",
        "yaml_loader",
        "full",
    ]
)
# Read, but not usable here: why, and what to do instead.
REFUSED = {
    "dataset_save_path": "RecBole unpickles it, which runs any code in the file; remove it",
    "dataloaders_save_path": "RecBole unpickles it, which runs any code in the file; remove it",
    "save_dataset": "RecBole pickles the dataset; use the command 'save_datasets'",
    "save_dataloaders": "RecBole pickles the loaders; use the command 'save_datasets'",
    "config_file": "a scenario is one file; put the settings into it",
    "config_files": "a scenario is one file; put the settings into it",
    "local_rank": "training in several processes is not supported",
    "nproc": "training in several processes is not supported",
    "world_size": "training in several processes is not supported",
    "offset": "training in several processes is not supported",
    "ip": "training in several processes is not supported",
    "port": "training in several processes is not supported",
    "neg_sampling": "RecBole no longer reads it; use train_neg_sample_args",
    "training_neg_sample_num": "RecBole no longer reads it; use train_neg_sample_args",
}
_TYPES = {
    "general_recommender": "general",
    "sequential_recommender": "sequential",
    "context_aware_recommender": "context",
    "knowledge_aware_recommender": "knowledge",
    "exlib_recommender": "exlib",
}
_TYPE_DEFAULTS = {"sequential": "sequential.yaml", "context": "context-aware.yaml", "exlib": "context-aware.yaml",
                  "knowledge": "knowledge_base.yaml"}  # fmt: skip


@dataclass(frozen=True)
class KnownModel:
    """A recommender that `model:` may name: its family and the file that defines it."""

    name: str
    family: str
    source: Path


def _root() -> Path:
    spec = importlib.util.find_spec("recbole")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("RecBole is not installed; run: pip install recbole==1.2.1")
    return Path(spec.submodule_search_locations[0])


@lru_cache(maxsize=1)
def models() -> dict[str, KnownModel]:
    """Every model `model:` may name: RecBole's, and our own in `models/recommenders` and `models/`."""
    found = {}
    for folder, family in _TYPES.items():
        for file in sorted((_root() / "model" / folder).glob("*.py")):
            for name in _class_names(file):
                # RecBole finds a class by its file: `neumf.py` holds `NeuMF`; other classes are parts.
                if name.lower() == file.stem:
                    found[name] = KnownModel(name, family, file)
    own = Path(__file__).parents[2] / "models"
    for file in sorted([*(own / "recommenders").glob("*.py"), *own.glob("*.py")]):
        for name in _class_names(file):
            if name.lower() == file.stem.replace("_", ""):
                found[name] = KnownModel(name, "own", file)
    return found


def settings_of(model: str | None) -> frozenset[str]:
    """Every setting that a run of `model` reads (of no model in particular when it is unknown)."""
    known = models().get(model or "")
    return _general_settings(known.name if known else "") | (_read_by_model(known.name) if known else frozenset())


def readers_of(setting: str) -> list[str]:
    """Names of the models that read a setting which RecBole at large does not."""
    return [name for name in models() if setting in _read_by_model(name)]


@lru_cache(maxsize=64)
def defaults(model: str | None, dataset: str | None = None) -> dict[str, Any]:
    """RecBole's own value of every setting that has one, for this model and dataset."""
    properties = _root() / "properties"
    known = models().get(model or "")
    files = [properties / "overall.yaml", properties / "dataset" / "sample.yaml"]
    if known:
        files.insert(1, properties / "model" / f"{known.name}.yaml")
    if dataset:
        files.append(properties / "dataset" / f"{dataset}.yaml")
    if known and known.family in _TYPE_DEFAULTS:
        files.append(properties / "quick_start_config" / _TYPE_DEFAULTS[known.family])
    merged: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            merged.update(parse_value(file.read_text("utf-8")) or {})
    return merged


@lru_cache(maxsize=1)
def descriptions() -> dict[str, str]:
    """RecBole's one-line comment on each general setting."""
    found: dict[str, str] = {}
    for file in ("overall.yaml", "dataset/sample.yaml"):
        text = (_root() / "properties" / file).read_text("utf-8")
        for name, comment in re.findall(r"^(\w+):[^#\n]*#\s*(?:\([^)]*\)\s*)?(.+?)\s*$", text, re.M):
            found.setdefault(name, comment)
    return found


@lru_cache(maxsize=128)
def _general_settings(model: str) -> frozenset[str]:
    root = _root()
    names = set(defaults(None)) | {"model", "dataset"}
    lists = ast.parse((root / "utils" / "argument_list.py").read_text("utf-8"))
    for node in ast.walk(lists):
        if isinstance(node, ast.List):
            names.update(element.value for element in node.elts if isinstance(element, ast.Constant))
    for folder in ("config", "data", "evaluator", "sampler", "utils"):
        for file in (root / folder).rglob("*.py"):
            names |= _reads(file.read_text("utf-8"))
    # A base class, layer or trainer of another family is not part of this run.
    family = models()[model].family if model in models() else "own"
    if family in {"context", "exlib", "own"}:
        names |= _reads((root / "model" / "layers.py").read_text("utf-8"))
    for base, section in _classes(root / "model" / "abstract_recommender.py", "Recommender"):
        of_family = base.lower() == family or (base, family) == ("Context", "exlib") or family == "own"
        if of_family or base not in {"General", "Sequential", "Knowledge", "Context"}:
            names |= _reads(section)
    for owner, section in _classes(root / "trainer" / "trainer.py", "Trainer"):
        if owner == model or owner not in models():
            names |= _reads(section)
    return frozenset(names) - COMPUTED


@lru_cache(maxsize=256)
def _read_by_model(name: str) -> frozenset[str]:
    known = models()[name]
    names = set(_reads(known.source.read_text("utf-8")))
    properties = _root() / "properties" / "model" / f"{name}.yaml"
    if properties.is_file():
        names.update(parse_value(properties.read_text("utf-8")) or {})
    for folder, parent in _IMPORT.findall(known.source.read_text("utf-8")):
        names |= _reads((_root() / "model" / folder / f"{parent}.py").read_text("utf-8"))
    return frozenset(names) - COMPUTED


def _reads(text: str) -> set[str]:
    found = {name for groups in _READ.findall(text) for name in groups if name}
    return found | {name for groups in _ATTRIBUTE.findall(text) for name in groups if name}


def _classes(file: Path, suffix: str) -> list[tuple[str, str]]:
    """(class name without suffix, its source) of each class in a file."""
    sections = re.split(r"^(?=class )", file.read_text("utf-8"), flags=re.M)
    return [(section[6:].partition("(")[0].removesuffix(suffix), section) for section in sections]


def _class_names(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)\(", file.read_text("utf-8"), re.M)

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
from typing import Any, Literal

import yaml

from utils.yaml_loader import Loader

_READ = re.compile(
    r"""config(?:\.final_config_dict)?(?:\[|\.get\()\s*["'](\w+)["']|["'](\w+)["'] in (?:self\.)?config\b"""
)
_IMPORT = re.compile(r"^\s*from recbole\.model\.(\w+_recommender)\.(\w+) import", re.M)
_COMMENT = re.compile(r"^(\w+):[^#\n]*#\s*(?:\(([^)\n]*)\)\s*)?(.+?)\s*$", re.M)
_INPUT_TYPE = re.compile(r"^\s*input_type = InputType\.(\w+)", re.M)
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
# The dataset that comes with RecBole.
SHIPPED = "ml-100k"
_TRANSFORMS = "transform.py"
# Files of RecBole's data folder that only some families use.
_DATA_OF = {_TRANSFORMS: {"sequential", "own"}, "decisiontree_dataset.py": {"exlib", "own"}}
# The device, which RecBole's trainer looks up once more.
_WITH_DATA = frozenset({"use_gpu", "gpu_id"})
_TYPES = {
    "general_recommender": "general",
    "sequential_recommender": "sequential",
    "context_aware_recommender": "context",
    "knowledge_aware_recommender": "knowledge",
    "exlib_recommender": "exlib",
}
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


@dataclass(frozen=True)
class KnownModel:
    """A recommender that `model:` may name: its family and the file that defines it.

    family: general, sequential, context, knowledge or exlib, as RecBole sorts them, or own for ours.
    kind: the same, where ours have the family of their base class.
    """

    name: str
    family: str
    source: Path
    kind: str = "general"


def _root() -> Path:
    spec = importlib.util.find_spec("recbole")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("RecBole is not installed; run: pip install recbole==1.2.1")
    return Path(spec.submodule_search_locations[0])


def shipped_dataset(name: str) -> Path:
    """The folder of a dataset that comes with RecBole."""
    return _root() / "dataset_example" / name


@lru_cache(maxsize=1)
def models() -> dict[str, KnownModel]:
    """Every model `model:` may name: RecBole's, and our own in `models/recommenders` and `models/`."""
    found = {}
    for folder, family in _TYPES.items():
        for file in sorted((_root() / "model" / folder).glob("*.py")):
            for name in _class_names(file):
                # RecBole finds a class by its file: `neumf.py` holds `NeuMF`; other classes are parts.
                if name.lower() == file.stem:
                    found[name] = KnownModel(name, family, file, family)
    own = Path(__file__).parents[2] / "models"
    for file in sorted([*(own / "recommenders").glob("*.py"), *own.glob("*.py")]):
        for name in _class_names(file):
            if name.lower() == file.stem.replace("_", ""):
                found[name] = KnownModel(name, "own", file, _kind_of(file, found))
    return found


def _kind_of(file: Path, known: dict[str, KnownModel]) -> str:
    """The family of the first base class in a file of ours that tells it."""
    for base in re.findall(r"^class \w+\(([\w.]+)", file.read_text("utf-8"), re.M):
        name = base.rpartition(".")[2]
        if name in known:
            return known[name].kind
        if name.removesuffix("Recommender").lower() in set(_TYPES.values()):
            return name.removesuffix("Recommender").lower()
    return "general"


def settings_of(model: str | None) -> frozenset[str]:
    """Every setting that a run of `model` reads (of no model in particular when it is unknown)."""
    known = models().get(model or "")
    return _general_settings(known.name if known else "") | (_read_by_model(known.name) if known else frozenset())


def readers_of(setting: str) -> list[str]:
    """Names of the models that read a setting which RecBole at large does not."""
    return [name for name in models() if setting in _read_by_model(name)]


@lru_cache(maxsize=256)
def defaults(model: str | None, dataset: str | None = None) -> dict[str, Any]:
    """RecBole's own value of every setting that has one, for this model and dataset."""
    properties = _root() / "properties"
    known = models().get(model or "")
    files = [properties / "overall.yaml", properties / "dataset" / "sample.yaml"]
    if known:
        files.insert(1, properties / "model" / f"{known.name}.yaml")
    if dataset and re.fullmatch(r"[\w.-]+", dataset):
        files.append(properties / "dataset" / f"{dataset}.yaml")
    if known:
        files += [properties / "quick_start_config" / f"{name}.yaml" for name in _quick_start(known, dataset)]
    merged: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            merged.update(_yaml(file))
    return merged


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
    """What RecBole's file on this one model says; empty when it has none."""
    file = _root() / "properties" / "model" / f"{model}.yaml"
    return dict(_yaml(file)) if file.is_file() else {}


@lru_cache(maxsize=256)
def _yaml(file: Path) -> dict[str, Any]:
    # Loader is a SafeLoader.
    return yaml.load(file.read_text("utf-8"), Loader=Loader) or {}


def descriptions(model: str | None = None) -> dict[str, str]:
    """RecBole's one-line comment on each general setting, or on each setting of one model."""
    return {setting: text for setting, (_, text) in _comments(model).items()}


@lru_cache(maxsize=128)
def _comments(model: str | None) -> dict[str, tuple[str, str]]:
    """Setting -> (type, meaning) as RecBole's comments state them."""
    files = [f"model/{model}.yaml"] if model else ["overall.yaml", "dataset/sample.yaml"]
    found: dict[str, tuple[str, str]] = {}
    for file in (_root() / "properties" / name for name in files):
        for name, kind, text in _COMMENT.findall(file.read_text("utf-8")) if file.is_file() else ():
            found.setdefault(name, (kind, text))
    return found


def is_text(model: str, setting: str) -> bool:
    """Whether RecBole's comment calls a setting a text, whatever its default looks like (`100  # (str)`)."""
    return _comments(model).get(setting, ("", ""))[0] == "str"


def choices(model: str, setting: str) -> list[str]:
    """The texts that RecBole's comment allows (`Range in ['BPR', 'CE']`); empty when it names none."""
    match = re.search(r"[Rr]ang(?:e|ing) in `*\[([^\]]+)\]", descriptions(model).get(setting, ""))
    found = [choice.strip(" '\"") for choice in match[1].split(",")] if match else []
    return found if own_defaults(model).get(setting) in found else []


def input_type(model: str, loss_type: Any) -> str | None:
    """POINTWISE, PAIRWISE or LISTWISE: fixed by the model's class, else by its loss, as RecBole decides it."""
    for source in _sources(models()[model]):
        found = _INPUT_TYPE.search(source)
        if found:
            return found[1]
    return {"CE": "POINTWISE", "BPR": "PAIRWISE"}.get(str(loss_type))


def fixes_input_type(model: str) -> bool:
    """Whether the model's class says how it takes its input, whatever `loss_type` is."""
    return any(_INPUT_TYPE.search(source) for source in _sources(models()[model]))


def mentions(model: str, text: str) -> bool:
    """Whether a text stands in the code of a model or of the models it derives from."""
    return any(text in source for source in _sources(models()[model]))


@lru_cache(maxsize=1)
def trained_on_users() -> frozenset[str]:
    """Models that RecBole feeds whole users instead of interactions, so that they draw no negatives."""
    text = (_root() / "data" / "utils.py").read_text("utf-8")
    return frozenset(re.findall(r'"(\w+)": _get_AE_dataloader', text))


@lru_cache(maxsize=128)
def _general_settings(model: str) -> frozenset[str]:
    root = _root()
    names = set(defaults(None)) | {"model", "dataset"}
    lists = ast.parse((root / "utils" / "argument_list.py").read_text("utf-8"))
    for node in ast.walk(lists):
        if isinstance(node, ast.List):
            names.update(str(element.value) for element in node.elts if isinstance(element, ast.Constant))
    for folder in ("config", "data", "evaluator", "sampler", "utils"):
        for file in (root / folder).rglob("*.py"):
            names |= _reads(file.read_text("utf-8")) if file.name not in _DATA_OF else set()
    # A base class, layer, dataset or trainer of another family is not part of this run.
    family = models()[model].kind if model in models() else "own"
    if model in models() and models()[model].family == "own":
        family = "own"
    for name, families in _DATA_OF.items():
        if family in families:
            (file,) = (root / "data").rglob(name)
            names |= _reads(file.read_text("utf-8"))
    if family in {"context", "exlib", "own"}:
        names |= _reads((root / "model" / "layers.py").read_text("utf-8"))
    for base, section in _classes(root / "model" / "abstract_recommender.py", "Recommender"):
        of_family = base.lower() == family or (base, family) == ("Context", "exlib") or family == "own"
        if of_family or base not in {"General", "Sequential", "Knowledge", "Context"}:
            names |= _reads(section)
    return frozenset(names | _read_by_its_trainer(model)) - COMPUTED


@lru_cache(maxsize=128)
def _read_by_its_trainer(model: str) -> frozenset[str]:
    names: set[str] = set()
    for owner, section in _classes(_root() / "trainer" / "trainer.py", "Trainer"):
        if owner == model or owner not in models():
            names |= _reads(section)
    # Only compared there with weight_decay, for a warning; who uses it is a model.
    return frozenset(names - {"reg_weight"})


def read_first_by(model: str, setting: str, transform: str | None) -> Literal["data", "model", "trainer"]:
    """Which part of RecBole is the first to read a setting of this model: its data, the model, or its trainer.

    transform: the setting of that name; loaders read what their transform needs.
    """
    known = model in models()
    if setting in _data_settings(transform) or setting in _WITH_DATA:
        return "data"
    if setting == "loss_type" and known and not fixes_input_type(model):
        # It tells the loaders whether to draw pairs.
        return "data"
    if known and setting in _read_in_code_of(model):
        return "model"
    if setting in _read_by_its_trainer(model) or setting in _evaluation_settings():
        return "trainer"
    return "data" if setting in defaults(None) else "model"


@lru_cache(maxsize=16)
def _data_settings(transform: str | None) -> frozenset[str]:
    """What datasets, samplers and loaders read."""
    names: set[str] = set()
    for folder in ("data", "sampler"):
        for file in (_root() / folder).rglob("*.py"):
            names |= _reads(file.read_text("utf-8")) if file.name != _TRANSFORMS else set()
    file = _root() / "data" / _TRANSFORMS
    chosen = dict(re.findall(r'"(\w+)": (\w+),', file.read_text("utf-8"))).get(transform)
    for name, section in _classes(file, ""):
        if name.startswith(f"{chosen}:"):
            names |= _reads(section)
    return frozenset(names)


@lru_cache(maxsize=1)
def _evaluation_settings() -> frozenset[str]:
    """What the parts of a trainer read: metrics, collector, loggers."""
    files = [*(_root() / "evaluator").rglob("*.py"), _root() / "utils" / "wandblogger.py"]
    return frozenset().union(*(_reads(file.read_text("utf-8")) for file in files))


@lru_cache(maxsize=256)
def _read_by_model(name: str) -> frozenset[str]:
    return (frozenset(own_defaults(name)) | _read_in_code_of(name)) - COMPUTED


@lru_cache(maxsize=256)
def _read_in_code_of(name: str) -> frozenset[str]:
    return frozenset().union(*(_reads(source) for source in _sources(models()[name])))


@lru_cache(maxsize=256)
def _sources(known: KnownModel) -> tuple[str, ...]:
    """The code of a model and of the models of RecBole that it imports, its own first."""
    found = {known.source: known.source.read_text("utf-8")}
    waiting = [known.source]
    while waiting:
        for folder, parent in _IMPORT.findall(found[waiting.pop()]):
            file = _root() / "model" / folder / f"{parent}.py"
            if file.is_file() and file not in found:
                found[file] = file.read_text("utf-8")
                waiting.append(file)
    return tuple(found.values())


def _reads(text: str) -> set[str]:
    found = {name for groups in _READ.findall(text) for name in groups if name}
    return found | {name for groups in _ATTRIBUTE.findall(text) for name in groups if name}


def _classes(file: Path, suffix: str) -> list[tuple[str, str]]:
    """(class name without suffix, its source) of each class in a file."""
    sections = re.split(r"^(?=class )", file.read_text("utf-8"), flags=re.M)
    return [(section[6:].partition("(")[0].removesuffix(suffix), section) for section in sections]


def _class_names(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)\(", file.read_text("utf-8"), re.M)

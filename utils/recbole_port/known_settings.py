"""Which settings RecBole and each of its models read, found in its files without importing it.

RecBole takes any key and reads a missing one as None, so a typo trains the default model. What it reads
stands in three places: its YAML defaults, its argument lists, and every `config["..."]` in its code.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Literal

from utils.recbole_port.known_defaults import defaults, own_defaults
from utils.recbole_port.known_models import classes, fixes_input_type, models, recbole_root, sources

_READ = re.compile(
    r"""config(?:\.final_config_dict)?(?:\[|\.get\()\s*["'](\w+)["']|["'](\w+)["'] in (?:self\.)?config\b"""
)
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
_TRANSFORMS = "transform.py"
# Files of RecBole's data folder that only some families use.
_DATA_OF = {_TRANSFORMS: {"sequential", "own"}, "decisiontree_dataset.py": {"exlib", "own"}}
# The device, which RecBole's trainer looks up once more.
_WITH_DATA = frozenset({"use_gpu", "gpu_id"})


def settings_of(model: str | None) -> frozenset[str]:
    """Every setting that a run of `model` reads (of no model in particular when it is unknown)."""
    known = models().get(model or "")
    return _general_settings(known.name if known else "") | (_read_by_model(known.name) if known else frozenset())


def readers_of(setting: str) -> list[str]:
    """Names of the models that read a setting which RecBole at large does not."""
    return [name for name in models() if setting in _read_by_model(name)]


@lru_cache(maxsize=128)
def _general_settings(model: str) -> frozenset[str]:
    root = recbole_root()
    names = set(defaults(None)) | {"model", "dataset"}
    lists = ast.parse((root / "utils" / "argument_list.py").read_text("utf-8"))
    for node in ast.walk(lists):
        if isinstance(node, ast.List):
            names.update(str(element.value) for element in node.elts if isinstance(element, ast.Constant))
    for folder in ("config", "data", "evaluator", "sampler", "utils"):
        for file in (root / folder).rglob("*.py"):
            names |= _reads(file.read_text("utf-8")) if file.name not in _DATA_OF else set()
    # A base class, layer, dataset or trainer of another family is not part of this run.
    # A recommender that only we have may derive from anything.
    family = models()[model].family if model in models() else "own"
    for name, families in _DATA_OF.items():
        if family in families:
            (file,) = (root / "data").rglob(name)
            names |= _reads(file.read_text("utf-8"))
    if family in {"context", "exlib", "own"}:
        names |= _reads((root / "model" / "layers.py").read_text("utf-8"))
    for base, section in classes(root / "model" / "abstract_recommender.py", "Recommender"):
        of_family = base.lower() == family or (base, family) == ("Context", "exlib") or family == "own"
        if of_family or base not in {"General", "Sequential", "Knowledge", "Context"}:
            names |= _reads(section)
    return frozenset(names | _read_by_its_trainer(model)) - COMPUTED


@lru_cache(maxsize=128)
def _read_by_its_trainer(model: str) -> frozenset[str]:
    names: set[str] = set()
    for owner, section in classes(recbole_root() / "trainer" / "trainer.py", "Trainer"):
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
        for file in (recbole_root() / folder).rglob("*.py"):
            names |= _reads(file.read_text("utf-8")) if file.name != _TRANSFORMS else set()
    file = recbole_root() / "data" / _TRANSFORMS
    chosen = dict(re.findall(r'"(\w+)": (\w+),', file.read_text("utf-8"))).get(transform)
    for name, section in classes(file, ""):
        if name.startswith(f"{chosen}:"):
            names |= _reads(section)
    return frozenset(names)


@lru_cache(maxsize=1)
def dataset_settings() -> frozenset[str]:
    """What RecBole's datasets read as they load, filter and split; without where they would be pickled."""
    files = (recbole_root() / "data" / "dataset").glob("*.py")
    return frozenset().union(*(_reads(file.read_text("utf-8")) for file in files)) - {"checkpoint_dir", "yaml_loader"}


@lru_cache(maxsize=1)
def _evaluation_settings() -> frozenset[str]:
    """What the parts of a trainer read: metrics, collector, loggers."""
    files = [*(recbole_root() / "evaluator").rglob("*.py"), recbole_root() / "utils" / "wandblogger.py"]
    return frozenset().union(*(_reads(file.read_text("utf-8")) for file in files))


@lru_cache(maxsize=256)
def _read_by_model(name: str) -> frozenset[str]:
    return (frozenset(own_defaults(name)) | _read_in_code_of(name)) - COMPUTED


@lru_cache(maxsize=256)
def _read_in_code_of(name: str) -> frozenset[str]:
    return frozenset().union(*(_reads(source) for source in sources(models()[name])))


def _reads(text: str) -> set[str]:
    found = {name for groups in _READ.findall(text) for name in groups if name}
    return found | {name for groups in _ATTRIBUTE.findall(text) for name in groups if name}

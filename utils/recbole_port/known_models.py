"""Which recommenders `model:` may name, and what their code says, read without importing RecBole."""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_IMPORT = re.compile(r"^\s*from recbole\.model\.(\w+_recommender)\.(\w+) import", re.M)
_INPUT_TYPE = re.compile(r"^\s*input_type = InputType\.(\w+)", re.M)
_OWN_IMPORT = re.compile(r"^\s*from models\.([\w.]+) import", re.M)
_WINDOWS = re.compile(r"^\s*trains_on_windows = True", re.M)
_VECTORS = re.compile(r"^\s*takes_vectors = True", re.M)
# The dataset that comes with RecBole.
SHIPPED = "ml-100k"
_TYPES = {
    "general_recommender": "general",
    "sequential_recommender": "sequential",
    "context_aware_recommender": "context",
    "knowledge_aware_recommender": "knowledge",
    "exlib_recommender": "exlib",
}


@dataclass(frozen=True)
class KnownModel:
    """A recommender that `model:` may name: its family and the file that defines it.

    family: general, sequential, context, knowledge or exlib, as RecBole sorts them, or own for names only we have.
    kind: the same, where ours have the family of their base class.
    base: the model of RecBole whose settings a name only we have takes over; empty where there is none.
    """

    name: str
    family: str
    source: Path
    kind: str = "general"
    base: str = ""

    @property
    def ours(self) -> bool:
        """Whether the code is ours; it may stand in for RecBole's of the same name."""
        return recbole_root() not in self.source.parents


def recbole_root() -> Path:
    """RecBole's own folder."""
    spec = importlib.util.find_spec("recbole")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("RecBole is not installed; run: pip install recbole==1.2.1")
    return Path(spec.submodule_search_locations[0])


def shipped_dataset(name: str) -> Path:
    """The folder of a dataset that comes with RecBole."""
    return recbole_root() / "dataset_example" / name


@lru_cache(maxsize=1)
def models() -> dict[str, KnownModel]:
    """Every model `model:` may name: RecBole's, and our own in `models/recommenders` and `models/`."""
    found = {}
    for folder, family in _TYPES.items():
        for file in sorted((recbole_root() / "model" / folder).glob("*.py")):
            for name in _class_names(file):
                # RecBole finds a class by its file: `neumf.py` holds `NeuMF`; other classes are parts.
                if name.lower() == file.stem:
                    found[name] = KnownModel(name, family, file, family)
    own = _own_root()
    for file in sorted([*(own / "recommenders").glob("*.py"), *own.glob("*.py")]):
        for name in _class_names(file):
            if name.lower() == file.stem.replace("_", ""):
                theirs = found.get(name)
                family, kind = (theirs.family, theirs.kind) if theirs else ("own", _kind_of(file, found))
                found[name] = KnownModel(name, family, file, kind, "" if theirs else _base_of(file, found))
    return found


def declared_defaults(known: KnownModel) -> dict[str, Any]:
    """The literal dicts `DEFAULTS` in the files of ours that make a model: settings that RecBole does not have."""
    found: dict[str, Any] = {}
    for text in own_sources(known):
        for node in ast.parse(text).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value and getattr(target, "id", "") == "DEFAULTS":
                found = dict(ast.literal_eval(node.value)) | found
    return found


def _own_root() -> Path:
    """The folder of our models."""
    return Path(__file__).parents[2] / "models"


def _bases(file: Path) -> list[str]:
    """The first base class of each class in a file."""
    found = re.findall(r"^class \w+\(([\w.]+)", file.read_text("utf-8"), re.M)
    return [base.rpartition(".")[2] for base in found]


def _base_of(file: Path, known: dict[str, KnownModel]) -> str:
    """The first model that a file of ours derives one from; empty when there is none."""
    return next((name for name in _bases(file) if name in known), "")


def _kind_of(file: Path, known: dict[str, KnownModel]) -> str:
    """The family of the first base class in a file of ours that tells it."""
    for name in _bases(file):
        if name in known:
            return known[name].kind
        if name.removesuffix("Recommender").lower() in set(_TYPES.values()):
            return name.removesuffix("Recommender").lower()
    return "general"


def input_type(model: str, loss_type: Any) -> str | None:
    """POINTWISE, PAIRWISE or LISTWISE: fixed by the model's class, else by its loss, as RecBole decides it."""
    for source in sources(models()[model]):
        found = _INPUT_TYPE.search(source)
        if found:
            return found[1]
    return {"CE": "POINTWISE", "BPR": "PAIRWISE"}.get(str(loss_type))


def fixes_input_type(model: str) -> bool:
    """Whether the model's class says how it takes its input, whatever `loss_type` is."""
    return any(_INPUT_TYPE.search(source) for source in sources(models()[model]))


def trains_on_windows(model: str) -> bool:
    """Whether a sequential model has a loss over all positions of a window."""
    return any(_WINDOWS.search(source) for source in sources(models()[model]))


def takes_vectors(model: str) -> bool:
    """Whether a model is built with vectors of users or items."""
    return any(_VECTORS.search(source) for source in sources(models()[model]))


def mentions(model: str, text: str) -> bool:
    """Whether a text stands in the code of a model or of the models it derives from."""
    return any(text in source for source in sources(models()[model]))


@lru_cache(maxsize=1)
def trained_on_users() -> frozenset[str]:
    """Models that RecBole feeds whole users instead of interactions, so that they draw no negatives."""
    text = (recbole_root() / "data" / "utils.py").read_text("utf-8")
    return frozenset(re.findall(r'"(\w+)": _get_AE_dataloader', text))


def sources(known: KnownModel) -> tuple[str, ...]:
    """The code of a model and of what it imports: RecBole's models and files of ours; its own first."""
    return tuple(_files(known).values())


def own_sources(known: KnownModel) -> list[str]:
    """Those of `sources` that are ours."""
    return [text for file, text in _files(known).items() if recbole_root() not in file.parents]


@lru_cache(maxsize=256)
def _files(known: KnownModel) -> dict[Path, str]:
    found = {known.source: known.source.read_text("utf-8")}
    waiting = [known.source]
    while waiting:
        text = found[waiting.pop()]
        files = [recbole_root() / "model" / folder / f"{parent}.py" for folder, parent in _IMPORT.findall(text)]
        files += [_own_root() / f"{module.replace('.', '/')}.py" for module in _OWN_IMPORT.findall(text)]
        for file in files:
            if file.is_file() and file not in found:
                found[file] = file.read_text("utf-8")
                waiting.append(file)
    return found


def classes(file: Path, suffix: str) -> list[tuple[str, str]]:
    """(class name without suffix, its source) of each class in a file."""
    sections = re.split(r"^(?=class )", file.read_text("utf-8"), flags=re.M)
    return [(section[6:].partition("(")[0].removesuffix(suffix), section) for section in sections]


def _class_names(file: Path) -> list[str]:
    return re.findall(r"^class (\w+)\(", file.read_text("utf-8"), re.M)

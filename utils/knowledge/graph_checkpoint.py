"""Checkpoints of graph language models: what was trained, and all that is needed to build the rest around it again.

A file is written by `torch.save` as plain types only and read with `weights_only=True`. The language model itself is
not in it, only its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from models.training.trained_state import copied, misfit, put_in
from utils.data.torch_files import load_plain, save_plain
from utils.registry import did_you_mean

_PARTS = ("config", "tensors", "meta")
# The very types that a reader is sure to get back; a subclass such as NumPy's float64 is none of them.
_PLAIN = (str, int, float, bool, type(None))


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, read or used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class GraphCheckpoint:
    """A trained graph language model without its language model.

    config: how it is built; plain values. tensors: trained parameters and the statistics of normalisations, by name.
    meta: what it was trained on and how; plain values.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    meta: dict[str, Any]


class OwnsState(Protocol):
    """A module that says which of its tensors a checkpoint is about."""

    def own_state(self) -> Mapping[str, Tensor]:
        """References to its tensors, by name."""
        ...


def write_checkpoint(path: Path, checkpoint: GraphCheckpoint) -> None:
    """Write atomically; CheckpointError, and no file, for what could not be read again."""
    content = {name: getattr(checkpoint, name) for name in _PARTS}
    _check(path, content)
    # Of a tensor that is a part of another, the copy holds no more than the part.
    save_plain(path, {**content, "tensors": copied(checkpoint.tensors)})


def read_checkpoint(path: Path) -> GraphCheckpoint:
    """Read a file, its tensors on the CPU; CheckpointError for a missing, unsafe, broken or contradictory one."""
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, not a checkpoint of a graph language model")
    if not path.is_file():
        near = did_you_mean(path.name, [file.name for file in path.parent.glob(f"*{path.suffix}")])
        raise CheckpointError(f"no file {path}{near}")
    content = load_plain(path, CheckpointError)
    _check(path, content)
    return GraphCheckpoint(**content)


def load_into(path: Path, module: OwnsState, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of the file `path` into those that `module` says are its own, in place: all of them, or none.

    CheckpointError for a tensor too few or too many or of another shape, with the first five names of each kind.
    """
    own = module.own_state()
    wrong = misfit(own, tensors)
    if wrong:
        raise CheckpointError(f"{path} does not fit this model: {wrong}")
    put_in(own, tensors)


def _check(path: Path, content: Any) -> None:
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds {type(content).__name__}, not a checkpoint of a graph language model")
    missing = [name for name in _PARTS if name not in content]
    unknown = [name for name in content if name not in _PARTS]
    if missing or unknown:
        what = f"holds no {missing[0]}" if missing else f"also holds '{unknown[0]}'"
        raise CheckpointError(f"{path} {what}; a checkpoint of a graph language model holds {', '.join(_PARTS)}")
    for name in _PARTS:
        if type(content[name]) is not dict:
            raise CheckpointError(f"{path}: its {name} is {type(content[name]).__name__}, not dict")
    for name, value in content["tensors"].items():
        if type(name) is not str or not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: its tensors has {name!r}: {type(value).__name__}; it is tensors by name")
    for name in ("config", "meta"):
        _check_plain(path, name, content[name])


def _check_plain(path: Path, name: str, value: Any) -> None:
    if type(value) is dict:
        for key, inner in value.items():
            if type(key) is not str:
                raise CheckpointError(f"{path}: {name} has the key {key!r}; keys are texts")
            _check_plain(path, f"{name}.{key}", inner)
    elif type(value) in (list, tuple):
        for at, inner in enumerate(value):
            _check_plain(path, f"{name}[{at}]", inner)
    elif type(value) not in _PLAIN:
        raise CheckpointError(
            f"{path}: {name} is {type(value).__module__}.{type(value).__qualname__}; "
            "it is a text, a number, true, false, null, or a list or mapping of these"
        )

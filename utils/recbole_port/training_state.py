"""Everything that a training changes, as plain values: taken at one place of the program and put back there.

Weights, optimizers and random generators are always taken. Of all else that trainer and model carry (MultiVAE's
annealing counter, NCL's clusters, KGAT's attention, early stopping) only what differs from the training's start is:
the steps of the scenario make the start again.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import random
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import DataLoader

from utils.recbole_port.checkpoints import from_plain, to_plain

# torch keeps these for itself; of them only the mode is not in the state dict.
_OF_MODULES = vars(torch.nn.Module()).keys() - {"training"}
# A resumed training begins elsewhere, and its best model's file is looked after by name.
_NOT_STATE = frozenset({"start_epoch", "saved_model_file"})


class Foreign(TypeError):
    """A value that is not plain: a dataset, a module, a logger. It is made anew, not kept."""


@dataclass(frozen=True)
class Mark:
    """What an attribute was: a tensor and its version, or a digest of a plain value; neither for anything else."""

    tensor: weakref.ref[torch.Tensor] | None = None
    version: int | None = None
    digest: bytes | None = None

    @classmethod
    def of(cls, value: Any) -> Mark:
        if isinstance(value, torch.Tensor):
            return cls(weakref.ref(value), value._version)
        return cls(digest=_digest(value))

    def still(self, value: Any) -> bool:
        """Whether the attribute is what it was."""
        if isinstance(value, torch.Tensor):
            return self.tensor is not None and self.tensor() is value and self.version == value._version
        return self.digest is not None and self.digest == _digest(value)


class TrainingState:
    """Takes and puts back the state of one training; made as it begins."""

    def __init__(self, trainer: Any, train: Any, valid: Any) -> None:
        self._trainer = trainer
        self._owners: dict[str, Any] = {"trainer": trainer}
        self._owners |= {f"model.{name}": module for name, module in trainer.model.named_modules()}
        self._loaders = {**_loaders("train", train), **_loaders("valid", valid)}
        self._start = {
            owner: {name: Mark.of(value) for name, value in _attributes(thing)} for owner, thing in self._owners.items()
        }

    def take(self) -> dict[str, Any]:
        """The state as it is, as tensors and plain values that share memory with what they were taken from."""
        optimizers = _optimizers(self._trainer)
        distinct = {name: value for name, value in optimizers.items() if _first_name(optimizers, value) == name}
        return {
            "state_dict": self._trainer.model.state_dict(),
            "beside": _beside(self._trainer),
            "optimizers": {name: to_plain(value.state_dict()) for name, value in distinct.items()},
            # RecVAE's trainer has one for each half, and `optimizer` is the one used last.
            "optimizer_names": {name: _first_name(optimizers, value) for name, value in optimizers.items()},
            "attributes": {owner: self._changed(owner) for owner in self._owners},
            "generators": {
                owner: {name: to_plain(_state_of(value)) for name, value in _generators(thing)}
                for owner, thing in {**self._owners, **self._loaders}.items()
            },
            "random": {
                "python": to_plain(random.getstate()),
                "numpy": to_plain(np.random.get_state()),
                "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
            },
        }

    def misfit(self, state: Mapping[str, Any]) -> str | None:
        """Why `state` cannot be put back here; None where it can."""
        here = _shapes({**self._trainer.model.state_dict(), **_beside(self._trainer)})
        there = _shapes({**state["state_dict"], **state["beside"]})
        differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        if differing:
            name = differing[0]
            return f"'{name}' is {there.get(name, 'missing')} there and {here.get(name, 'missing')} here"
        optimizers = _optimizers(self._trainer)
        if optimizers.keys() != state["optimizer_names"].keys():
            return "its optimizers are others"
        for name, value in state["optimizers"].items():
            groups = [len(group["params"]) for group in optimizers[name].param_groups]
            if groups != [len(group["params"]) for group in value["param_groups"]]:
                return f"its {name} has other parameters"
        owners = self._owners.keys() | self._loaders.keys()
        unknown = sorted((state["attributes"].keys() | state["generators"].keys()) - owners)
        return f"it has a part '{unknown[0]}' that is not here" if unknown else None

    def put_back(self, state: Mapping[str, Any]) -> None:
        """Make everything what it was when `state` was taken; bit for bit."""
        trainer = self._trainer
        trainer.model.load_state_dict(state["state_dict"])
        if state["beside"]:
            found = {name.removeprefix("beside/"): value for name, value in state["beside"].items()}
            trainer.learned_beside.load_state_dict(found)
        for name, first in state["optimizer_names"].items():
            setattr(trainer, name, getattr(trainer, first))
        for name, value in state["optimizers"].items():
            getattr(trainer, name).load_state_dict(from_plain(value))
        for owner, values in state["attributes"].items():
            for name, kept in values.items():
                value = from_plain(kept["value"])
                vars(self._owners[owner])[name] = value.to(kept["device"]) if "device" in kept else value
        for owner, states in state["generators"].items():
            here = dict(_generators({**self._owners, **self._loaders}[owner]))
            for name, value in states.items():
                _set_state(here[name], from_plain(value))
        drawn = state["random"]
        random.setstate(drawn["python"])
        np.random.set_state(from_plain(drawn["numpy"]))
        torch.set_rng_state(drawn["torch"])
        if drawn["cuda"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(drawn["cuda"])

    def _changed(self, owner: str) -> dict[str, dict[str, Any]]:
        """Attributes that are not what they were at the start, with the device of a tensor."""
        changed: dict[str, dict[str, Any]] = {}
        for name, value in _attributes(self._owners[owner]):
            mark = self._start[owner].get(name)
            if mark is not None and mark.still(value):
                continue
            if isinstance(value, torch.Tensor):
                # What still has its graph is the trace of one batch.
                if value.grad_fn is None:
                    changed[name] = {"value": value.detach(), "device": str(value.device)}
            elif _digest(value) is not None:
                # Sets and arrays of objects have no plain form.
                with suppress(TypeError, ValueError):
                    changed[name] = {"value": to_plain(value)}
        return changed


def _beside(trainer: Any) -> dict[str, torch.Tensor]:
    """What is trained beside the model, under names that no layer of it has."""
    learned = getattr(trainer, "learned_beside", None)
    return {} if learned is None else learned.state_dict(prefix="beside/")


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    hidden = _OF_MODULES if isinstance(owner, torch.nn.Module) else _NOT_STATE
    return ((name, value) for name, value in vars(owner).items() if name not in hidden)


class _Digest(pickle.Pickler):
    """Feeds a value that `to_plain` takes, tensors aside, to a hash; Foreign for any other."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        super().__init__(self, protocol=5)

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)

    def reducer_override(self, value: Any) -> Any:
        # Called for all that is not built in, and for the functions that make arrays again.
        if isinstance(value, (dict, np.ndarray, np.generic, np.dtype, type, FunctionType, BuiltinFunctionType)):
            return NotImplemented
        if sp.issparse(value):
            return NotImplemented
        raise Foreign(type(value).__name__)


def _digest(value: Any) -> bytes | None:
    """A hash of a plain value; None for anything else."""
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return None
    digest = _Digest()
    try:
        digest.dump(value)
    except (Foreign, pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError):
        return None
    return digest.hash.digest()


def _loaders(name: str, loader: Any) -> dict[str, Any]:
    """A loader by name, and the two of a knowledge graph's pair, which are its attributes."""
    if loader is None:
        return {}
    inner = {f"{name}.{part}": value for part, value in vars(loader).items() if isinstance(value, DataLoader)}
    sampler = {f"{name}._sampler": loader._sampler} if getattr(loader, "_sampler", None) is not None else {}
    return {name: loader, **inner, **sampler}


@contextmanager
def kept_generators(name: str, loader: Any) -> Iterator[None]:
    """Leave the generators that a loader and its sampler own as they were, whatever the block draws."""
    owned = [generator for part in _loaders(name, loader).values() for _, generator in _generators(part)]
    states = [copy.deepcopy(_state_of(generator)) for generator in owned]
    try:
        yield
    finally:
        for generator, state in zip(owned, states, strict=True):
            _set_state(generator, state)


def _generators(owner: Any) -> Iterator[tuple[str, Any]]:
    kinds = (torch.Generator, np.random.Generator)
    return ((name, value) for name, value in vars(owner).items() if isinstance(value, kinds))


def _state_of(generator: torch.Generator | np.random.Generator) -> Any:
    return generator.get_state() if isinstance(generator, torch.Generator) else generator.bit_generator.state


def _set_state(generator: torch.Generator | np.random.Generator, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _optimizers(trainer: Any) -> dict[str, torch.optim.Optimizer]:
    """By attribute, `optimizer` last."""
    found = {name: value for name, value in vars(trainer).items() if isinstance(value, torch.optim.Optimizer)}
    return dict(sorted(found.items(), key=lambda named: named[0] == "optimizer"))


def _first_name(optimizers: Mapping[str, Any], optimizer: Any) -> str:
    return next(name for name, value in optimizers.items() if value is optimizer)


def _shapes(state: Mapping[str, Any]) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in state.items() if isinstance(value, torch.Tensor)}

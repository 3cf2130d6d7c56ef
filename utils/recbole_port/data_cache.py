"""Datasets that the runs of one process share: read and split once, handed out so that no run sees another's.

Tensors are shared, everything around them is copied: RecBole's loaders sort a part, name new fields and replace
columns, but write into none.
"""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils.recbole_port.known_settings import dataset_settings

# A folder seldom goes back and forth between more; each holds its tensors.
_KEPT = 2
_ALSO_READ = ("seed", "reproducibility", "train_rows", "exact_time")


@dataclass(frozen=True)
class Built:
    """A dataset before its split, the parts, and how many interactions there were; and the random states after it."""

    dataset: Any
    parts: list[Any]
    interactions: int
    random_states: tuple[Any, Any, torch.Tensor]


_built: OrderedDict[tuple[Any, ...], Built] = OrderedDict()


def key_of(config: Any, dataset_class: type) -> tuple[Any, ...]:
    """What a dataset depends on: its class, the settings that RecBole's datasets read, and the files as they are."""
    names = {*dataset_settings(), *_ALSO_READ, *(name for name in config.final_config_dict if name.startswith("alias"))}
    settings = tuple((name, repr(config[name])) for name in sorted(names))
    files = tuple(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in sorted(Path(config["data_path"]).iterdir())
        if file.is_file()
    )
    return dataset_class.__name__, tuple(base.__name__ for base in dataset_class.__bases__), settings, files


def recall(key: tuple[Any, ...], config: Any) -> tuple[Any, list[Any], int] | None:
    """(dataset, parts, interactions) for a run with this config; None where it has to be built.

    The global generators are left as the building left them.
    """
    built = _built.get(key)
    if built is None:
        return None
    _built.move_to_end(key)
    dataset, *parts = _for_run([built.dataset, *built.parts], config)
    random.setstate(built.random_states[0])
    np.random.set_state(built.random_states[1])
    torch.set_rng_state(built.random_states[2])
    return dataset, parts, built.interactions


def keep(key: tuple[Any, ...], dataset: Any, parts: list[Any], interactions: int) -> None:
    """Keep what was just built, before loaders have touched it; the oldest goes."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    first, *others = _for_run([dataset, *parts], dataset.config)
    _built[key] = Built(first, others, interactions, states)
    while len(_built) > _KEPT:
        _built.popitem(last=False)


def forget() -> None:
    """Let go of all datasets."""
    _built.clear()


def _for_run(datasets: list[Any], config: Any) -> list[Any]:
    """Copies that share tensors and arrays with the originals, and dicts only with each other, as in RecBole."""
    kept: dict[int, Any] = {id(datasets[0].config): config}
    for dataset in datasets:
        kept.update((id(value), value) for value in _large(vars(dataset)))
        kept[id(dataset.logger)] = dataset.logger
    return copy.deepcopy(datasets, kept)


def _large(value: Any) -> Iterator[Any]:
    """The tensors and arrays within an attribute."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _large(inner)
    elif isinstance(value, (list, tuple)):
        # A list of one kind of number or text holds none.
        if value and not isinstance(value[0], (int, float, str)):
            for inner in value:
                yield from _large(inner)
    elif hasattr(value, "interaction"):
        yield from _large(value.interaction)

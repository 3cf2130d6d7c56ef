"""RecBole's own sequence - config, data, model, trainer - as functions, seeded exactly where RecBole seeds.

`recbole.quick_start` does this too, but imports ray. The order and the two seedings below are its order and
seedings, so an untouched run here gives RecBole's numbers.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import itertools
import logging
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.transfer.rows import IdFields
from models.transfer.teachers import Side, Teacher
from utils.data.atomic import find_malformed
from utils.data.ids import IdMap
from utils.paths import DEFAULT_DATA_PATH, dataset_dir
from utils.recbole_port import known_defaults, known_models, known_settings, train_rows
from utils.recbole_port.gaps import close_gaps
from utils.recbole_port.known_models import SHIPPED
from utils.recbole_port.speedups import apply_speedups
from utils.threads import default_threads, within_limit

VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
# Settings of ours that data, models or trainers read; None where the scenario does not say.
OURS = ("filter_seen", "precision")


class DataError(ValueError):
    """A dataset that RecBole cannot load, or a split that it does not allow."""


@dataclass
class Data:
    """A dataset, its loaders, and the train parts of `add_train_split` with the full train set last.

    interactions: how many there are after the filters. A sequential dataset loses some of them as it is split,
    since a user's first item is never a target.
    reused: an earlier run of this process has read and split the same data.
    """

    dataset: Any
    train: list[Any]
    valid: Any
    test: Any
    interactions: int
    reused: bool = False

    @property
    def full_train(self) -> Any:
        return self.train[-1]


def model_class(name: str) -> Any:
    """The class of a model: ours first, then RecBole's."""
    close_gaps()
    apply_speedups()
    known = known_models.models()[name]
    if known.ours:
        module = "models.recommenders" if known.source.parent.name == "recommenders" else "models"
        return getattr(importlib.import_module(f"{module}.{known.source.stem}"), name)
    from recbole.utils import get_model

    return get_model(name)


def build_config(settings: Mapping[str, Any], run_dir: Path, before: Any = None) -> Any:
    """RecBole's Config of these settings; checkpoints go to `run_dir`.

    before: the Config that this one replaces. What RecBole's data loaders have noted in it (BERT4Rec's names
    of masked sequences) is kept.
    """
    close_gaps()
    apply_speedups()
    from recbole.config import Config

    known = known_settings.settings_of(settings["model"])
    # RecBole completes nested settings in place; the scenario's are read again by the next set_config.
    given = copy.deepcopy({key: value for key, value in settings.items() if key in known})
    given = known_defaults.unknown_to_recbole(settings["model"]) | given
    given |= {"checkpoint_dir": str(run_dir), "data_path": str(settings.get("data_path", DEFAULT_DATA_PATH))}
    # Config writes its gpu_id into CUDA_VISIBLE_DEVICES before torch looks for a GPU.
    given.setdefault("gpu_id", _visible_gpus())
    _check_gpus(str(given["gpu_id"]), settings.get("use_gpu") is not False)
    config = Config(model=model_class(settings["model"]), dataset=settings["dataset"], config_dict=given)
    # RecBole reads ml-100k from its own package, whatever data_path says.
    config["data_path"] = str(dataset_dir(settings))
    config["llm_config"] = copy.deepcopy(settings.get("llm_config"))
    for name in OURS:
        config[name] = settings.get(name)
    config["train_rows"] = train_rows.resolve(settings["model"], {**config.final_config_dict, **settings})
    if config["filter_seen"] is None:
        # RecBole's habit.
        config["filter_seen"] = not config["repeatable"]
    config["eval_batch_size_given"] = "eval_batch_size" in settings
    config["exact_time"] = getattr(model_class(settings["model"]), "exact_time", False)
    if settings.get("use_gpu") is False:
        config["device"] = torch.device("cpu")
    if before is not None:
        config.final_config_dict = {**before.final_config_dict, **config.final_config_dict}
    return config


# What CUDA_VISIBLE_DEVICES was when torch last could still look at it.
_gpus_of_torch: str | None = None


def _visible_gpus() -> str:
    return os.environ.get(VISIBLE_GPUS, "0")


def _check_gpus(wanted: str, used: bool) -> None:
    """DataError where this process cannot see other GPUs any more; torch looks for them once."""
    global _gpus_of_torch
    if not torch.cuda.is_initialized():
        _gpus_of_torch = wanted
        return
    seen = _visible_gpus() if _gpus_of_torch is None else _gpus_of_torch
    # Without a GPU RecBole takes the CPU, which is always there.
    if used and wanted not in ("", seen):
        raise DataError(
            f"gpu_id is '{wanted}', but this process uses '{seen}' since an earlier scenario and cannot change that; "
            "run the scenarios of each gpu_id by themselves"
        )


@contextmanager
def kept_process_state(threads: int | None) -> Iterator[None]:
    """Run with this many threads; afterwards the process has the threads and sees the GPUs that it had before."""
    gpus, before = os.environ.get(VISIBLE_GPUS), torch.get_num_threads()
    torch.set_num_threads(within_limit(threads or default_threads()))
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if gpus is None:
            os.environ.pop(VISIBLE_GPUS, None)
        else:
            os.environ[VISIBLE_GPUS] = gpus


def seed_everything(config: Any) -> None:
    """Python's, NumPy's and torch's generators, as RecBole seeds them."""
    from recbole.utils import init_seed

    init_seed(config["seed"], config["reproducibility"])


def ship_dataset(settings: Mapping[str, Any]) -> None:
    """Copy RecBole's own ml-100k to `data_path` where it is asked for and missing."""
    folder = dataset_dir(settings)
    if settings["dataset"] != SHIPPED or folder.exists():
        return
    spec = importlib.util.find_spec("recbole")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("RecBole is not installed")
    source = Path(spec.submodule_search_locations[0]) / "dataset_example" / SHIPPED
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.copytree(source, temporary)
        os.replace(temporary, folder)
    except OSError:
        # Another process may have been first.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


_EMPTY = "no interaction is left after the filters (user_inter_num_interval, val_interval, ...)"


def load_data(config: Any, ratios: list[float] | None, shuffle_first: bool) -> Data:
    """Load, filter and split the dataset, and make the loaders."""
    from utils.recbole_port import data_cache
    from utils.recbole_port.datasets import dataset_class, make_loaders

    cls = dataset_class(config)
    key = data_cache.key_of(config, cls)
    found = data_cache.recall(key, config)
    reused = found is not None
    if found is None:
        found = _build_dataset(config, cls)
        data_cache.keep(key, *found)
    else:
        logging.getLogger().info("The dataset was read and split by an earlier run of this process")
    dataset, built, interactions = found
    train, valid, test = make_loaders(config, dataset, built)
    parts = _train_parts(config, train, ratios, shuffle_first) if ratios else []
    return Data(dataset, [*parts, train], valid, test, interactions, reused)


def _build_dataset(config: Any, cls: type) -> tuple[Any, list[Any], int]:
    """(dataset, its parts, how many interactions there are after the filters)."""
    _check_files(config)
    seed_everything(config)
    try:
        dataset: Any = cls(config)
    except ValueError as error:
        if "feat is empty" in str(error):
            raise DataError(_EMPTY) from error
        raise
    interactions = len(dataset)
    if interactions == 0:
        raise DataError(_EMPTY)
    if config["eval_args"]["order"] == "TO" and config["TIME_FIELD"] not in dataset.inter_feat:
        loaded = ", ".join(dataset.inter_feat)
        raise DataError(f"eval_args.order TO needs the column '{config['TIME_FIELD']}'; loaded are {loaded}")
    return dataset, dataset.build(), interactions


def _check_files(config: Any) -> None:
    """DataError for the first malformed line of the files that RecBole is about to read."""
    parts = config["benchmark_filename"]
    suffixes = [f"{part}.inter" for part in parts] if parts else ["inter"]
    suffixes += [suffix for suffix in config["load_col"] or () if suffix != "inter"]
    for suffix in suffixes:
        path = Path(config["data_path"]) / f"{config['dataset']}.{suffix}"
        if path.is_file():
            malformed = find_malformed(path, config["field_separator"], config["encoding"] or "utf-8")
            if malformed:
                raise DataError(malformed)


def _train_parts(config: Any, train: Any, ratios: list[float], shuffle_first: bool) -> list[Any]:
    """Loaders over consecutive parts of the train interactions, all with the full train set's negatives."""
    from recbole.data.dataloader import TrainDataLoader

    if type(train) is not TrainDataLoader:
        raise DataError(f"add_train_split divides interactions; {config['model']} trains on {type(train).__name__}")
    rows = len(train._dataset.inter_feat)
    order = torch.arange(rows)
    if shuffle_first:
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(config["seed"]))
    bounds = [round(rows * sum(ratios[:end]) / sum(ratios)) for end in range(len(ratios) + 1)]
    loaders: list[Any] = []
    for start, end in itertools.pairwise(bounds):
        if start == end:
            raise DataError(f"add_train_split {ratios}: part {len(loaders)} of {rows} train interactions is empty")
        part = train._dataset.copy(train._dataset.inter_feat[order[start:end]])
        loaders.append(TrainDataLoader(config, part, train._sampler, shuffle=config["shuffle"]))
    return loaders


def build_model(config: Any, data: Data, vectors: Mapping[Side, Teacher] | None = None) -> Any:
    """A freshly seeded model on the configured device, and loaders that shuffle as they do for a first one.

    vectors: of 'users' and 'items', for a model that takes them.
    """
    for loader in data.train:
        # The loaders of knowledge graphs are pairs of loaders.
        parts = [loader.general_dataloader, loader.kg_dataloader] if hasattr(loader, "kg_dataloader") else [loader]
        for part in parts:
            part.generator.manual_seed(config["seed"])
    seed_everything(config)
    cls = model_class(config["model"])
    with _lent(config, vectors or {}):
        return cls(config, data.full_train._dataset).to(config["device"])


@contextmanager
def _lent(config: Any, vectors: Mapping[Side, Teacher]) -> Iterator[None]:
    """`users_vectors` and `items_vectors` in the config inside the block; a checkpoint holds what is there later."""
    names = {f"{side}_vectors": teacher for side, teacher in vectors.items()}
    config.final_config_dict.update(names)
    try:
        yield
    finally:
        for name in names:
            del config.final_config_dict[name]


def id_fields(config: Any, data: Data) -> IdFields:
    """Names and sizes of the user and item id spaces."""
    users, items = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
    return IdFields(
        users=users,
        items=items,
        negative_items=config["NEG_PREFIX"] + items,
        item_sequence=items + config["LIST_SUFFIX"],
        n_users=data.dataset.num(users),
        n_items=data.dataset.num(items),
    )


def id_map(data: Data, field: str) -> IdMap:
    """Tokens of a field in RecBole's row order."""
    return IdMap.of(data.dataset.field2id_token[field])


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the global generators as they were, whatever the block draws."""
    states = random_states()
    try:
        yield
    finally:
        set_random_states(states)


def random_states() -> tuple[Any, ...]:
    """The states of Python's, NumPy's and torch's global generators."""
    # Asking a GPU for its state would make torch look for GPUs, before Config has said which.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda


def set_random_states(states: tuple[Any, ...]) -> None:
    """Put the global generators back to `random_states()`."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    if states[3] is not None:
        torch.cuda.set_rng_state_all(states[3])
    elif torch.cuda.is_initialized():
        # As if it had come up afterwards: with the seed of all generators.
        torch.cuda.manual_seed_all(torch.initial_seed())

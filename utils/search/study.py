"""Optuna's study in a SQLite file beside the scenario: it outlives the process, and every choice is seeded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FILE_NAME = "search.db"
# Before so many trials are complete there is no median worth the name; nor is there in the first epochs.
_STARTUP_TRIALS, _WARMUP_EPOCHS = 4, 2


def storage_of(folder: Path) -> str:
    """The address of the studies of a folder of scenarios."""
    return f"sqlite:///{(folder / FILE_NAME).absolute()}"


def name_of(scenario: Path, content: Any) -> str:
    """The study of this scenario with this search: another space or another scenario is another study."""
    text = json.dumps(content, sort_keys=True, default=str)
    return f"{scenario.stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def pruner() -> Any:
    """The median rule (Golovin et al. 2017, Vizier, section 3.2.2)."""
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_WARMUP_EPOCHS)


def sampler(method: str, seed: int, number: int) -> Any:
    """What chooses the values of a trial: seeded by its number, so that a study that was cut goes on unchanged."""
    from optuna.samplers import RandomSampler, TPESampler

    own = int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")
    # With several trials at once, those that run count as bad ones, so that they are not all tried at one place.
    return TPESampler(seed=own, constant_liar=True) if method == "tpe" else RandomSampler(seed=own)


class StudyError(Exception):
    """The file of the studies cannot be used."""


def begin(storage: str, name: str, pruner: Any, bigger: bool, resume: bool) -> Any:
    """The study of that name, made where it is not there, and made anew unless it is resumed.

    StudyError where its file is damaged or cannot be written.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if not resume:
            forget(storage, name)
        return load(storage, name, pruner, bigger, create=True)
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
        why = str(error.__cause__ or error).splitlines()[0]
        file = storage.removeprefix("sqlite:///")
        raise StudyError(f"{file} cannot be used ({why}); repair or move it, the runs are in their records") from error


def load(storage: str, name: str, pruner: Any, bigger: bool = True, create: bool = False) -> Any:
    """The study of that name; made where `create` and it is not there."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = optuna.storages.RDBStorage(storage, engine_kwargs={"connect_args": {"timeout": 60}})
    if create:
        return optuna.create_study(
            storage=kept,
            study_name=name,
            pruner=pruner,
            load_if_exists=True,
            direction="maximize" if bigger else "minimize",
        )
    return optuna.load_study(storage=kept, study_name=name, pruner=pruner)


def forget(storage: str, name: str) -> None:
    """Remove a study, where there is one: a search that is not resumed begins anew."""
    import optuna

    try:
        optuna.delete_study(storage=storage, study_name=name)
    except KeyError:
        return

"""Checkpoints hold tensors and plain values only, so torch loads them without running any pickled code.

RecBole pickles its `Config` into every checkpoint. torch >= 2.6 refuses such a file, and rightly: what may
hold pickled objects may hold code. Here a state becomes plain values first, is written in one step, and is
read with `weights_only=True`.
"""

from __future__ import annotations

import os
import pickle
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from utils.recbole_port import known_defaults

KIND = "__kind__"
# Marks the parameters of an optimizer that are trained beside the model's, which no checkpoint holds.
BESIDE = "beside"
_SPARSE_TYPES = {
    f"{layout}_{flavour}": getattr(sp, f"{layout}_{flavour}")
    for layout in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    for flavour in ("matrix", "array")
}
# Settings that steer a training and leave what a trained model computes alone; a fine-tuning may change them.
_TRAINING_ONLY = re.compile(
    r"dropout|drop_ratio|reg_weight|anneal|_weight$|mask_ratio|initializer_range|pretrain|train_stage|save_step|loss_type"
)
# A best score counts only where it was measured in the same way.
_MEASURE = ("valid_metric", "eval_args", "repeatable", "filter_seen")
_STATE_KEYS = {"config", "epoch", "cur_step", "best_valid_score", "state_dict", "optimizer"}


def to_plain(obj: Any) -> Any:
    """Copy `obj` as scalars, strings, tensors, lists, tuples and dicts only, which `from_plain` undoes.

    A NumPy array or a SciPy sparse matrix becomes a tagged dict of tensors, a NumPy scalar a Python one.
    Tensors are detached, not copied. Raises TypeError for any other type.
    """
    return _convert(obj, _refuse)


def from_plain(obj: Any) -> Any:
    """Undo `to_plain`: tagged dicts become arrays and sparse matrices of their old types again.

    A value that `to_plain` never touched comes back equal, so applying this twice does no harm.
    """
    if type(obj) in (list, tuple):
        return type(obj)(from_plain(value) for value in obj)
    if not isinstance(obj, dict):
        return obj
    if KIND not in obj:
        return {key: from_plain(value) for key, value in obj.items()}
    if obj[KIND] == "numpy":
        return obj["data"].cpu().numpy()
    row, col, data = (obj[part].cpu().numpy() for part in ("row", "col", "data"))
    return _SPARSE_TYPES[obj[KIND]](sp.coo_matrix((data, (row, col)), shape=obj["shape"]))


def plain_config(config: Any) -> dict[str, Any]:
    """Copy the settings of a RecBole `Config` as plain values; what has no plain form becomes its `str`."""
    return _convert(config.final_config_dict, str)


def plain_other_parameter(model: Any) -> dict[str, Any]:
    """Copy `model.other_parameter()` as plain values, without the submodules, as `state_dict` has those."""
    named = model.other_parameter() or {}
    return to_plain({key: value for key, value in named.items() if not isinstance(value, torch.nn.Module)})


def save_checkpoint(state: Mapping[str, Any], path: str | Path) -> None:
    """Write `state` to `path` in one step: a reader sees the old file or the whole new one."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        torch.save(dict(state), part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(path: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint that `save_checkpoint` wrote; its other parameters are still in their plain form.

    Raises ValueError where the file holds pickled objects (none is then created) or is no checkpoint.
    """
    try:
        state = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} contains pickled objects, which may run code, and was not loaded; "
            "train again to get a checkpoint of tensors and plain values"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a torch file") from error
    if not isinstance(state, dict) or "state_dict" not in state:
        raise ValueError(f"{path} is not a RecBole checkpoint: it has no 'state_dict'")
    return state


def check_resumable(state: Mapping[str, Any], path: str | Path, trainer: Any) -> None:
    """Check that this trainer can go on from `state`; ValueError says what does not fit."""
    model_name = trainer.config["model"]
    missing = sorted(_STATE_KEYS - set(state))
    if missing:
        raise ValueError(f"{path} cannot be resumed: it has no {', '.join(missing)}")
    stored = str(state["config"].get("model"))
    if stored.lower() != model_name.lower():
        raise ValueError(f"{path} is a checkpoint of {stored}, not of {model_name}; nothing was loaded")
    _check_provenance(state.get("provenance") or {}, getattr(trainer, "provenance", {}), path)
    _check_settings(state["config"], plain_config(trainer.config), model_name, path)
    # torch copies what fits before it says what does not.
    here, there = _shapes(trainer.model.state_dict()), _shapes(state["state_dict"])
    differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if differing:
        name = differing[0]
        raise ValueError(
            f"{path} does not fit this {model_name}: '{name}' is {there.get(name, 'missing')} there and "
            f"{here.get(name, 'missing')} here; nothing was loaded"
        )
    names = set(_optimizers(trainer))
    if set(state["optimizer"]) != names and names != {"optimizer"}:
        raise ValueError(
            f"{path}: its optimizers are not those of this trainer ({', '.join(sorted(names))}); nothing was loaded"
        )


def _check_settings(there: Mapping[str, Any], here: Mapping[str, Any], model_name: str, path: str | Path) -> None:
    """The model's own settings make it what it is, also where the weights would fit (LightGCN's n_layers)."""
    if there.get("learner") != here.get("learner"):
        learners = f"its optimizer is {there.get('learner')!r} and this one's {here.get('learner')!r}"
        raise ValueError(f"{path}: {learners}; nothing was loaded")
    for key in sorted(known_defaults.defaults(model_name).keys() - known_defaults.defaults(None).keys()):
        if _TRAINING_ONLY.search(key):
            continue
        if key in there and key in here and there[key] != here[key]:
            raise ValueError(f"{path}: {key} is {there[key]!r} there and {here[key]!r} here; nothing was loaded")


def _check_provenance(there: Mapping[str, Any], here: Mapping[str, Any], path: str | Path) -> None:
    """Weights belong to rows, and have seen a train part; both must be those of this run."""
    for key, why in (
        ("ids_fingerprint", "its rows stand for other users and items than this run's"),
        (
            "train_fingerprint",
            "it was trained on another train part than this run's, which may hold this run's test items",
        ),
    ):
        if key in there and key in here and there[key] != here[key]:
            raise ValueError(f"{path}: {why}; nothing was loaded")


def _measure(config: Mapping[str, Any]) -> list[Any]:
    """How a valid score was measured; RecBole knows no `filter_seen` and leaves seen items out unless `repeatable`."""
    habit = {"filter_seen": not config.get("repeatable")}
    return [{**habit, **config}.get(key) for key in _MEASURE]


def _shapes(state: Mapping[str, Any]) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in state.items() if isinstance(value, torch.Tensor)}


def _optimizers(trainer: Any) -> dict[str, torch.optim.Optimizer]:
    """A trainer's optimizers by attribute. RecVAE's has one for each half, and `optimizer` is the last one used."""
    found = {name: value for name, value in vars(trainer).items() if isinstance(value, torch.optim.Optimizer)}
    return found if len(found) == 1 else {name: value for name, value in found.items() if name != "optimizer"}


def _optimizer_states(trainer: Any) -> dict[str, Any]:
    """RecBole's form, the state of the one optimizer, or the states of several by attribute."""
    states = {name: to_plain(_of_model(value.state_dict())) for name, value in _optimizers(trainer).items()}
    return states.get("optimizer", states)


def _of_model(state: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state without what is trained beside the model, which a checkpoint does not hold."""
    groups = [group for group in state["param_groups"] if not group.get(BESIDE)]
    kept = {number for group in groups for number in group["params"]}
    return {
        **state,
        "param_groups": groups,
        "state": {key: value for key, value in state["state"].items() if key in kept},
    }


def apply_learner_settings(trainer: Any) -> None:
    """Let the scenario's learning rate and weight decay hold again after a checkpoint's optimizer was loaded."""
    for optimizer in _optimizers(trainer).values():
        for group in optimizer.param_groups:
            group["lr"] = trainer.learning_rate
            if "weight_decay" in group:
                group["weight_decay"] = trainer.weight_decay


def store_plainly() -> None:
    """Make RecBole's trainers save and load checkpoints through this module."""
    from recbole.model.abstract_recommender import AbstractRecommender
    from recbole.trainer.trainer import PretrainTrainer, Trainer

    restore_other = AbstractRecommender.load_other_parameter
    evaluate = Trainer.evaluate

    def load_other_parameter(self: Any, para: Mapping[str, Any] | None) -> None:
        restore_other(self, from_plain(para))

    def restore_model(trainer: Any, state: Mapping[str, Any]) -> None:
        trainer.model.load_state_dict(state["state_dict"])
        trainer.model.load_other_parameter(state.get("other_parameter"))

    def state_of(trainer: Any, epoch: int) -> dict[str, Any]:
        return {
            "config": plain_config(trainer.config),
            "epoch": epoch,
            "state_dict": trainer.model.state_dict(),
            "other_parameter": plain_other_parameter(trainer.model),
            "optimizer": _optimizer_states(trainer),
            "provenance": dict(getattr(trainer, "provenance", {})),
        }

    def save(self: Any, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        if not self.config["single_spec"] and self.config["local_rank"] != 0:
            return
        path = kwargs.pop("saved_model_file", self.saved_model_file)
        progress = {"cur_step": self.cur_step, "best_valid_score": float(self.best_valid_score)}
        save_checkpoint(state_of(self, epoch) | progress, path)
        if verbose:
            self.logger.info(f"Saving current: {path}")

    def resume(self: Any, resume_file: Any) -> None:
        path = str(resume_file)
        state = load_checkpoint(path, self.device)
        check_resumable(state, path, self)
        # Before the weights: an optimizer refuses a state that is not its own before it changes anything.
        for name, optimizer in _optimizers(self).items():
            optimizer.load_state_dict(state["optimizer"] if name == "optimizer" else state["optimizer"][name])
        restore_model(self, state)
        self.saved_model_file = path
        self.start_epoch = state["epoch"] + 1
        here = plain_config(self.config)
        self.resumes_score = _measure(state["config"]) == _measure(here)
        if self.resumes_score:
            self.cur_step = state["cur_step"]
            self.best_valid_score = state["best_valid_score"]
        self.loaded_provenance = dict(state.get("provenance") or {})
        self.logger.info(f"Checkpoint loaded. Resume training from epoch {self.start_epoch}")

    def evaluate_best(
        self: Any,
        eval_data: Any,
        load_best_model: bool = True,
        model_file: Any = None,
        show_progress: bool = False,
    ) -> Any:
        if eval_data and load_best_model:
            path = model_file or self.saved_model_file
            restore_model(self, load_checkpoint(path, self.device))
            self.logger.info(f"Loading model structure and parameters from {path}")
        return evaluate(self, eval_data, load_best_model=False, show_progress=show_progress)

    def save_pretrained(self: Any, epoch: int, saved_model_file: str) -> None:
        save_checkpoint(state_of(self, epoch), saved_model_file)
        self.saved_model_file = saved_model_file

    AbstractRecommender.load_other_parameter = load_other_parameter
    Trainer._save_checkpoint = save
    Trainer.resume_checkpoint = resume
    Trainer.evaluate = evaluate_best
    PretrainTrainer.save_pretrained_model = save_pretrained


def _convert(obj: Any, otherwise: Callable[[Any], Any]) -> Any:
    if isinstance(obj, np.generic):
        # Before the scalars: np.float64 is a float too, yet pickles as a NumPy object.
        return _convert(obj.item(), otherwise)
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, torch.Tensor):
        return obj.detach()
    if isinstance(obj, np.ndarray) and obj.dtype.kind in "biufc":
        # A copy, because torch takes neither negative strides nor a foreign byte order.
        return {KIND: "numpy", "data": torch.from_numpy(np.array(obj, dtype=obj.dtype.newbyteorder("=")))}
    if sp.issparse(obj) and type(obj).__name__ in _SPARSE_TYPES:
        coo = sp.coo_matrix(obj)
        parts = {name: torch.from_numpy(np.array(getattr(coo, name))) for name in ("row", "col", "data")}
        return {KIND: type(obj).__name__, "shape": [int(size) for size in coo.shape], **parts}
    if isinstance(obj, list):
        return [_convert(value, otherwise) for value in obj]
    if isinstance(obj, tuple):
        return tuple(_convert(value, otherwise) for value in obj)
    if isinstance(obj, Mapping):
        if KIND in obj:
            raise ValueError(f"a dict with the key {KIND!r} cannot be stored: it marks arrays and matrices")
        return {_convert(key, otherwise): _convert(value, otherwise) for key, value in obj.items()}
    return otherwise(obj)


def _refuse(obj: Any) -> Any:
    raise TypeError(f"a checkpoint cannot hold a {type(obj).__module__}.{type(obj).__qualname__}")

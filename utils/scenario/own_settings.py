"""What cannot work together among the settings of our own recommenders, found before a model is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from utils.data.sides import Side
from utils.recbole_port import known_defaults, train_rows
from utils.registry import did_you_mean
from utils.scenario.findings import Finding
from utils.scenario.model_vectors import find_vector_misfits, sides_with_vectors

Values = Mapping[str, Any]
_MODES = ("mean", "learned")
# Setting of KAR's adaptor -> the least that it may be.
_KAR_COUNTS = {
    "shared_kar_experts_n": 0,
    "user_kar_experts_n": 0,
    "item_kar_experts_n": 0,
    "output_kar_dim": 1,
    "user_kar_emb": 1,
    "item_kar_emb": 1,
}
# Which of them are about one side.
_KAR_SIDES: dict[Side, tuple[str, str]] = {
    "users": ("user_kar_experts_n", "user_kar_emb"),
    "items": ("item_kar_experts_n", "item_kar_emb"),
}
# What RecBole's blocks of SASRec read and the paper's do not.
_BLOCKS = ("inner_size", "hidden_act", "layer_norm_eps")


def find_own_misfits(model: str, values: Values, given: Values) -> Iterator[Finding]:
    """values: all settings, with defaults; given: what the scenario itself says."""
    if model in _FINDERS:
        yield from _FINDERS[model](values, given)


def _lightgcn(values: Values, given: Values) -> Iterator[Finding]:
    weights = given.get("layer_weights")
    if weights is None or weights in _MODES:
        return
    n_layers = values.get("n_layers")
    if isinstance(weights, list):
        wrong = [index for index, weight in enumerate(weights) if not _is_finite(weight)]
        for index in wrong:
            yield Finding(
                ("layer_weights", index), f"layer_weights[{index}]: got {weights[index]!r}; accepted: a number"
            )
        if wrong or not isinstance(n_layers, int) or len(weights) == n_layers + 1:
            return
        message = f"got {len(weights)} numbers; accepted: {n_layers + 1}, one for layer 0 and each of n_layers"
    else:
        hint = did_you_mean(weights, _MODES) if isinstance(weights, str) else ""
        message = f"got {weights!r}; accepted: 'mean', 'learned' or a list of n_layers + 1 numbers{hint}"
    yield Finding(("layer_weights",), f"layer_weights: {message}")


def _sasrec(values: Values, given: Values) -> Iterator[Finding]:
    # A resolved scenario names every default, and runs again.
    usual = known_defaults.defaults("SASRec")
    given = {name: value for name, value in given.items() if name not in usual or value != usual[name]}
    if values.get("architecture") == "paper":
        for setting in _BLOCKS:
            if setting in given:
                yield _unread(setting, "with architecture: paper, whose blocks have their own")
    windowed = train_rows.is_windowed(train_rows.resolve("SASRec", values))
    for setting in ("softmax", "num_negatives"):
        if setting in given and not windowed:
            yield _unread(setting, "with one target per row (train_rows: prefix)")
    negatives = given.get("num_negatives")
    if negatives is None or not windowed:
        return
    if values.get("softmax") == "full":
        yield _unread("num_negatives", "with softmax: full")
    elif isinstance(negatives, bool) or not isinstance(negatives, int) or negatives < 1:
        yield Finding(("num_negatives",), f"num_negatives: got {negatives!r}; accepted: a whole number greater than 0")


def _kar(values: Values, given: Values) -> Iterator[Finding]:
    yield from find_vector_misfits(str(values["model"]), given)
    wrong = [(setting, least) for setting, least in _KAR_COUNTS.items() if not _is_count(given.get(setting), least)]
    for setting, least in wrong:
        yield Finding((setting,), f"{setting}: got {given[setting]!r}; accepted: a whole number, {least} or more")
    if wrong:
        return
    sides, usual = sides_with_vectors(given), known_defaults.defaults(str(values["model"]))
    for side, (experts, width) in _KAR_SIDES.items():
        for setting in (experts, width):
            if side not in sides and given.get(setting) not in (None, usual[setting]):
                yield _unread(setting, f"without vectors of {side}")
        if side in sides and (values["shared_kar_experts_n"], values[experts]) == (0, 0):
            message = f"{experts}: got 0 with shared_kar_experts_n: 0; accepted: a whole number, 1 or more"
            yield Finding((experts,), message)


def _is_count(value: Any, least: int) -> bool:
    """Whether a value is a whole number of at least this; None, which stands for the default, counts as one."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least)


def _unread(setting: str, when: str) -> Finding:
    return Finding((setting,), f"{setting} is not read {when}; remove it", at_key=True)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


_FINDERS: dict[str, Callable[[Values, Values], Iterator[Finding]]] = {
    "LightGCN": _lightgcn,
    "SASRec": _sasrec,
    "AutoIntKAR": _kar,
    "DCNKAR": _kar,
    "DeepFMKAR": _kar,
}

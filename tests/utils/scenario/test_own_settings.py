"""Settings of our recommenders that would not be read, or that do not fit, are found before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from utils.recbole_port import known_defaults
from utils.scenario.own_settings import find_own_misfits
from utils.scenario.settings import effective

SASREC = {"model": "SASRec", "dataset": "tiny", "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO"}}
LIGHTGCN = {"model": "LightGCN", "dataset": "tiny", "n_layers": 2}


def _messages(given: dict[str, Any]) -> list[str]:
    return [finding.message for finding in find_own_misfits(given["model"], effective(given), given)]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"architecture": "paper"},
        {"softmax": "sampled", "num_negatives": 5},
        {"num_negatives": 5},
        # As a resolved scenario has it.
        {**known_defaults.defaults("SASRec"), **SASREC, "architecture": "paper", "train_rows": "prefix"},
        {**known_defaults.defaults("SASRec"), **SASREC, "softmax": "full"},
    ],
)
def test_what_fits_passes(given: dict[str, Any]) -> None:
    assert _messages({**SASREC, **given}) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architecture": "paper", "hidden_act": "relu"}, "hidden_act is not read with architecture: paper"),
        ({"softmax": "full", "num_negatives": 5}, "num_negatives is not read with softmax: full"),
        ({"softmax": "sampled", "loss_type": "BPR"}, "softmax is not read with one target per row"),
        ({"num_negatives": 5, "train_rows": "prefix"}, "num_negatives is not read with one target per row"),
        ({"num_negatives": 0}, "num_negatives: got 0; accepted: a whole number greater than 0"),
        ({"num_negatives": 12.5}, "num_negatives: got 12.5; accepted: a whole number greater than 0"),
    ],
)
def test_what_would_be_ignored_is_refused(given: dict[str, Any], message: str) -> None:
    (found,) = _messages({**SASREC, **given})
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("mean", None),
        ("learned", None),
        ([1, 0.5, 0], None),
        ([0.5, 0.5], "layer_weights: got 2 numbers; accepted: 3, one for layer 0 and each of n_layers"),
        ([0.5, "x", 1], "layer_weights[1]: got 'x'; accepted: a number"),
        ([0.5, float("nan"), 1], "layer_weights[1]: got nan; accepted: a number"),
        (3, "layer_weights: got 3; accepted: 'mean', 'learned' or a list of n_layers + 1 numbers"),
    ],
)
def test_layer_weights_are_a_word_or_a_number_for_each_layer(weights: Any, message: str | None) -> None:
    assert _messages({**LIGHTGCN, "layer_weights": weights}) == ([] if message is None else [message])

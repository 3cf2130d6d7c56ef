"""A trial that is behind the median of the others at the same epoch is given up, in whichever process it runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import optuna
import pytest

from utils.scenario.errors import Pruned
from utils.search import study as studies
from utils.search.pruning import Pruning


@pytest.fixture
def study(tmp_path: Path) -> Any:
    """Five complete trials that came to .1, .2, .3, .4 and .5 in each of their epochs."""
    made = studies.load(studies.storage_of(tmp_path), "s", studies.pruner(), create=True)
    for value in (0.1, 0.2, 0.3, 0.4, 0.5):
        trial = made.ask()
        for epoch in range(5):
            trial.report(value, epoch)
        made.tell(trial, value)
    return made


def _epochs(tmp_path: Path, study: Any, values: list[float]) -> int:
    """How many epochs a new trial with these valid metrics is let go."""
    trial = study.ask()
    # It travels to the process of its trial.
    pruning = pickle.loads(pickle.dumps(Pruning(studies.storage_of(tmp_path), "s", trial.number, "ndcg@10")))
    for epoch, value in enumerate(values):
        try:
            pruning("0", {"epoch": epoch, "valid": {"ndcg@10": value}})
        except Pruned:
            return epoch
    return len(values)


def test_below_the_median_it_ends_after_the_warm_up(tmp_path: Path, study: Any) -> None:
    # The median is .3; the first two epochs are not judged.
    assert _epochs(tmp_path, study, [0.2, 0.2, 0.2, 0.2]) == 2


def test_above_the_median_it_goes_on(tmp_path: Path, study: Any) -> None:
    assert _epochs(tmp_path, study, [0.4, 0.4, 0.4, 0.4]) == 4


def test_epochs_without_validation_are_not_judged(tmp_path: Path, study: Any) -> None:
    pruning = Pruning(studies.storage_of(tmp_path), "s", study.ask().number, "ndcg@10")
    for epoch in range(5):
        pruning("0", {"epoch": epoch, "valid": {}})


def test_what_was_reported_is_kept_in_the_study(tmp_path: Path, study: Any) -> None:
    _epochs(tmp_path, study, [0.4, 0.45])
    kept = optuna.load_study(storage=studies.storage_of(tmp_path), study_name="s").get_trials()[-1]
    assert kept.intermediate_values == {0: 0.4, 1: 0.45}

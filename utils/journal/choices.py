"""The stage of a record that says how a language model chose among candidates; `outcome_of` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What tells such a stage from the test of a recommender.
CANDIDATES = "candidates"


def choice_stage(
    model: str,
    metrics: Mapping[str, float],
    n_candidates: int,
    others: str,
    step_number: int,
    per_user_file: str | None = None,
    lineage: Sequence[str] = (),
    loaded_from: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the stage holds.

    model: the language model, by the name that tables have for it.
    metrics: of the row that the run is about; the first is what runs are compared in.
    others: what stands beside the right candidate, such as `uniform negatives`.
    lineage: the stages of this run that trained it; loaded_from: the checkpoint of another run, where it is from one.
    """
    return {
        "tested_model": model,
        CANDIDATES: {"number": n_candidates, "others": others},
        "protocol": {"valid_metric": next(iter(metrics))},
        "lineage": list(lineage),
        "loaded_from": None if loaded_from is None else dict(loaded_from),
        "best_test_res": dict(metrics),
        "tested_in_step": step_number,
        "per_user_file": per_user_file,
    }


def among(stage: Mapping[str, Any]) -> str:
    """Among what a stage's model chose, in words; empty for the test of a recommender."""
    candidates = stage.get(CANDIDATES)
    return f"among {candidates['number']} candidates ({candidates['others']})" if candidates else ""

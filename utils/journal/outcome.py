"""What a run comes down to: the last tested model, how it came to be, and what it may be compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.journal.records import RunRecord

# Settings that change no number, or that are the transfer itself.
_INERT = frozenset(
    [
        "distil_loss_weight", "llm_config", "threads", "save", "journal_name", "logger_level", "show_progress",
        "state", "checkpoint_dir", "data_path", "log_wandb", "wandb_project", "loss_decimal_place",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The last tested stage of a run, with every training that its model went through.

    transferred: whether any of these had a transfer loss; losses: their names.
    budget: what each of these trainings was given, to be compared before numbers are.
    """

    metrics: Mapping[str, float]
    valid_metric: str
    transferred: bool
    losses: tuple[str, ...]
    budget: Sequence[Mapping[str, Any]]


def outcome_of(record: RunRecord) -> Outcome | None:
    """The outcome of a run; None when nothing was tested."""
    tested = [stage for stage in record.stages.values() if stage.get("best_test_res")]
    if not tested:
        return None
    last = tested[-1]
    trainings = [record.stages[name] for name in last.get("lineage") or [] if name in record.stages]
    names = {str(stage["loss_name"]) for stage in trainings if stage.get("transferred")}
    inherited = [stage["loaded_from"] for stage in trainings if stage.get("loaded_from")]
    if last.get("loaded_from") and last["loaded_from"] not in inherited:
        inherited.append(last["loaded_from"])
    if any(loaded.get("transferred") for loaded in inherited):
        names.add("loaded")
    return Outcome(
        metrics=last["best_test_res"],
        valid_metric=str((last.get("protocol") or record.protocol).get("valid_metric", "")).lower(),
        transferred=bool(names),
        losses=tuple(sorted(names)),
        budget=[_budget(stage) for stage in trainings],
    )


def _budget(stage: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in (stage.get("settings") or {}).items() if key not in _INERT}
    loaded = (stage.get("loaded_from") or {}).get("path")
    return {
        **settings,
        **{key: stage.get(key) for key in ("protocol", "train_ds_ind", "set_trainable")},
        "loaded_from": loaded,
    }


def differences(left: Outcome, right: Outcome) -> list[str]:
    """Names of everything besides the transfer that two models were not given alike; empty for a fair pair."""
    if len(left.budget) != len(right.budget):
        return ["the number of trainings"]
    names: dict[str, None] = {}
    for ours, theirs in zip(left.budget, right.budget, strict=True):
        names.update(dict.fromkeys(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)))
    return list(names)

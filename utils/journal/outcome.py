"""What a run comes down to: the last tested model, how it came to be, and what it may be compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from utils.journal.choices import among
from utils.journal.records import RunRecord

# Settings that change no number; of `slices` those of the whole test part.
WITHOUT_EFFECT = frozenset(
    [
        "threads", "save", "journal_name", "logger_level", "show_progress", "state", "checkpoint_dir", "data_path",
        "log_wandb", "wandb_project", "loss_decimal_place", "eval_batch_size", "worker", "use_gpu", "gpu_id",
        "seeds", "baseline", "search", "tuned", "trackers", "controls", "slices",
    ]
)  # fmt: skip
# Those, and what is the transfer itself or is compared in another form: as RecBole resolved it, in the protocol.
_INERT = WITHOUT_EFFECT | {
    "distil_loss_weight", "llm_config", "control", "encoding", "eval_args", "metrics", "topk", "valid_metric",
    "repeatable", "filter_seen", "train_rows",
}  # fmt: skip

# How the ranking treats what a user has seen, by `filter_seen`; numbers of one kind say nothing about the other.
SEEN: Mapping[bool | None, str] = {True: "seen items left out", False: "seen items kept"}
# Vectors that stand in the place of knowledge, by what they are.
CONTROL_NAMES: Mapping[str, str] = {
    "random": "random vectors", "shuffled": "wrong owners", "partly": "in part without knowledge",
}  # fmt: skip
_PROTOCOL = ("eval_args", "repeatable", "filter_seen", "train_rows", "device")


@dataclass(frozen=True)
class Outcome:
    """The last tested stage of a run, with every training that its model went through.

    transferred: whether any of these had a transfer loss; losses: their names.
    loaded: whether the model came from a checkpoint, whose own trainings are not known here.
    filter_seen: whether the items that a user had seen were left out of the ranking; None where none was ranked.
    budget: what each of these trainings was given, to be compared before numbers are.
    per_user_file: the file beside the record with the metrics by user.
    control: what was transferred in place of knowledge, see CONTROL_NAMES; empty for knowledge.
    model: what was tested, where it is a language model and not the scenario's recommender; among: what it chose from.
    slices: the metrics by slice of users and items, see `utils.journal.slices`; slice_bounds: who is cold in them.
    """

    metrics: Mapping[str, float]
    valid_metric: str
    filter_seen: bool | None
    transferred: bool
    losses: tuple[str, ...]
    loaded: bool
    budget: Sequence[Mapping[str, Any]]
    per_user_file: str | None = None
    control: str = ""
    model: str | None = None
    among: str = ""
    slices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    slice_bounds: Mapping[str, int] = field(default_factory=dict)

    @property
    def ranking(self) -> str:
        """What the relevant items were ranked among; numbers of one kind say nothing about another."""
        return self.among or SEEN.get(self.filter_seen, "")


def outcome_of(record: RunRecord) -> Outcome | None:
    """The outcome of a run; None when nothing was tested."""
    tested = [stage for stage in record.stages.values() if stage.get("best_test_res")]
    if not tested:
        return None
    # A language model's choices stand for a run in which no recommender was tested.
    tested = [stage for stage in tested if not among(stage)] or tested
    # Stages may be opened in one order and tested in another.
    last = max(enumerate(tested), key=lambda numbered: (numbered[1].get("tested_in_step", 0), numbered[0]))[1]
    trainings = [record.stages[name] for name in last.get("lineage") or [] if name in record.stages]
    names = {name for stage in trainings if stage.get("transferred") for name in _knowledge(stage)}
    inherited = [stage["loaded_from"] for stage in [*trainings, last] if stage.get("loaded_from")]
    return Outcome(
        metrics=last["best_test_res"],
        valid_metric=str((last.get("protocol") or record.protocol).get("valid_metric", "")).lower(),
        filter_seen=(last.get("protocol") or record.protocol).get("filter_seen"),
        transferred=bool(names) or any(loaded.get("transferred") for loaded in inherited),
        losses=tuple(sorted(names)),
        loaded=bool(inherited),
        budget=[_budget(stage) for stage in trainings],
        per_user_file=last.get("per_user_file"),
        control=_control([stage for stage in trainings if stage.get("transferred")]),
        model=last.get("tested_model"),
        among=among(last),
        slices=last.get("slices") or {},
        slice_bounds=last.get("slice_bounds") or {},
    )


def model_of(record: RunRecord, outcome: Outcome | None) -> str:
    """What a run's numbers are of: the scenario's recommender, or the language model that was tested instead."""
    return (outcome and outcome.model) or str(record.settings["model"])


def _knowledge(stage: Mapping[str, Any]) -> list[str]:
    """Under which names knowledge came into a model: of its losses, and of other ways."""
    # Records from before there were other ways have the loss alone.
    return [str(name) for name in stage.get("knowledge") or [stage["loss_name"]]]


def control_of(record: RunRecord) -> str | None:
    """What a run is a control of: plain, or what its vectors were in place of knowledge; None for the thing itself."""
    if record.settings.get("control") == "plain":
        return "plain"
    return _control([stage for stage in record.stages.values() if stage.get("transferred")]) or None


def _control(transfers: Sequence[Mapping[str, Any]]) -> str:
    """What the vectors of these trainings were, taken together."""
    kinds = {str(vectors["control"]) for stage in transfers for vectors in stage.get("vectors") or ()}
    # Records from before vectors were told of one by one name the control of a stage.
    kinds |= {str(stage["control"]) for stage in transfers if stage.get("control")}
    if "none" not in kinds:
        return "random" if "random" in kinds else "shuffled" if kinds else ""
    return "partly" if len(kinds) > 1 else ""


def _budget(stage: Mapping[str, Any]) -> dict[str, Any]:
    """What a training was given: settings, protocol, data, frozen parameters, and the weights it started from."""
    settings = {key: value for key, value in (stage.get("settings") or {}).items() if key not in _INERT}
    protocol = {key: (stage.get("protocol") or {}).get(key) for key in _PROTOCOL}
    valid_metric = str((stage.get("protocol") or {}).get("valid_metric", "")).lower()
    given = {key: stage.get(key) for key in ("train_ds_ind", "frozen", "starts_from")}
    return {**settings, **protocol, "valid_metric": valid_metric, **given}


def differences(left: Outcome, right: Outcome) -> list[str]:
    """Names of everything besides the transfer that two models were not given alike; empty for a fair pair."""
    if left.among != right.among:
        return ["the candidates"]
    if len(left.budget) != len(right.budget):
        return ["the number of trainings"]
    names: dict[str, None] = {}
    for ours, theirs in zip(left.budget, right.budget, strict=True):
        names.update(dict.fromkeys(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)))
    return list(names)

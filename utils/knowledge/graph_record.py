"""The stage of a record that a graph language model has: how it was trained, and how it chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.journal.choices import choice_stage
from utils.knowledge.graph_config import GraphConfig

if TYPE_CHECKING:
    from utils.commands.graph_llm_train import GraphLlmTrain
    from utils.knowledge.graph_checkpoint import GraphCheckpoint
    from utils.knowledge.graph_choices import Choices

_STAGE = "graph_llm"
# What two trainings must share to be compared fairly; how the graph enters is what they are compared in.
_ALIKE = (
    "llm", "llm_mode", "lora", "num_candidates", "negative_sampling", "shuffle_options", "loss_on", "read_at",
    "epochs", "batch_size", "grad_accum_steps", "learning_rate", "weight_decay", "betas", "clip_grad_norm",
    "lr_scheduler", "warmup_epochs", "min_lr", "early_stopping_patience", "truncate_history", "limit",
)  # fmt: skip
# The same of how the samples were made.
_ASKED_ALIKE = ("train_windows", "windows", "history_length", "min_rating")
_KNOWLEDGE = {"tokens": ["graph"], "text": ["text"], "none": []}


def note_training(
    ctx: RunContext,
    asked: GraphLlmTrain,
    retrieved: Mapping[str, Any],
    marked: str,
    epochs: Sequence[Mapping[str, Any]] = (),
    trained_by: str | None = None,
) -> str:
    """Open the stage of a training, or enter the epochs that it has by now; the stage's name.

    retrieved: the parameters that the subgraphs were retrieved with. marked: the fingerprint of its checkpoint.
    trained_by: the run whose training is kept.
    """
    name = _stage_of(ctx, marked) or _unused(ctx)
    values = asked.model_dump(mode="json")
    ctx.record.stages.setdefault(name, {}).update(
        {
            "lineage": [name],
            "transferred": asked.facts_as != "none",
            "knowledge": _KNOWLEDGE[asked.facts_as],
            "settings": {name: values[name] for name in _ALIKE} | {name: retrieved.get(name) for name in _ASKED_ALIKE},
            "epochs": [epoch_facts(epoch) for epoch in epochs],
            "best_epoch": max((epoch["epoch"] for epoch in epochs if epoch["best"]), default=None),
            "trained_by": trained_by or ctx.run_id,
            "fingerprint": marked,
        }
    )
    return name


def epoch_facts(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """An epoch as stages and trackers have it."""
    # Checkpoints of before have only the sum.
    valid_s = epoch.get("valid_s", 0.0)
    valid = {} if epoch["valid_loss"] is None else {"accuracy": epoch["valid_accuracy"], "loss": epoch["valid_loss"]}
    return {
        "epoch": epoch["epoch"],
        "losses": [epoch["train_loss"]],
        "valid": valid,
        "train_s": epoch["seconds"] - valid_s,
        "valid_s": valid_s,
    }


def note_choices(
    ctx: RunContext,
    config: GraphConfig,
    checkpoint: GraphCheckpoint,
    table: Mapping[str, Any],
    choices: Choices,
    per_user_file: str,
) -> None:
    """Note how the model chose: in the stage of its training where that is here, a second time in one of its own."""
    trained = _stage_of(ctx, checkpoint.meta["fingerprint"])
    found = choice_stage(
        config.llm.rpartition("/")[2],
        table["rows"][table["main"]],
        choices.candidates.shape[1],
        choices.others,
        len(ctx.record.steps),
        per_user_file,
        [trained] if trained else [],
        None if trained else {"run_id": checkpoint.meta["run_id"], "transferred": config.facts_as != "none"},
    )
    first = trained is not None and "tested_model" not in ctx.record.stages[trained]
    ctx.record.stages.setdefault(trained if trained and first else _unused(ctx), {}).update(found)


def _stage_of(ctx: RunContext, marked: str) -> str | None:
    """The stage of the training with this fingerprint, None where it is not one of this run."""
    return next((name for name, stage in ctx.record.stages.items() if stage.get("fingerprint") == marked), None)


def _unused(ctx: RunContext) -> str:
    """The name of a new stage: `graph_llm`, else `graph_llm-2`, `graph_llm-3`, ..."""
    name, number = _STAGE, 1
    while name in ctx.record.stages:
        number += 1
        name = f"{_STAGE}-{number}"
    return name

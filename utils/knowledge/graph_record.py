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

STAGE = "graph_llm"
# What two trainings must share to be compared fairly; how the graph enters is what they are compared in.
_ALIKE = (
    "llm", "llm_mode", "lora", "num_candidates", "negative_sampling", "shuffle_options", "loss_on", "epochs",
    "batch_size", "grad_accum_steps", "learning_rate", "weight_decay", "betas", "clip_grad_norm", "lr_scheduler",
    "warmup_epochs", "min_lr", "early_stopping_patience", "limit",
)  # fmt: skip
_KNOWLEDGE = {"tokens": ["graph"], "text": ["text"], "none": []}


def note_training(
    ctx: RunContext, asked: GraphLlmTrain, epochs: Sequence[Mapping[str, Any]] = (), trained_by: str | None = None
) -> dict[str, Any]:
    """Open the stage of a training with the epochs that it has so far. trained_by: the run whose training is kept."""
    values = asked.model_dump(mode="json")
    stage = ctx.record.stages[STAGE] = {
        "lineage": [STAGE],
        "transferred": asked.facts_as != "none",
        "knowledge": _KNOWLEDGE[asked.facts_as],
        "settings": {name: values[name] for name in _ALIKE},
        "epochs": [epoch_facts(epoch) for epoch in epochs],
        "best_epoch": max((epoch["epoch"] for epoch in epochs if epoch["best"]), default=None),
        "trained_by": trained_by or ctx.run_id,
    }
    return stage


def epoch_facts(epoch: Mapping[str, Any]) -> dict[str, Any]:
    """An epoch as stages and trackers have it."""
    valid = {} if epoch["valid_loss"] is None else {"accuracy": epoch["valid_accuracy"], "loss": epoch["valid_loss"]}
    return {
        "epoch": epoch["epoch"],
        "losses": [epoch["train_loss"]],
        "valid": valid,
        "train_s": epoch["seconds"],
        "valid_s": 0.0,
    }


def note_choices(
    ctx: RunContext,
    config: GraphConfig,
    checkpoint: GraphCheckpoint,
    table: Mapping[str, Any],
    choices: Choices,
    per_user_file: str,
) -> None:
    """Note how the model chose; a second time in a run under a name of its own."""
    here = ctx.record.stages.get(STAGE, {}).get("trained_by") == checkpoint.meta["run_id"]
    name, number = STAGE, 1
    while "tested_model" in ctx.record.stages.get(name, {}):
        number += 1
        name = f"{STAGE}-{number}"
    found = choice_stage(
        config.llm.rpartition("/")[2],
        table["rows"][table["main"]],
        choices.candidates.shape[1],
        choices.others,
        len(ctx.record.steps),
        per_user_file,
        [STAGE] if here else [],
        None if here else {"run_id": checkpoint.meta["run_id"], "transferred": config.facts_as != "none"},
    )
    ctx.record.stages.setdefault(name, {}).update(found)

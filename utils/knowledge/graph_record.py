"""The stage of a record that a graph language model has: how it was trained, and how it chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.journal.choices import choice_stage
from utils.knowledge.graph_config import GraphConfig

if TYPE_CHECKING:
    from models.training.fit_progress import Epoch
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


def note_training(ctx: RunContext, asked: GraphLlmTrain) -> dict[str, Any]:
    """Open the stage of a training."""
    values = asked.model_dump(mode="json")
    stage = ctx.record.stages[STAGE] = {
        "lineage": [STAGE],
        "transferred": asked.facts_as != "none",
        "knowledge": _KNOWLEDGE[asked.facts_as],
        "settings": {name: values[name] for name in _ALIKE},
        "epochs": [],
    }
    return stage


def epoch_facts(epoch: Epoch) -> dict[str, Any]:
    """An epoch as stages and trackers have it."""
    valid = {} if epoch.valid_loss is None else {"accuracy": epoch.valid_accuracy, "loss": epoch.valid_loss}
    return {
        "epoch": epoch.epoch,
        "losses": [epoch.train_loss],
        "valid": valid,
        "train_s": epoch.seconds,
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
    here = checkpoint.meta["run_id"] == ctx.run_id and STAGE in ctx.record.stages
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

"""From a scenario's `graph_llm_train` to its checkpoint."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.commands.base import StepResult
from utils.context import RunContext
from utils.data.fingerprint import short_hash
from utils.knowledge.fit_keeper import FileKeeper
from utils.knowledge.graph_checkpoint import CheckpointError, GraphCheckpoint, read_checkpoint, write_checkpoint
from utils.knowledge.graph_config import GraphConfig
from utils.knowledge.graph_questions import Asker
from utils.knowledge.graph_record import epoch_facts, note_training
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.training.fit_progress import Epoch
    from models.training.fitting import FitOptions
    from utils.commands.graph_llm_train import GraphLlmTrain
    from utils.knowledge.graph_task import GraphTask

# To be raised when the same parameters begin to train something else.
_VERSION = 1
# What a person has asked for otherwise, in the order in which it is told.
_TOLD = (
    "subgraphs", "llm", "llm_mode", "lora", "facts_as", "gnn", "projector_hidden", "graph_tokens", "token_length",
    "prompt", "num_candidates", "negative_sampling", "shuffle_options", "loss_on", "read_at", "epochs",
    "batch_size", "grad_accum_steps", "learning_rate", "weight_decay", "betas", "clip_grad_norm", "lr_scheduler",
    "warmup_epochs", "min_lr", "early_stopping_patience", "truncate_history", "limit", "valid_limit",
)  # fmt: skip
_OPTIONS = (
    "epochs", "grad_accum_steps", "learning_rate", "weight_decay", "betas", "clip_grad_norm", "lr_scheduler",
    "warmup_epochs", "min_lr", "early_stopping_patience",
)  # fmt: skip


def checkpoint_path(ctx: RunContext, given: str | None) -> Path:
    """Where the checkpoint of the training under way is to lie: as given, or in the run's folder.

    StepError where nothing can be written, which an hour later would be too late.
    """
    if given is None:
        number = sum(step["command"] == "graph_llm_train" for step in ctx.record.steps)
        return ctx.run_dir / ("graph_llm.pth" if number == 1 else f"graph_llm-{number}.pth")
    path = Path(given)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise StepError("checkpoint", f"nothing can be written to {path.parent}: {error.strerror or error}") from error
    return path


def train(ctx: RunContext, asked: GraphLlmTrain) -> StepResult:
    """Make sure that the checkpoint holds what is asked for."""
    from models.llm.causal_lm import fingerprint
    from models.transfer.layers import count_parameters
    from utils.knowledge.graph_model import build, layout, load_llm
    from utils.knowledge.graph_prompts import choose_template
    from utils.knowledge.graph_task import GraphTask
    from utils.knowledge.opened_subgraphs import open_subgraphs

    opened = open_subgraphs(ctx, asked.subgraphs)
    retrieved: Mapping[str, Any] = opened[1].meta["parameters"]
    template = choose_template(asked.prompt)
    path, seed = checkpoint_path(ctx, asked.checkpoint), int(ctx.recbole_config()["seed"])
    lm = load_llm(ctx, asked.llm, "llm")
    config = GraphConfig.of(asked, template.source, fingerprint(lm), opened[0].index.nodes.shape[1])
    asker = Asker.of(ctx, opened, template, lm, asked.truncate_history, config.read_at == "options")
    marked = _fingerprint(ctx, asked, config, opened[1].fingerprint, asker.items_fingerprint)
    if asked.checkpoint is not None and not asked.overwrite and (kept := _kept(asked, path, marked, seed)) is not None:
        note_training(ctx, asked, retrieved, marked, kept.meta["facts"]["epochs"], kept.meta["run_id"])
        known = {**kept.meta["facts"], "kept": True, "checkpoint": str(path), "fingerprint": marked}
        return StepResult(facts=known, summary=f"{path}: kept, as it was trained before")
    chosen = _chosen(asker, asked, "train")
    valid = _chosen(asker, asked, "valid")
    around = layout(lm, asker.instruction(chosen.asked, chosen.candidates))
    model = build(ctx, config, lm, around, asked.num_candidates)
    total, trainable = count_parameters(model)
    task = GraphTask(
        model, asker, around, chosen, valid, asked.loss_on, asked.batch_size, asked.shuffle_options
    )  # fmt: skip
    facts: dict[str, Any] = {
        "train_samples": len(chosen.asked),
        "valid_samples": 0 if valid is None else len(valid.asked),
        "parameters": total,
        "trainable": trainable,
    }
    started = time.perf_counter()
    epochs = _fit(ctx, asked, task, retrieved, marked)
    facts |= {
        "histories_shortened": task.shortened,
        "epochs": [asdict(epoch) for epoch in epochs],
        "best_epoch": max(epoch.epoch for epoch in epochs if epoch.best),
        "seconds": round(time.perf_counter() - started, 3),
    }
    meta = {
        "fingerprint": marked,
        "dataset": ctx.settings["dataset"],
        "train_fingerprint": ctx.train_fingerprint,
        "subgraphs": opened[1].fingerprint,
        "seed": seed,
        "run_id": ctx.run_id,
        "parameters": _told(asked),
        "facts": facts,
    }
    if asked.checkpoint is not None and not asked.overwrite:
        # Another run may have been at work under the same name.
        _kept(asked, path, marked, seed)
    write_checkpoint(path, GraphCheckpoint(config.plain(), model.own_state(), meta))
    told = {**facts, "kept": False, "checkpoint": str(path), "fingerprint": marked}
    return StepResult(facts=told, summary=_summary(path, facts, epochs))


def _chosen(asker: Asker, asked: GraphLlmTrain, split: Any) -> Any:
    """The samples of a split and their candidates; of valid None where there are none, of train StepError."""
    from utils.knowledge.graph_task import Chosen

    limits = [asked.limit] if split == "train" else [asked.limit, asked.valid_limit]
    limit = min((one for one in limits if one is not None), default=None)
    sampled = asker.sampled(split, limit, asked.facts_as == "text")
    if not len(sampled):
        if split == "train":
            raise StepError("subgraphs", f"{asked.subgraphs} has no sample of the train part")
        return None
    return Chosen(sampled, asker.candidates(sampled.samples, asked.num_candidates, asked.negative_sampling))


def _fit(
    ctx: RunContext, asked: GraphLlmTrain, task: GraphTask, retrieved: Mapping[str, Any], marked: str
) -> list[Epoch]:
    from models.training.fit_progress import FittingError
    from models.training.fitting import fit

    number = sum(step["command"] == "graph_llm_train" for step in ctx.record.steps)
    device = task.model.device.type
    keeper = FileKeeper(ctx.unfinished_dir / f"graph-llm-{number}.pth", short_hash(marked, device))
    name = note_training(ctx, asked, retrieved, marked)
    stage = ctx.record.stages[name]
    bar = ctx.console.bar(asked.epochs * len(task.train.asked), "training on questions")

    def on_step(done: int) -> None:
        bar.update(done - bar.n)

    def on_epoch(epoch: Epoch) -> None:
        stage["epochs"].append(epoch_facts(asdict(epoch)))
        ctx.record.write(ctx.run_dir)
        ctx.console.line(f"        {_epoch_line(epoch)}")
        if ctx.on_epoch is not None:
            ctx.on_epoch(name, epoch_facts(asdict(epoch)))

    try:
        epochs = fit(task.model, task, _options(asked), on_epoch, on_step, keeper, _scale(asked))
    except FittingError as error:
        raise StepError(None, str(error)) from error
    finally:
        bar.close()
    if keeper.unusable is not None:
        ctx.console.line(f"        warning: {keeper.unusable}; this training started anew")
    # Those that were trained before a kill are told here for the first time.
    note_training(ctx, asked, retrieved, marked, [asdict(epoch) for epoch in epochs])
    return epochs


def _scale(asked: GraphLlmTrain) -> Callable[[str], float]:
    """Adapters, and the head that reads options through them, may have a rate of their own."""
    own = asked.lora.learning_rate or asked.learning_rate
    return lambda name: own / asked.learning_rate if "lora_" in name or name.startswith("option_head") else 1.0


def _options(asked: GraphLlmTrain) -> FitOptions:
    from models.training.fitting import FitOptions

    values = {name: getattr(asked, name) for name in _OPTIONS}
    return FitOptions(**{**values, "betas": tuple(asked.betas)})


def _told(asked: GraphLlmTrain) -> dict[str, Any]:
    values = asked.model_dump(mode="json")
    return {name: values[name] for name in _TOLD}


def _fingerprint(ctx: RunContext, asked: GraphLlmTrain, config: GraphConfig, subgraphs: str, items: str) -> str:
    """A short hash of all that decides on what is trained."""
    told = {name: value for name, value in _told(asked).items() if name not in ("subgraphs", "prompt", "llm")}
    seed = ctx.recbole_config()["seed"]
    return short_hash(_VERSION, config.plain(), told, subgraphs, items, ctx.train_fingerprint, seed)


def _kept(asked: GraphLlmTrain, path: Path, marked: str, seed: int) -> GraphCheckpoint | None:
    """What was trained before, None where there is nothing; StepError where it was trained otherwise."""
    if not path.exists():
        return None
    try:
        there = read_checkpoint(path)
    except CheckpointError as error:
        raise StepError("checkpoint", f"{error}; set overwrite: True, or name another file") from error
    if there.meta.get("fingerprint") == marked:
        return there
    before, now = there.meta.get("parameters", {}), _told(asked)
    other = [
        f"{name} is {before.get(name)} there and {now[name]} here" for name in now if before.get(name) != now[name]
    ]
    if there.meta.get("seed") != seed:
        other.insert(0, f"seed is {there.meta.get('seed')} there and {seed} here")
    why = other[0] if other else "other subgraphs, other columns of items, another split, prompt or language model"
    raise StepError("checkpoint", f"{path} was trained otherwise ({why}); set overwrite: True, or name another file")


def _epoch_line(epoch: Epoch) -> str:
    valid = ""
    if epoch.valid_loss is not None:
        valid = f", valid loss {epoch.valid_loss:.4f}, accuracy {epoch.valid_accuracy:.3f}"
    return f"epoch {epoch.epoch:>3}: loss {epoch.train_loss:.4f}{valid}, {epoch.seconds:.1f} s"


def _summary(path: Path, facts: dict[str, Any], epochs: list[Epoch]) -> str:
    best = epochs[facts["best_epoch"]]
    valid = "" if best.valid_loss is None else f", valid loss {best.valid_loss:.4f}, accuracy {best.valid_accuracy:.3f}"
    cut = sum(facts["histories_shortened"].values())
    shortened = f"; {cut:,} histories are too long for the model and lost their oldest items" if cut else ""
    return (
        f"{path}: {facts['trainable']:,} parameters trained on {facts['train_samples']:,} questions, best epoch "
        f"{best.epoch}{valid}{shortened}"
    )

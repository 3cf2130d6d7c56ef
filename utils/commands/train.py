"""`train`: fit the model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext, protocol
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.recbole_port.resume import Progress
    from utils.recbole_port.training import Epoch

# What a training finds out, as the record names it.
RESULTS = ("best_val_score", "best_val_res", "best_epoch", "best_test_res", "bestmodel_file")


@command("train")
class Train(Command):
    """Fit with validation and early stopping, as RecBole does; the best model is kept."""

    # A trainer keeps its best score and its checkpoint, so a second training with it would report the first.
    needs: ClassVar[frozenset[str]] = frozenset({"trainer", "untrained"})
    gives: ClassVar[frozenset[str]] = frozenset({"trained"})
    drops: ClassVar[frozenset[str]] = frozenset({"untrained"})
    draws: ClassVar[bool] = True

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError, count_parameters
        from models.transfer.taps import TapError
        from models.transfer.wrapper import TransferError
        from utils.recbole_port.beside import learn_beside
        from utils.recbole_port.resume import Progress
        from utils.recbole_port.training import TrainingError, best_model_file, best_so_far, fit

        total, trainable = count_parameters(ctx.model)
        if total and not trainable:
            raise StepError(None, "every parameter is frozen, there is nothing to train", command="set_trainable")
        data = ctx.data
        index = len(data.train) - 1 if ctx.train_index is None else ctx.train_index
        stage = ctx.open_training()
        stage.update(self._setup(ctx) | dict.fromkeys(RESULTS) | {"train_ds_ind": index, "epochs": []})
        ctx.record.protocol = stage["protocol"]
        ctx.trainer.provenance = ctx.provenance()
        metric, parts = ctx.trainer.valid_metric, ctx.transfer.get("loss_parts", [])[1:] if ctx.outputs else []

        def on_epoch(epoch: Epoch) -> None:
            stage["epochs"].append(epoch.facts())
            # A killed run is read by what it had written.
            ctx.record.write(ctx.run_dir)
            ctx.console.line(_epoch_line(epoch, metric, parts))
            if ctx.on_epoch is not None:
                ctx.on_epoch(ctx.stage, epoch.facts())

        first = ctx.trainer.start_epoch

        def before_epoch(epoch: int) -> None:
            if ctx.wrapper is not None:
                # RecBole counts the epochs of a checkpoint that was loaded as well.
                ctx.wrapper.epoch = epoch - first

        show = bool(ctx.recbole_config()["show_progress"])
        blamed = "wrap_model" if "losses" in ctx.transfer else "set_outputs"
        try:
            if ctx.wrapper is not None and ctx.outputs:
                learn_beside(ctx.trainer, ctx.wrapper, data.train[index], ctx.recbole_config()["seed"])
        except (TapError, TransferError, LayerError, TrainingError) as error:
            raise StepError(None, str(error), command=blamed) from error
        progress = Progress(ctx.unfinished_dir, ctx.trainings, ctx.trainer, data.train[index], data.valid)
        if progress.unusable is not None:
            ctx.console.line(f"        warning: {progress.unusable}; this training starts anew")
        if progress.epoch is not None:
            ctx.console.line(f"        {_resumed(ctx, progress)}")
        try:
            result = fit(ctx.trainer, data.train[index], data.valid, show, on_epoch, progress, before_epoch)
        except (TapError, TransferError, LayerError) as error:
            raise StepError(None, str(error), command=blamed) from error
        except TrainingError as error:
            raise StepError(None, str(error)) from error
        finally:
            stage["best_val_score"], stage["best_val_res"] = best_so_far(ctx.trainer)
            file = best_model_file(ctx.trainer)
            stage["bestmodel_file"] = None if file is None else str(file)
            ctx.weights = "last"
        stage.update(best_val_score=result.best_score, best_val_res=result.best_valid, best_epoch=result.best_epoch)
        count = f"{len(result.epochs)} epoch{'' if len(result.epochs) == 1 else 's'}"
        best = "not validated" if result.best_score is None else f"best valid {metric} {result.best_score:.4f}"
        at = "" if result.best_epoch is None else f" in epoch {result.best_epoch}"
        unused = "; wrap_model's loss was not used: no set_outputs" if ctx.unused_loss else ""
        return StepResult(
            facts={"stage": ctx.stage, "best_val_score": result.best_score, "epochs": len(result.epochs)},
            summary=f"{count}, {best}{at}{unused}",
        )

    def _setup(self, ctx: RunContext) -> dict[str, Any]:
        """What is trained here, from where, and under which settings and protocol."""
        wrapper, n_epochs = ctx.wrapper, ctx.trainer.epochs - ctx.trainer.start_epoch
        by_loss = bool(ctx.outputs) and wrapper is not None and wrapper.ever_counts(n_epochs)
        carried = [str(ctx.transfer["loss_name"])] if by_loss else []
        vectors = [*(ctx.transfer["vectors"] if by_loss else []), *ctx.vectors.values()]
        return {
            **(ctx.transfer if by_loss else dict.fromkeys(ctx.transfer)),
            "distil_loss_weight": ctx.transfer_weight if by_loss else None,
            "transferred": by_loss or bool(ctx.carried),
            # Under which names knowledge has come into the model: its loss, and other ways.
            "knowledge": [*carried, *ctx.carried],
            "carried": copy.deepcopy(ctx.carried),
            "vectors": copy.deepcopy(vectors),
            # A plain list, as LLM-KT's journal has it, unless it was said whose each tap is.
            "set_outputs": copy.deepcopy(
                ctx.outputs if set(ctx.outputs) - {"layers"} else ctx.outputs.get("layers", [])
            ),
            "set_trainable": copy.deepcopy(ctx.trainable),
            "config": copy.deepcopy(ctx.changed),
            "settings": ctx.in_force,
            "protocol": protocol(ctx.trainer.config),
            "lineage": list(ctx.lineage),
            "starts_from": ctx.weights,
            # What a table of vectors is frozen for is part of the transfer, as its plain twin's is not.
            "frozen": sorted(
                name
                for name, value in ctx.model.named_parameters()
                if not value.requires_grad and name not in ctx.frozen_vectors
            ),
            "frozen_vectors": list(ctx.frozen_vectors),
            "loaded_from": ctx.loaded_from,
        }


def _resumed(ctx: RunContext, progress: Progress) -> str:
    """Where this training goes on, for the record and in words."""
    if ctx.record.resumed:
        ctx.record.resumed[-1].update(training=ctx.trainings, epoch=progress.epoch)
    if progress.complete:
        return f"resumed {ctx.run_id}: this training was complete"
    return f"resumed {ctx.run_id} at epoch {progress.epoch}"


def _epoch_line(epoch: Epoch, metric: str, names: Sequence[str]) -> str:
    """names: of the transfer losses, which stand after the first of the model's own parts, where they have any."""
    first, *rest = (f"{part:.4f}" for part in epoch.losses)
    named = [f"{name} {part}" for name, part in zip(names, rest, strict=False)]
    parts = " + ".join([first, *named, *rest[len(named) :]])
    valid = f", valid {metric} {epoch.valid[metric]:.4f}" if metric in epoch.valid else ""
    return f"        epoch {epoch.epoch:>3}: loss {parts}{valid}, {epoch.train_s + epoch.valid_s:.1f} s"

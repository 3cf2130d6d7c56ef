"""`train`: fit the model."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError


@command("train")
class Train(Command):
    """Fit with validation and early stopping, as RecBole does; the best model is kept."""

    needs: ClassVar = frozenset({"trainer"})
    gives: ClassVar = frozenset({"trained"})
    draws: ClassVar = True

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import LayerError
        from models.transfer.taps import TapError
        from models.transfer.wrapper import TransferError
        from utils.recbole_port.training import fit

        data = ctx.data
        index = len(data.train) - 1 if ctx.train_index is None else ctx.train_index
        stage = ctx.stage_facts()
        stage.update(
            ctx.transfer
            | {"transferred": bool(ctx.outputs), "set_outputs": ctx.outputs, "set_trainable": ctx.trainable}
        )
        stage.update(train_ds_ind=index, bestmodel_file=str(ctx.trainer.saved_model_file))
        show = bool(ctx.recbole_config()["show_progress"])
        metric = ctx.trainer.valid_metric

        def on_epoch(epoch: object) -> None:
            ctx.console.line(_epoch_line(epoch, metric))

        try:
            result = fit(ctx.trainer, data.train[index], data.valid, show, on_epoch)
        except (TapError, TransferError, LayerError) as error:
            raise StepError(None, str(error), command="set_outputs") from error
        stage.update(
            best_val_score=result.best_score,
            best_val_res=result.best_valid,
            best_epoch=result.best_epoch,
            epochs=[epoch.facts() for epoch in result.epochs],
        )
        best = "not validated" if result.best_score is None else f"best valid {metric} {result.best_score:.4f}"
        at = "" if result.best_epoch is None else f" in epoch {result.best_epoch}"
        return StepResult(
            facts={"best_val_score": result.best_score, "epochs": len(result.epochs)},
            summary=f"{len(result.epochs)} epochs, {best}{at}",
        )


def _epoch_line(epoch: object, metric: str) -> str:
    from utils.recbole_port.training import Epoch

    assert isinstance(epoch, Epoch)
    parts = " + ".join(f"{part:.4f}" for part in epoch.losses)
    valid = f", valid {metric} {epoch.valid[metric]:.4f}" if metric in epoch.valid else ""
    return f"        epoch {epoch.epoch:>3}: loss {parts}{valid}, {epoch.train_s + epoch.valid_s:.1f} s"

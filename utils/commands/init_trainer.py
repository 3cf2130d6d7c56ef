"""`init_trainer`: RecBole's trainer for the model."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext
from utils.scenario.settings import effective
from utils.scenario.settings_schema import BridgeSettings


@command("init_trainer")
class InitTrainer(Command):
    """A new trainer: optimizer, learning rate, epochs and metrics are read from the settings here."""

    needs: ClassVar[frozenset[str]] = frozenset({"model"})
    gives: ClassVar[frozenset[str]] = frozenset({"trainer", "untrained"})
    drops: ClassVar[frozenset[str]] = frozenset({"trained"})
    draws: ClassVar[bool] = True

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port.training import build_trainer

        ctx.drop_trainer()
        ctx.trainings += 1
        name = "model.pth" if ctx.trainings == 1 else f"model-{ctx.trainings}.pth"
        tensorboard = Path("log") / "tensorboard" / ctx.run_id / f"trainer-{ctx.trainings}"
        config = ctx.recbole_config()
        ctx.trainer = build_trainer(config, ctx.model, ctx.run_dir / name, tensorboard)
        ours = {name: field.get_default() for name, field in BridgeSettings.model_fields.items()}
        ctx.in_force = copy.deepcopy(ours | effective(ctx.settings))
        facts = {
            "trainer": type(ctx.trainer).__name__,
            "epochs": config["epochs"],
            "learning_rate": config["learning_rate"],
        }
        return StepResult(
            facts=facts,
            summary=f"{facts['trainer']}, epochs {facts['epochs']}, learning rate {facts['learning_rate']}",
        )

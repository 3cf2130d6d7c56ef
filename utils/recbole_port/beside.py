"""Parameters that a trainer trains beside the model's: adapters of a transfer loss, which no checkpoint holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from utils.recbole_port.session import kept_random_state
from utils.recbole_port.training import TrainingError
from utils.recbole_port.training_state import kept_generators

# Marks their group among the optimizer's, so that a saved recommender leaves it out.
BESIDE = "beside"


def train_beside(trainer: Any, learned: nn.Module) -> None:
    """Have the trainer's optimizer train these parameters too; TrainingError where it cannot.

    The state of an unfinished training holds them (`trainer.learned_beside`), a checkpoint of the model does not.
    """
    if next(learned.parameters(), None) is None:
        return
    optimizers = {id(value): value for value in vars(trainer).values() if isinstance(value, torch.optim.Optimizer)}
    if len(optimizers) != 1 or isinstance(trainer.optimizer, torch.optim.SparseAdam):
        raise TrainingError(
            f"an adapter or a mask is trained with the model's optimizer, but {type(trainer).__name__} has "
            f"{', '.join(type(one).__name__ for one in optimizers.values())}; leave adapters out, or set learner: adam"
        )
    trainer.optimizer.add_param_group({"params": list(learned.parameters()), BESIDE: True})
    trainer.learned_beside = learned


def first_batch(trainer: Any, train: Any) -> Any:
    """A batch of the train part, on the trainer's device; the loader draws the same ones as if nobody had looked."""
    with kept_random_state(), kept_generators("train", train):
        return next(iter(train)).to(trainer.device)

"""Parameters that a trainer trains beside the model's: adapters of a transfer loss, which no checkpoint holds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch

from models.transfer.taps import replace_method
from models.transfer.untouched import untouched
from models.transfer.wrapper import TransferWrapper
from utils.recbole_port.checkpoints import BESIDE
from utils.recbole_port.session import kept_random_state
from utils.recbole_port.training import TrainingError
from utils.recbole_port.training_state import kept_generators


class _Made(Exception):
    """One batch was enough."""


def learn_beside(trainer: Any, wrapper: TransferWrapper, train: Any, seed: int) -> None:
    """Have the trainer's optimizer train adapters and mask tokens too; TrainingError where it cannot.

    The state of an unfinished training holds them (`trainer.learned_beside`), a checkpoint of the model does not.
    """
    if not wrapper.lacks_adapters and not len(wrapper.learned):
        return
    optimizers = {id(value): value for value in vars(trainer).values() if isinstance(value, torch.optim.Optimizer)}
    if len(optimizers) != 1 or isinstance(trainer.optimizer, torch.optim.SparseAdam):
        several = f"{type(trainer).__name__} has {len(optimizers)} of them; leave adapters and masks out"
        why = several if len(optimizers) > 1 else "SparseAdam takes embeddings only; set learner: adam"
        raise TrainingError(f"an adapter or a mask is trained with the model's optimizer, but {why}")
    if wrapper.lacks_adapters:
        _make_adapters(trainer, wrapper, train, seed)
    trainer.learned_beside = wrapper.learned.to(trainer.device)
    trainer.optimizer.add_param_group({"params": list(trainer.learned_beside.parameters()), BESIDE: True})


def _make_adapters(trainer: Any, wrapper: TransferWrapper, train: Any, seed: int) -> None:
    """Have the wrapper see the first batch that the trainer gives to the loss; all that follows is as if it had not.

    It is the trainer that says what a knowledge graph's loader gives, and has SGL draw its graphs.
    """

    def make(*arguments: Any, **named: Any) -> None:
        torch.manual_seed(seed)
        wrapper.add_adapters(*arguments, **named)
        raise _Made

    model = trainer.model
    with kept_random_state(), kept_generators("train", train), untouched(model):
        # The method is among what comes back.
        replace_method(model, wrapper.loss_method, make)
        if hasattr(model, "e_step"):
            # NCL's trainer does this before an epoch, not in it.
            model.e_step()
        with suppress(_Made):
            trainer._train_epoch(train, trainer.start_epoch)

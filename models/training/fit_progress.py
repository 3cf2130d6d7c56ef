"""How far a training has come: its epochs, its best parameters, its place within an epoch; kept, and gone on with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from models.training.trained_state import copied, put_in, random_states, set_random_states, trained_state

# Of the time since progress was last kept, what keeping it may cost within an epoch.
SHARE = 0.02


class FittingError(ValueError):
    """A training that cannot begin or go on; the message says where, and at which samples."""


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training.

    epoch: from 0. train_loss: mean over its samples, each as it was when it was trained on. valid_loss,
    valid_accuracy: at its end; None without validation. learning_rate: of its last step. seconds: with validation.
    best: no epoch before it had as low a validation loss; without validation the latest epoch is the best.
    valid_s: of `seconds`, those that validation took.
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None
    learning_rate: float
    seconds: float
    best: bool
    # Progress that was kept before this was measured has none.
    valid_s: float = 0.0


@dataclass
class Part:
    """The steps of the running epoch that are done.

    samples: of them. loss: its sum over these samples. seconds: that they took.
    """

    steps: int = 0
    samples: int = 0
    loss: float = 0.0
    seconds: float = 0.0


class Keeper(Protocol):
    """Where the progress of one training outlives its process."""

    def load(self) -> dict[str, Any] | None:
        """What was saved last, by a training with the same parameters on the same data; None where there is nothing."""
        ...

    def save(self, state: dict[str, Any]) -> None:
        """Keep tensors and plain values, all or nothing. The tensors are the training's own and change after this."""
        ...


class Progress:
    """The state of one training.

    epochs: those that are over. part: of the one that is not. samples: trained on since the training began.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer, keeper: Keeper | None) -> None:
        """Go on where `keeper` says, bit for bit as far as the device computes alike twice; FittingError where what it
        has does not fit the module."""
        self._own, self._optimizer, self._keeper = trained_state(module), optimizer, keeper
        self.epochs: list[Epoch] = []
        self.part = Part()
        self.samples = 0
        self._best: dict[str, Tensor] = {}
        found = keeper.load() if keeper else None
        if found is not None:
            self._put_back(found)
        self._cost, self._kept = 0.0, time.perf_counter()

    def keep(self) -> None:
        """Keep the progress at the end of an epoch."""
        if self._keeper is not None:
            started = time.perf_counter()
            self._keeper.save(self._state())
            self._kept = time.perf_counter()
            self._cost = self._kept - started

    def keep_within(self) -> None:
        """Keep the progress after a step, unless that would cost too much of the time since the last time."""
        if self._cost <= SHARE * (time.perf_counter() - self._kept):
            self.keep()

    def end_epoch(self, epoch: Epoch) -> None:
        """Enter an epoch, with its parameters if they are the best, and keep the progress."""
        self.epochs.append(epoch)
        if epoch.best:
            self._best = copied(self._own)
        self.part = Part()
        self.keep()

    def since_best(self) -> int:
        """How many epochs are over since the best one."""
        best = max((epoch.epoch for epoch in self.epochs if epoch.best), default=0)
        return max(len(self.epochs) - 1 - best, 0)

    def lowest(self) -> float | None:
        """The lowest validation loss; None before the first."""
        return min((epoch.valid_loss for epoch in self.epochs if epoch.valid_loss is not None), default=None)

    def put_best_back(self) -> None:
        """Make the module what it was after its best epoch."""
        put_in(self._own, self._best)

    def _state(self) -> dict[str, Any]:
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "part": asdict(self.part),
            "samples": self.samples,
            "tensors": {name: value.detach() for name, value in self._own.items()},
            "best": dict(self._best),
            "optimizer": self._optimizer.state_dict(),
            "random": random_states(),
        }

    def _put_back(self, state: Mapping[str, Any]) -> None:
        try:
            put_in(self._own, state["tensors"])
        except ValueError as error:
            raise FittingError(f"the progress of this training is of another module: {error}") from error
        self._optimizer.load_state_dict(state["optimizer"])
        self.epochs = [Epoch(**facts) for facts in state["epochs"]]
        self.part = Part(**state["part"])
        self.samples = state["samples"]
        # On the module's devices, where `copied` leaves them too.
        self._best = {name: value.to(self._own[name].device) for name, value in state["best"].items()}
        set_random_states(state["random"])

"""Fitting a part of a module: AdamW on groups of batches, validation after each epoch, the best parameters kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models.training.fit_progress import Epoch, FittingError, Keeper, Progress
from models.training.warmup_cosine import Scheduler, learning_rate, mid_step


@dataclass(frozen=True)
class FitOptions:
    """How a part is fitted; K-RagRec's settings by default.

    epochs: at most, 1 or more. grad_accum_steps: batches to an optimizer step, 1 or more. clip_grad_norm: the longest
    gradient of a step, None for any. warmup_epochs, min_lr: of the schedule. early_stopping_patience: how many epochs
    without a lower validation loss end the training, 1 or more; None for no end before `epochs`.
    """

    epochs: int = 3
    grad_accum_steps: int = 2
    learning_rate: float = 1e-5
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    clip_grad_norm: float | None = 0.1
    lr_scheduler: Scheduler = "cosine"
    warmup_epochs: float = 1
    min_lr: float = 5e-6
    early_stopping_patience: int | None = 2


class Task(Protocol):
    """What a module is fitted to."""

    def batches(self, epoch: int) -> Sequence[Any]:
        """The batches of an epoch, the same whenever they are asked for; nothing is drawn from a global generator."""
        ...

    def size(self, batch: Any) -> int:
        """How many samples a batch has."""
        ...

    def loss(self, batch: Any) -> Tensor:
        """The mean loss of a batch's samples, a scalar."""
        ...

    def validate(self) -> tuple[float, float] | None:
        """(loss, accuracy) on samples that are not trained on, without gradients; None where there are none."""
        ...

    def describe(self, batch: Any) -> str:
        """The samples of a batch in words, for errors."""
        ...


def fit(
    module: nn.Module,
    task: Task,
    options: FitOptions,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_step: Callable[[int], None] = lambda samples: None,
    keeper: Keeper | None = None,
    scale: Callable[[str], float] = lambda name: 1.0,
) -> list[Epoch]:
    """Train the parameters of `module` with `requires_grad`; leave it as after its best epoch, in evaluation mode.

    The gradient of a step is the mean over all samples of its batches, however many these are and whatever their sizes.
    `module.train()` is called before an epoch's steps; what stays in evaluation mode is the module's own business, and
    the mode in which `validate` runs is the task's.

    on_epoch: told of each epoch as it ends, and not of those that `keeper` brought back, which are returned as well.
    on_step: told how many samples have been trained on since the training began, in all its processes.
    keeper: with one, a training that was killed goes on at its last kept step.
    scale: of a parameter's name: how many times the schedule's learning rate it has.

    FittingError for a module without such parameters, for losses that none of them takes part in, and for a loss or a
    gradient that is not finite, before it has changed a parameter.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise FittingError("there is nothing to train: no parameter has requires_grad")
    by_scale: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            by_scale.setdefault(scale(name), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": own, "scale": times} for times, own in by_scale.items()],
        lr=options.learning_rate,
        betas=options.betas,
        weight_decay=options.weight_decay,
    )
    progress = Progress(module, optimizer, keeper)
    while not _is_over(progress, options):
        module.train()
        epoch = _epoch(task, options, parameters, optimizer, progress, on_step)
        progress.end_epoch(epoch)
        on_epoch(epoch)
    progress.put_best_back()
    # After that: a module may drop here what it remembers of its parameters.
    module.eval()
    return progress.epochs


def _is_over(progress: Progress, options: FitOptions) -> bool:
    patience = options.early_stopping_patience
    return len(progress.epochs) >= options.epochs or (patience is not None and progress.since_best() >= patience)


def _epoch(
    task: Task,
    options: FitOptions,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    on_step: Callable[[int], None],
) -> Epoch:
    """The steps of an epoch that are not done yet, and its validation."""
    number, part = len(progress.epochs), progress.part
    started = time.perf_counter() - part.seconds
    batches = task.batches(number)
    groups = [batches[at : at + options.grad_accum_steps] for at in range(0, len(batches), options.grad_accum_steps)]
    if not groups:
        raise FittingError(f"epoch {number} has no batches")
    for step in range(part.steps, len(groups)):
        _set_rate(optimizer, options, mid_step(number, step, len(groups)))
        size = sum(task.size(batch) for batch in groups[step])
        mean = _step(task, groups[step], size, options, parameters, optimizer, f"step {step} of epoch {number}")
        part.steps, part.samples, part.loss = step + 1, part.samples + size, part.loss + mean * size
        part.seconds = time.perf_counter() - started
        progress.samples += size
        progress.keep_within()
        on_step(progress.samples)
    if not optimizer.state:
        raise FittingError(f"no loss of epoch {number} depends on a parameter that is trained")
    trained = time.perf_counter()
    valid = task.validate()
    ended = time.perf_counter()
    if valid is not None and not math.isfinite(valid[0]):
        raise FittingError(f"the validation loss of epoch {number} is {valid[0]}")
    loss, accuracy = valid or (None, None)
    lowest = progress.lowest()
    return Epoch(
        epoch=number,
        train_loss=part.loss / part.samples,
        valid_loss=loss,
        valid_accuracy=accuracy,
        learning_rate=optimizer.param_groups[0]["lr"] / optimizer.param_groups[0]["scale"],
        seconds=ended - started,
        best=loss is None or lowest is None or loss < lowest,
        valid_s=ended - trained,
    )


def _set_rate(optimizer: torch.optim.Optimizer, options: FitOptions, progress_epochs: float) -> None:
    rate = learning_rate(
        progress_epochs,
        epochs=options.epochs,
        peak=options.learning_rate,
        warmup_epochs=options.warmup_epochs,
        min_lr=options.min_lr,
        lr_scheduler=options.lr_scheduler,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def _step(
    task: Task,
    group: Sequence[Any],
    size: int,
    options: FitOptions,
    parameters: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    where: str,
) -> float:
    """One optimizer step on the batches of `group`, `size` samples; their mean loss."""
    optimizer.zero_grad(set_to_none=True)
    mean = 0.0
    for batch in group:
        loss = task.loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FittingError(f"the loss is {value} at {where}: {task.describe(batch)}")
        weight = task.size(batch) / size
        mean += value * weight
        # Samples without a subgraph reach no parameter but those of the frozen model.
        if loss.requires_grad:
            (loss * weight).backward()
    # A limit of infinity clips nothing, but the norm is wanted in any case.
    limit = math.inf if options.clip_grad_norm is None else options.clip_grad_norm
    norm = float(nn.utils.clip_grad_norm_(parameters, limit))
    if not math.isfinite(norm):
        raise FittingError(f"the gradient is {norm} at {where}: {'; '.join(map(task.describe, group))}")
    optimizer.step()
    return mean

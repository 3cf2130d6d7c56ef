"""Trainers that take a loss of several parts, as a wrapped model gives it.

RecBole's trainers add up and log the parts of a tuple, but three cannot: RecVAE's adds it to 0.0, KGAT's and
MKR's pair it with the loss of their knowledge graph, and a tuple in a tuple is neither summed nor printed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

Losses = float | tuple[Any, ...]


def parts_of(losses: Losses) -> tuple[float, ...]:
    """All parts in order, whatever the nesting."""
    if isinstance(losses, tuple):
        return tuple(part for inner in losses for part in parts_of(inner))
    return (losses,)


def recvae_epoch(
    self: Any, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False
) -> Losses:
    """An epoch of RecVAE: the encoder's, then the decoder's, whose losses are added up part by part."""
    from recbole.trainer import Trainer

    run = partial(Trainer._train_epoch, self, train_data, epoch_idx, show_progress=show_progress)
    self.optimizer = self.optimizer_encoder
    for _ in range(self.n_enc_epochs):
        run(loss_func=lambda batch: self.model.calculate_loss(batch, encoder_flag=True))
    self.model.update_prior()
    self.optimizer = self.optimizer_decoder
    epochs = [
        parts_of(run(loss_func=lambda batch: self.model.calculate_loss(batch, encoder_flag=False)))
        for _ in range(self.n_dec_epochs)
    ]
    sums = tuple(map(sum, zip(*epochs, strict=True)))
    return sums[0] if len(sums) == 1 else sums


def accept_parts() -> None:
    """Make RecBole's three trainers take losses of several parts."""
    from recbole.trainer import trainer

    def flat(epoch: Callable[..., Losses]) -> Callable[..., Losses]:
        return lambda *args, **kwargs: parts_of(epoch(*args, **kwargs))

    trainer.RecVAETrainer._train_epoch = recvae_epoch
    for cls in (trainer.KGATTrainer, trainer.MKRTrainer):
        cls._train_epoch = flat(cls._train_epoch)

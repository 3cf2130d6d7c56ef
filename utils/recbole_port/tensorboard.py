"""TensorBoard's writer for RecBole's trainers, whole whenever Ctrl-C comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.interrupts import held_back


def writer(folder: Path) -> Any:
    """A SummaryWriter that is not interrupted: its queue would lose count, and closing it would wait for ever."""
    from torch.utils.tensorboard import SummaryWriter

    class Whole(SummaryWriter):
        def add_scalar(self, *args: Any, **kwargs: Any) -> None:
            with held_back():
                super().add_scalar(*args, **kwargs)

        def add_hparams(self, *args: Any, **kwargs: Any) -> None:
            with held_back():
                super().add_hparams(*args, **kwargs)

    return Whole(str(folder))

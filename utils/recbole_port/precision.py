"""Training in bfloat16: matrix products take half the bits, weights and optimizer stay in float32."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

BFLOAT16 = "bfloat16"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return True
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def bfloat16(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 inside the block, in which no weight may change: its rounded copies are kept to the end."""
    return torch.autocast(device.type, torch.bfloat16)


@contextmanager
def _autocast_means_bfloat16(device: torch.device) -> Iterator[None]:
    """What RecBole's own autocast, one for each batch, casts to inside the block; on a GPU that would be float16."""
    before = torch.get_autocast_dtype(device.type)
    torch.set_autocast_dtype(device.type, torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_dtype(device.type, before)


class Precision:
    """Mixin for RecBole's trainers: `precision: bfloat16` holds for the loss of every batch; metrics are float32's."""

    def __init__(self: Any, config: Any, model: Any) -> None:
        super().__init__(config, model)  # type: ignore[call-arg]
        self.trains_in_bfloat16 = config["precision"] == BFLOAT16 and has_bfloat16(config["device"])
        if config["precision"] == BFLOAT16 and not self.trains_in_bfloat16:
            logging.getLogger().warning("this %s has no bfloat16; the training takes float32", config["device"].type)
        if self.trains_in_bfloat16:
            self.enable_amp = True

    def _train_epoch(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.trains_in_bfloat16:
            return super()._train_epoch(*args, **kwargs)  # type: ignore[misc]
        with _autocast_means_bfloat16(self.device):
            return super()._train_epoch(*args, **kwargs)  # type: ignore[misc]

"""Tokens drawn so that what a prompt gets does not depend on the prompts beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch


class GumbelNoise:
    """A logits processor under which the likeliest token of each row is one drawn at `temperature`.

    argmax(logits / temperature + g), where g = -log(-log(u)) and u is uniform, is a draw from
    softmax(logits / temperature): the Gumbel-max trick (Maddison et al., A* Sampling, 2014, section 2). Row i of a
    batch draws from a generator of its own, which `seed` and `prompts[i]` start; so a prompt is answered alike in any
    batch, as far as the model's arithmetic is.
    """

    def __init__(self, seed: int, prompts: Sequence[str], temperature: float, device: torch.device) -> None:
        self._temperature = temperature
        self._dice = [torch.Generator(device).manual_seed(_start(seed, prompt)) for prompt in prompts]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Logits [batch, vocabulary] as noisy ones [batch, vocabulary] in float32."""
        noise = torch.stack([self._gumbel(dice, scores) for dice in self._dice])
        return scores.float() / self._temperature + noise

    @staticmethod
    def _gumbel(dice: torch.Generator, scores: torch.Tensor) -> torch.Tensor:
        # -log(u) is exponential with rate 1, which torch draws without ever being 0.
        exponential = torch.empty(scores.shape[1], device=scores.device).exponential_(generator=dice)
        return -exponential.log()


def _start(seed: int, prompt: str) -> int:
    digest = hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()
    # Generators take 63 bits.
    return int.from_bytes(digest[:8], "big") >> 1

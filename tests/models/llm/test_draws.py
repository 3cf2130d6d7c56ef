"""The noise under which the likeliest token is a drawn one."""

from __future__ import annotations

import pytest
import torch

from models.llm.writers.draws import GumbelNoise

CPU = torch.device("cpu")
SHARES = torch.tensor([0.5, 0.3, 0.2])


def _drawn(
    prompts: list[str], temperature: float = 1.0, seed: int = 1, dtype: torch.dtype = torch.float32
) -> list[int]:
    logits = SHARES.log().to(dtype).expand(len(prompts), -1)
    noise = GumbelNoise(seed, prompts, temperature, CPU)
    return noise(torch.zeros(len(prompts), 1), logits).argmax(1).tolist()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_as_often_as_softmax_at_that_temperature_says(temperature: float) -> None:
    drawn = torch.tensor(_drawn([str(number) for number in range(4000)], temperature))
    # At 0.5 the shares are squared: 25, 9 and 4 of 38.
    expected = SHARES ** (1 / temperature) / (SHARES ** (1 / temperature)).sum()
    # The standard error of a share of 4000 draws is at most 0.008.
    assert torch.bincount(drawn, minlength=3) / 4000 == pytest.approx(expected, abs=0.03)


def test_a_prompt_draws_the_same_whatever_stands_beside_it() -> None:
    prompts = [str(number) for number in range(30)]
    assert _drawn(prompts) == [_drawn([prompt])[0] for prompt in prompts]
    assert _drawn(prompts[::-1]) == _drawn(prompts)[::-1]
    assert _drawn(prompts) != _drawn(prompts, seed=2)


def test_each_step_draws_anew() -> None:
    noise = GumbelNoise(1, ["a"], 1.0, CPU)
    steps = [noise(torch.zeros(1, 1), SHARES.log()[None]) for _ in range(2)]
    assert not torch.equal(*steps)


def test_noise_on_half_precision_is_not_rounded_to_it() -> None:
    noisy = GumbelNoise(1, ["a"], 1.0, CPU)(torch.zeros(1, 1), torch.zeros(1, 3, dtype=torch.bfloat16))
    assert noisy.dtype == torch.float32
    assert not torch.equal(noisy, noisy.bfloat16().float())

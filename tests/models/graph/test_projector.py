"""The projector: its width, its formula and its gradients."""

from __future__ import annotations

import math

import torch

from models.graph.projector import Projector


def test_it_has_as_many_parameters_as_the_released_one() -> None:
    with torch.device("meta"):
        projector = Projector(1024, 2048, 4096)
    count = sum(parameter.numel() for parameter in projector.parameters())
    assert count == (1024 * 2048 + 2048) + (2048 * 4096 + 4096) == 10_491_904


def test_it_is_linear_sigmoid_less_a_half_linear() -> None:
    projector = Projector(1, 1, 1)
    with torch.no_grad():
        for parameter, value in zip(projector.parameters(), (2.0, 1.0, 3.0, -1.0), strict=True):
            parameter.fill_(value)
    expected = 3 * (1 / (1 + math.exp(-(2 * 0.5 + 1))) - 0.5) - 1
    torch.testing.assert_close(projector(torch.tensor([0.5])), torch.tensor([expected]))


def test_every_vector_becomes_a_token_of_its_own() -> None:
    torch.manual_seed(0)
    projector = Projector(3, 4, 5)
    vectors = torch.randn(2, 6, 3)
    tokens = projector(vectors)
    assert tokens.shape == (2, 6, 5)
    torch.testing.assert_close(tokens[1, 2], projector(vectors[1, 2]))


def test_at_first_it_may_give_one_token_for_all_and_still_learns_to_tell_them_apart() -> None:
    torch.manual_seed(0)
    projector, vectors, word = Projector(3, 4, 5), torch.randn(2, 3), torch.randn(5)
    projector.start_at(word)
    torch.testing.assert_close(projector(vectors), word.expand(2, 5))
    optimizer = torch.optim.SGD(projector.parameters(), lr=0.1)
    projector(vectors)[0].sum().backward()
    optimizer.step()
    first, second = projector(vectors)
    assert (first - second).abs().min() > 0


def test_gradients_reach_every_parameter_and_the_vectors() -> None:
    torch.manual_seed(0)
    projector, vectors = Projector(3, 4, 5), torch.randn(2, 3, requires_grad=True)
    projector(vectors).square().sum().backward()
    for tensor in (vectors, *projector.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.abs().min() > 0

"""Adapters bring student and teacher to one width."""

from __future__ import annotations

import pytest
import torch

from models.transfer.adapters import Adapter, AdapterSpec, Kind


def _widths(spec: AdapterSpec, student: int = 8, teacher: int = 6) -> tuple[int, int]:
    left, right = Adapter(spec, student, teacher)(torch.ones(5, student), torch.ones(5, teacher))
    assert len(left) == len(right) == 5
    return left.shape[1], right.shape[1]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_one_side_takes_the_width_of_the_other(kind: Kind) -> None:
    assert _widths(AdapterSpec(student=kind)) == (6, 6)
    assert _widths(AdapterSpec(teacher=kind)) == (8, 8)


def test_both_sides_meet_at_the_said_width_or_the_smaller_of_theirs() -> None:
    assert _widths(AdapterSpec(student="linear", teacher="mlp", width=4)) == (4, 4)
    assert _widths(AdapterSpec(student="linear", teacher="mlp")) == (6, 6)
    assert _widths(AdapterSpec(student="mlp", teacher="mlp"), student=3) == (3, 3)


def test_the_side_without_an_adapter_passes_as_it_is() -> None:
    student = torch.randn(5, 8)
    kept, _ = Adapter(AdapterSpec(teacher="linear"), 8, 6)(student, torch.randn(5, 6))
    assert kept is student


@pytest.mark.parametrize(
    ("kind", "count"),
    # (6 -> 8); and 6 -> (6 + 8) / 2 = 7 -> 8.
    [("linear", 6 * 8 + 8), ("mlp", (6 * 7 + 7) + (7 * 8 + 8))],
)
def test_an_mlp_has_one_hidden_layer_between_both_widths(kind: Kind, count: int) -> None:
    made = Adapter(AdapterSpec(teacher=kind), 8, 6)
    assert sum(parameter.numel() for parameter in made.parameters()) == count


def test_a_linear_adapter_is_a_linear_map_and_an_mlp_is_none() -> None:
    def bent(kind: Kind) -> float:
        torch.manual_seed(0)
        network = Adapter(AdapterSpec(teacher=kind), 8, 6).teacher
        rows = torch.randn(2, 6)
        # Of an affine map the middle's value is the middle of the values.
        return float((network(rows.mean(dim=0)) - network(rows).mean(dim=0)).abs().max().detach())

    assert bent("linear") < 1e-6
    assert bent("mlp") > 1e-3

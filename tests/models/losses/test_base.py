"""What the interpreter learns of a formula: its options, and what it compares."""

from __future__ import annotations

import pytest
import torch

from models.losses.base import LOSSES, AtLeastTwo, Formula, Loss, Positive, PositiveCount
from tests.models.losses.rows import CONTRASTS, NAMES, RELATIONS, SCORES

OPTIONS = {
    "huber": {"delta": (Positive, 1.0)},
    "infonce": {"temperature": (Positive, 0.2)},
    "kl": {"temperature": (Positive, 0.1)},
    "masked_reconstruction": {"temperature": (Positive, 0.2)},
    "ranking_distillation": {"k": (PositiveCount, 10), "position_lambda": (Positive, 1.0)},
    "rkd_angle": {"anchors": (AtLeastTwo, 16)},
}


@pytest.mark.parametrize("name", NAMES)
def test_options_have_a_type_with_a_range_and_a_default(name: str) -> None:
    assert LOSSES.get(name).options == OPTIONS.get(name, {})


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_option_counts(name: str) -> None:
    student, teacher = (torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    formula = LOSSES.get(name)
    for option, (_, default) in OPTIONS[name].items():
        other = 2 if isinstance(default, int) else default / 2
        assert formula(student, teacher, **{option: other}) != formula(student, teacher)


def test_each_formula_says_what_it_compares() -> None:
    for name, loss in LOSSES.items():
        assert loss.name == name
        assert loss.compares == ("relations" if name in RELATIONS else "scores" if name in SCORES else "rows")
        # A row is set against the others wherever rows are related, too.
        assert loss.contrasts == (name in [*CONTRASTS, *RELATIONS, *SCORES])
        assert loss.masks == (name == "masked_reconstruction")


def test_a_loss_is_the_formula_itself_under_a_name() -> None:
    from models.losses.rmse import rmse

    formula: Formula = rmse
    assert LOSSES.get("rmse") == Loss("rmse", formula)

"""Each formula on numbers that can be followed by hand, and what all of them promise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses.base import LOSSES
from tests.models.losses.rows import CONTRASTS, NAMES, RELATIONS, STUDENT, TEACHER, ZERO_WHERE_EQUAL, random_rows


@dataclass(frozen=True)
class Example:
    value: float
    student: torch.Tensor = STUDENT
    teacher: torch.Tensor = TEACHER
    options: dict[str, float] = field(default_factory=dict)


# Two rows have one distance and no angle; three have sides of 3, 4 and 5, or lie on a line.
TRIANGLE = torch.tensor([[0.0, 0], [3, 0], [0, 4]])
LINE = torch.tensor([[0.0], [1], [3]])
# Cosines of the first row of STUDENT with both of TEACHER, and of the second.
SIMILAR = [[10 / math.sqrt(14 * 10), 3 / math.sqrt(14 * 9)], [12 / math.sqrt(16 * 10), 0.0]]
# -log of the softmax of twice them at a row's own teacher.
CONTRAST = sum(math.log(sum(math.exp(2 * one) for one in row)) - 2 * row[own] for own, row in enumerate(SIMILAR)) / 2


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _kl(p: float, q: float) -> float:
    """Of (p, 1 - p) and (q, 1 - q)."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


EXPECTED = {
    # Squared errors: 0, 4, 0 in the first row and 9, 0, 16 in the second.
    "mse": Example((4 + 9 + 16) / 6),
    "rmse": Example(math.sqrt((4 + 9 + 16) / 6)),
    "mae": Example((2 + 3 + 4) / 6),
    # The error of 2 is within delta: 2^2 / 2; those of 3 and 4 are beyond: 2.5 (|e| - 2.5 / 2).
    "huber": Example((2**2 / 2 + 2.5 * (3 - 1.25) + 2.5 * (4 - 1.25)) / 6, options={"delta": 2.5}),
    # 1 - (1 + 9) / (|(1, 2, 3)| |(1, 0, 3)|) for the first row; the second is at a right angle.
    "cosine": Example(((1 - 10 / (math.sqrt(1 + 4 + 9) * math.sqrt(1 + 9))) + 1) / 2),
    "infonce": Example(CONTRAST, options={"temperature": 0.5}),
    "masked_reconstruction": Example(CONTRAST, options={"temperature": 0.5}),
    # The teacher's first items are the third, which the student gives 3, and the first, which it gives 0.
    "ranking_distillation": Example((-math.log(_sigmoid(3)) - math.log(_sigmoid(0))) / 2, options={"k": 1}),
    # Distances 3, 4, 5 over their mean 4 against 1, 3, 2 over 2, so errors of 1/4, 1/2, 1/4.
    "rkd_distance": Example((1 / 16 + 1 / 4 + 1 / 16) / 2 / 3, TRIANGLE, LINE),
    # Cosines 0, 3/5, 4/5 against 1, -1, 1: the errors 1 and 1.6 are not below 1, and cost |e| - 1/2.
    "rkd_angle": Example(((1 - 1 / 2) + (1.6 - 1 / 2) + (1 / 5) ** 2 / 2) / 3, TRIANGLE, LINE),
    # Times 3, the centred columns are (-3, 6, -3), (-4, -4, 8) and the teacher's (-4, -1, 5), so the products are
    # X'X = ((54, -36), (-36, 96)), Y'X = (-9, 60) and Y'Y = 42.
    "cka": Example(1 - (9**2 + 60**2) / (math.sqrt(54**2 + 2 * 36**2 + 96**2) * 42), TRIANGLE, LINE),
    # The student's rows 0 and 2 have one direction, row 1 is at right angles; the teacher's row 2 is opposite to both.
    "kl": Example(
        # The teacher's row 0 picks row 1 (1) over row 2 (-1), the student's row 2 (1) over row 1 (0).
        (_kl(_sigmoid(1 - -1), _sigmoid(0 - 1)) + _kl(_sigmoid(1 - -1), 1 / 2) + _kl(1 / 2, _sigmoid(1 - 0))) / 3,
        torch.tensor([[1.0, 0], [0, 2], [3, 0]]),
        torch.tensor([[1.0], [5], [-2]]),
        {"temperature": 1.0},
    ),
}


def test_every_formula_has_an_expected_value() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_value_on_an_example(name: str) -> None:
    example = EXPECTED[name]
    value = LOSSES.get(name)(example.student.double(), example.teacher.double(), **example.options)
    assert value.dim() == 0
    assert float(value) == pytest.approx(example.value, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 9))
def test_any_shape_gives_a_finite_scalar_that_is_not_negative(name: str, rows: int, width: int, seed: int) -> None:
    value = LOSSES.get(name)(random_rows(rows, width, seed), random_rows(rows, width, seed + 1))
    assert value.shape == ()
    assert torch.isfinite(value)
    # 1 - 1 is 0 but for rounding.
    assert value >= -1e-12


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(rows=st.integers(2, 7), width=st.integers(1, 7), seed=st.integers(0, 9))
def test_the_order_of_rows_does_not_matter(name: str, rows: int, width: int, seed: int) -> None:
    student, teacher = random_rows(rows, width, seed), random_rows(rows, width, seed + 1)
    formula = LOSSES.get(name)
    torch.testing.assert_close(formula(student.flip(0), teacher.flip(0)), formula(student, teacher))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_columns_does_not_matter(name: str) -> None:
    # Dimensions of vectors, or items that are scored.
    student, teacher, formula = random_rows(4, 3, 0), random_rows(4, 3, 1), LOSSES.get(name)
    torch.testing.assert_close(formula(student.flip(1), teacher.flip(1)), formula(student, teacher))


@pytest.mark.parametrize("name", ZERO_WHERE_EQUAL)
def test_equal_rows_cost_nothing(name: str) -> None:
    rows = random_rows(4, 3, seed=0)
    assert float(LOSSES.get(name)(rows, rows.clone())) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_rows_nearer_to_the_teacher_cost_less(name: str) -> None:
    student, teacher = random_rows(6, 3, seed=0), random_rows(6, 3, seed=1)
    # Scores that a sigmoid is taken of are all drawn up.
    nearer = student + 1 if name == "ranking_distillation" else student.lerp(teacher, 0.9)
    assert LOSSES.get(name)(nearer, teacher) < LOSSES.get(name)(student, teacher)


@pytest.mark.parametrize("name", [*RELATIONS, *CONTRASTS])
def test_one_row_has_nothing_to_be_related_to_and_costs_nothing(name: str) -> None:
    student = STUDENT[:1].clone().requires_grad_()
    value = LOSSES.get(name)(student, TEACHER[:1])
    value.backward()
    assert value == 0
    assert student.grad is not None
    assert student.grad.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_nan_is_not_hidden(name: str, rows: int) -> None:
    student = torch.eye(3)[:rows]
    student[0, 0] = math.nan
    assert torch.isnan(LOSSES.get(name)(student, torch.eye(3)[:rows]))


def test_cosine_of_a_row_of_zeros_is_zero_and_moves_nothing() -> None:
    student = torch.tensor([[0.0, 0.0], [2.0, 0.0]], requires_grad=True)
    value = LOSSES.get("cosine")(student, torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    # Distance 1 for the row of zeros and 1 for the right angle.
    assert value == (1 + 1) / 2
    value.backward()
    assert student.grad is not None
    # d(1 - cos)/dy = -1 / |student| = -1/2 for the second row, halved by the mean.
    assert student.grad.tolist() == [[0, 0], [0, -1 / 2 / 2]]


@pytest.mark.parametrize("name", CONTRASTS)
def test_rows_that_say_nothing_cost_the_logarithm_of_how_many_they_are(name: str) -> None:
    assert float(LOSSES.get(name)(torch.zeros(5, 3), random_rows(5, 3, 0))) == pytest.approx(math.log(5))


@pytest.mark.parametrize("name", CONTRASTS)
def test_a_lower_temperature_tells_the_own_teacher_from_the_others_more_sharply(name: str) -> None:
    rows = torch.eye(3)
    for temperature in (1.0, 0.1):
        # Similarity 1 with the own teacher, 0 with two others.
        expected = math.log(math.exp(1 / temperature) + 2) - 1 / temperature
        assert float(LOSSES.get(name)(rows, rows, temperature=temperature)) == pytest.approx(expected, rel=1e-3)


def test_ranking_distillation_weighs_places_and_takes_no_more_than_there_are() -> None:
    student, teacher = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[0.1, 0.3, 0.2]])
    # The teacher's order is the second item, the third, the first.
    scores = [-1.0, 2.0, 0.5]
    for k, position_lambda in ((2, 1.0), (3, 4.0), (10, 4.0)):
        weights = [math.exp(-place / position_lambda) for place in range(1, min(k, 3) + 1)]
        costs = [-weight * math.log(_sigmoid(score)) for weight, score in zip(weights, scores, strict=False)]
        value = LOSSES.get("ranking_distillation")(student, teacher, k=k, position_lambda=position_lambda)
        assert float(value) == pytest.approx(sum(costs) / sum(weights))

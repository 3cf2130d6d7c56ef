"""What does not count for losses that look at directions, and for those that look at relations between rows."""

from __future__ import annotations

import pytest
import torch

from models.losses.base import LOSSES
from tests.models.losses.rows import CONTRASTS, RELATIONS, random_rows

PLACELESS = ["cka", "rkd_angle", "rkd_distance"]
STUDENT, TEACHER = random_rows(6, 3, seed=0), random_rows(6, 5, seed=1)


def _rotation(width: int) -> torch.Tensor:
    return torch.linalg.qr(random_rows(width, width, seed=2)).Q


@pytest.mark.parametrize("name", ["cosine", *CONTRASTS, *RELATIONS])
def test_scale_does_not_count(name: str) -> None:
    formula, teacher = LOSSES.get(name), TEACHER[:, :3]
    torch.testing.assert_close(formula(7 * STUDENT, teacher / 3), formula(STUDENT, teacher))


@pytest.mark.parametrize("name", ["cosine", *CONTRASTS])
def test_the_length_of_each_row_does_not_count(name: str) -> None:
    formula, teacher = LOSSES.get(name), TEACHER[:, :3]
    lengths = torch.arange(1, 7).unsqueeze(1)
    torch.testing.assert_close(formula(lengths * STUDENT, teacher / lengths), formula(STUDENT, teacher))


@pytest.mark.parametrize("name", RELATIONS)
def test_rotation_does_not_count(name: str) -> None:
    formula = LOSSES.get(name)
    torch.testing.assert_close(formula(STUDENT @ _rotation(3), TEACHER @ _rotation(5)), formula(STUDENT, TEACHER))


@pytest.mark.parametrize("name", RELATIONS)
def test_a_student_is_as_good_as_a_teacher_that_it_is_a_rotation_of(name: str) -> None:
    wider = torch.cat([STUDENT, torch.zeros(6, 2)], dim=1) @ _rotation(5)
    assert float(LOSSES.get(name)(STUDENT, 4 * wider)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", PLACELESS)
def test_place_does_not_count(name: str) -> None:
    formula = LOSSES.get(name)
    torch.testing.assert_close(formula(STUDENT + 100, TEACHER - 50), formula(STUDENT, TEACHER))


@pytest.mark.parametrize("name", PLACELESS)
def test_place_does_not_count_in_single_precision(name: str) -> None:
    formula = LOSSES.get(name)
    moved = formula((STUDENT + 100).float(), TEACHER.float())
    torch.testing.assert_close(moved.double(), formula(STUDENT, TEACHER), rtol=1e-4, atol=0)


@pytest.mark.parametrize("wide", [4, 40])
def test_cka_is_the_same_from_products_of_rows_and_of_columns(wide: int) -> None:
    formula = LOSSES.get("cka")
    # Columns of zeros add nothing but work.
    padded = torch.cat([STUDENT, torch.zeros(6, wide)], dim=1)
    torch.testing.assert_close(formula(padded, TEACHER), formula(STUDENT, TEACHER))


def test_cka_of_rows_that_are_all_the_same_is_zero() -> None:
    # The mean of seven times 0.1 is not 0.1 in single precision.
    same = torch.tensor([[0.1, 0.7, -0.3]]).expand(7, 3)
    for teacher in (random_rows(7, 5, seed=1).float(), same):
        assert LOSSES.get("cka")(same, teacher) == 1


@pytest.mark.parametrize("anchors", [2, 3, 4])
def test_rkd_angle_sees_any_two_anchors_from_every_row(anchors: int) -> None:
    n = 7
    student, teacher = random_rows(n, 3, seed=0), random_rows(n, 5, seed=1)
    # Equal rows of one side only: seen from each other, they are in no direction.
    student[4] = student[0]
    chosen = {2: [0, 3], 3: [0, 2, 4], 4: [0, 1, 3, 5]}[anchors]
    triplets = [(i, j, k) for j in range(n) for i in chosen for k in chosen if len({i, j, k}) == 3]
    costs = []
    for i, j, k in triplets:
        cosines = [
            torch.cosine_similarity(rows[i] - rows[j], rows[k] - rows[j], dim=0).item() for rows in (student, teacher)
        ]
        error = abs(cosines[0] - cosines[1])
        costs.append(error**2 / 2 if error < 1 else error - 1 / 2)
    value = LOSSES.get("rkd_angle")(student, teacher, anchors=anchors)
    assert float(value) == pytest.approx(sum(costs) / len(triplets))


def test_rkd_angle_compares_all_triplets_of_no_more_rows_than_anchors() -> None:
    few, many = (LOSSES.get("rkd_angle")(STUDENT, TEACHER, anchors=anchors) for anchors in (6, 60))
    assert few == many

"""The weight of a loss in each epoch."""

from __future__ import annotations

import math

import pytest

from models.losses.schedule import READS, Schedule, weight_at

EXPECTED = {
    Schedule("constant", value=0.3): [0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
    # A quarter of the way from 1 to 0.2 every epoch.
    Schedule("linear", start=1.0, end=0.2, epochs=4): [1, 1 - 0.8 / 4, 1 - 2 * 0.8 / 4, 1 - 3 * 0.8 / 4, 0.2, 0.2],
    Schedule("linear", start=0.0, end=0.5, epochs=1): [0, 0.5, 0.5],
    # 0.2 + 0.8 (1 + cos(turn)) / 2, of a turn from 0 to 180 degrees.
    Schedule("cosine", start=1.0, end=0.2, epochs=4): [
        1,
        0.2 + 0.8 * (1 + math.sqrt(1 / 2)) / 2,
        (1 + 0.2) / 2,
        0.2 + 0.8 * (1 - math.sqrt(1 / 2)) / 2,
        0.2,
        0.2,
    ],
    Schedule("warmup", value=0.6, epochs=3): [0.6 / 3, 2 * 0.6 / 3, 0.6, 0.6, 0.6],
    Schedule("warmup", value=0.6, epochs=1): [0.6, 0.6],
    Schedule("stop", value=0.5, epochs=2): [0.5, 0.5, 0, 0],
}


def test_every_kind_has_expected_weights() -> None:
    assert {schedule.kind for schedule in EXPECTED} == set(READS)


@pytest.mark.parametrize("schedule", EXPECTED, ids=str)
def test_the_weight_of_each_epoch(schedule: Schedule) -> None:
    expected = EXPECTED[schedule]
    assert [weight_at(schedule, epoch) for epoch in range(len(expected))] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_end_is_reached_exactly_and_holds(kind: str) -> None:
    schedule = Schedule(kind, start=0.7, end=0.1, epochs=3)  # type: ignore[arg-type]
    assert [weight_at(schedule, epoch) for epoch in (0, 3, 4, 1000)] == [0.7, 0.1, 0.1, 0.1]


def test_no_epoch_at_all_is_no_schedule() -> None:
    with pytest.raises(ValueError, match="a schedule takes 1 epoch at least, not 0"):
        Schedule("warmup", value=0.5, epochs=0)


@pytest.mark.parametrize("kind", READS)
def test_a_schedule_depends_on_the_fields_that_it_reads_and_on_no_other(kind: str) -> None:
    given = {"value": 0.4, "start": 0.9, "end": 0.1, "epochs": 5}
    changed = {"value": 0.3, "start": 0.8, "end": 0.2, "epochs": 4}

    def weights(**fields: float) -> list[float]:
        return [weight_at(Schedule(kind, **fields), epoch) for epoch in range(8)]  # type: ignore[arg-type]

    for name in given:
        differs = weights(**given) != weights(**{**given, name: changed[name]})
        assert differs == (name in READS[kind])  # type: ignore[index]

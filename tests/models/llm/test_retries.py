"""How long is waited before a request is sent again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from models.llm.writers.retries import is_lost, retry_after_s, wait_s


@pytest.mark.parametrize(("n_tries", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 8.0), (10_000, 8.0)])
def test_waits_double_up_to_eight_seconds_less_up_to_a_quarter(n_tries: int, longest: float) -> None:
    waits = [wait_s(n_tries, {}) or 0.0 for _ in range(50)]
    assert all(0.75 * longest <= wait <= longest for wait in waits)
    assert len(set(waits)) > 1


def test_waiting_leaves_the_global_generator_as_it_was() -> None:
    before = random.getstate()
    wait_s(1, {})
    assert random.getstate() == before


@pytest.mark.parametrize("text", ["7", "7.0", "  7 "])
def test_who_is_told_how_long_waits_so_long(text: str) -> None:
    assert wait_s(4, {"retry-after": text}) == 7


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_date_is_a_wait_as_well(zone: str) -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=100)).replace("+0000", zone)
    # A date has whole seconds.
    assert 98 <= (retry_after_s({"retry-after": later}) or 0.0) <= 100


@pytest.mark.parametrize("text", ["", "soon", "0", "-5", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_what_asks_for_no_wait_is_no_answer(text: str) -> None:
    assert retry_after_s({"retry-after": text}) is None
    assert 0.375 <= (wait_s(1, {"retry-after": text}) or 0.0) <= 0.5


@pytest.mark.parametrize(
    "headers", [{"retry-after": "120.5"}, {"retry-after": "inf"}, {"retry-after": "1", "x-should-retry": "false"}]
)
def test_there_is_no_further_try_where_the_endpoint_wants_none_or_too_long_a_wait(headers: dict[str, str]) -> None:
    assert wait_s(1, headers) is None
    assert wait_s(1, {"retry-after": "120"}) == 120


def test_lost_is_what_nobody_has_looked_at() -> None:
    lost = [status for status in (200, 400, 401, 404, 408, 409, 413, 422, 429, 500, 503, 529) if is_lost(status)]
    assert lost == [408, 409, 429, 500, 503, 529]

"""An interrupt waits until what must not be torn is whole."""

from __future__ import annotations

import signal

import pytest

from utils.interrupts import held_back


@pytest.fixture(autouse=True)
def _as_in_a_run(monkeypatch: pytest.MonkeyPatch):
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_comes_after_the_block(number: signal.Signals) -> None:
    done = []

    def interrupted() -> None:
        with held_back():
            signal.raise_signal(number)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["whole"]
    assert signal.getsignal(number) is signal.default_int_handler


def test_it_is_dropped_where_the_run_ends_anyway() -> None:
    with held_back(dropped=True):
        signal.raise_signal(signal.SIGINT)


def test_an_error_of_the_block_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="broken"), held_back():
        raise ValueError("broken")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)

"""A worker that would compute something else is told apart."""

from __future__ import annotations

from utils.cluster.version import differing, version


def test_this_machine_is_like_itself() -> None:
    assert differing(version(), version()) == []


def test_another_package_and_another_code_are_named_with_both_sides() -> None:
    here = {"torch": "2.13.0", "RecBridge's code": "aaaa"}
    assert differing(here, {"torch": "2.12.0", "RecBridge's code": "bbbb"}) == [
        "torch 2.12.0, here 2.13.0",
        "RecBridge's code bbbb, here aaaa",
    ]


def test_a_build_for_another_device_is_the_same_version() -> None:
    assert differing({"torch": "2.13.0+cpu"}, {"torch": "2.13.0+cu130"}) == []


def test_what_a_worker_does_not_tell_differs() -> None:
    assert differing({"torch": "2.13.0"}, {}) == ["torch unknown, here 2.13.0"]

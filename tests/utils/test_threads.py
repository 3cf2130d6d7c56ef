"""Threads by default: half of the cores that a process has, one at least, eight at most."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from utils import threads
from utils.scenario.settings import check_settings


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8), (128, 8)])
def test_half_of_the_cores(cores: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.default_threads() == expected


@pytest.mark.parametrize(("said", "expected"), [("3", 3), ("0", 4), ("many", 4), ("", 4)])
def test_the_environments_number_comes_first(said: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert threads.default_threads() == expected


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 6), ("150000 100000", 2), ("900000 100000", 6)])
def test_a_container_has_the_cores_of_its_quota(
    quota: str, expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert threads.available_cores() == expected


def test_more_threads_than_cores_are_an_error_that_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("utils.scenario.settings_fit.available_cores", lambda: 4)
    monkeypatch.setattr("utils.scenario.settings_fit.default_threads", lambda: 2)
    (found,) = check_settings({"model": "BPR", "dataset": "ml-100k", "threads": 5})
    assert found.path == ("threads",)
    assert found.message == "threads: got 5; accepted: 1 to 4, the cores of this machine; 2 when absent"

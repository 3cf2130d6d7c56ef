"""Contract tests run away from the checkout and say at the end what they covered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.recbole_models import LEFT_OUT
from tests.contracts.tiny_dataset import write_tiny_dataset


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data_path with the tiny dataset in it."""
    folder = tmp_path_factory.mktemp("datasets")
    write_tiny_dataset(folder)
    return folder


@pytest.fixture(autouse=True)
def _away_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RecBole leaves `log_tensorboard` and `log` folders wherever it runs."""
    monkeypatch.chdir(tmp_path)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many RecBole models were wrapped, and which were not."""
    passed = [dict(report.user_properties) for report in terminalreporter.stats.get("passed", [])]
    counts = Counter(facts["covered"] for facts in passed if "covered" in facts)
    if not counts:
        return
    terminalreporter.section("RecBole 1.2.1 models")
    for what, count in sorted(counts.items()):
        terminalreporter.line(f"{count:>4} {what}")
    left_out = ", ".join(f"{name} ({why})" for name, why in LEFT_OUT.items())
    terminalreporter.line(f"{len(LEFT_OUT):>4} left out: {left_out}")

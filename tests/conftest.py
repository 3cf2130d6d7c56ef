"""Folders with the tiny dataset, for tests that run scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workspace import Workspace, standing_in


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace, in which the test stands."""
    with standing_in(tmp_path):
        yield Workspace(tmp_path)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all tests of a module, for those that only look at what a run has left."""
    return Workspace(tmp_path_factory.mktemp("workspace"))

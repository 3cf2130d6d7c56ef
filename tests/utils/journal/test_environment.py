"""The environment names what computed."""

from __future__ import annotations

import platform
import subprocess

import numpy as np
import pytest
import torch

from utils.journal import environment as module
from utils.journal.environment import environment


def test_versions_are_those_that_are_imported() -> None:
    found = environment()
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert torch.__version__.startswith(found["packages"]["torch"].partition("+")[0])
    assert found["packages"]["recbole"] == "1.2.1"


def test_without_git_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **options: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", absent)
    found = environment()
    assert (found["git_commit"], found["git_dirty"]) == (None, None)


def test_a_package_that_is_missing_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKAGES", ("no-such-package",))
    assert environment()["packages"] == {"no-such-package": None}

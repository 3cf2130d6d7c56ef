from __future__ import annotations

import pytest

from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

NEUMF = "model: NeuMF\ndataset: ml-100k\n"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build a plan from the text of a scenario, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def from_text(text, overrides=None):
        (tmp_path / "s.yaml").write_text(text, "utf-8")
        return plan.build(source.read((tmp_path / "s.yaml").relative_to(tmp_path)), overrides)

    return from_text


@pytest.fixture
def problems(build):
    """(line, column, message) of everything that is wrong with a scenario; empty when nothing is."""

    def of_text(text, overrides=None):
        try:
            build(text, overrides)
        except ScenarioError as error:
            return [(found.line, found.column, found.message) for found in error.problems]
        return []

    return of_text


@pytest.fixture
def complaints(problems):
    """The messages about settings, given as YAML lines, in a NeuMF scenario (or of the model they name)."""

    def of_settings(text, overrides=None):
        lines = [line for line in NEUMF.splitlines() if f"\n{line.partition(':')[0]}:" not in f"\n{text}"]
        text = "\n".join([*lines, text, "scenario: [init_model]", ""])
        return [message for _, _, message in problems(text, overrides)]

    return of_settings

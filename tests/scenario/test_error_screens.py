"""What a user sees when a scenario is wrong: every file of `bad/` with the whole screen it gets.

After reading the screens, accept new ones with: PYTHONPATH=. python tests/scenario/test_error_screens.py
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from utils import cli

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.name for path in BAD.iterdir() if not path.name.endswith(".expected.txt"))


def screen_of(case: str) -> tuple[str, int]:
    """What `run_exps.py --check CASE` prints in the folder of the bad scenarios, and its exit code."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = cli.run([case], start_with=0, overrides=[], check=True, info=False)
    return out.getvalue(), code


def expected_file(case: str) -> Path:
    return BAD / f"{Path(case).stem}.expected.txt"


@pytest.mark.parametrize("case", CASES)
def test_a_bad_scenario_gets_this_screen(case, monkeypatch):
    monkeypatch.chdir(BAD)
    screen, code = screen_of(case)
    assert screen == expected_file(case).read_text("utf-8")
    assert code == 2


@pytest.mark.parametrize("case", CASES)
def test_no_screen_speaks_of_the_machinery(case):
    screen = expected_file(case).read_text("utf-8")
    for jargon in ("Input should", "constrained", "pydantic", "Literal", "ValidationError", "instance of", "[type="):
        assert jargon not in screen


def test_every_expected_screen_has_its_scenario():
    assert sorted(BAD.glob("*.expected.txt")) == sorted(expected_file(case) for case in CASES)


if __name__ == "__main__":
    os.chdir(BAD)
    for name in CASES:
        expected_file(name).write_text(screen_of(name)[0], "utf-8")

"""What the user sees has no colours, and bars are for terminals."""

from __future__ import annotations

import pytest

from utils.console import Console, bar_over, plain, table


def test_colour_codes_are_taken_out(capsys: pytest.CaptureFixture[str]) -> None:
    Console().line("\x1b[1;35mTrain\x1b[0m 3")
    assert capsys.readouterr().out == "Train 3\n"
    assert plain("\x1b[31mred\x1b[0m") == "red"


def test_bars_say_nothing_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar_over([1, 2], total=2, ncols=100, desc="\x1b[35mTrain\x1b[0m")) == [1, 2]
    with Console().bar(2, "encoding") as bar:
        bar.update(2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_takes_what_recboles_trainer_says_to_it() -> None:
    bar_over([1], total=1, desc="x").set_postfix_str("GPU RAM: 1 G")  # type: ignore[attr-defined]


def test_a_table_has_names_to_the_left_and_numbers_to_the_right() -> None:
    assert list(table(["model", "variant", "mrr"], [["BPR", "plain", "0.5"], ["NeuMF", "kt", "-"]])) == [
        "model  variant  mrr",
        "-----  -------  ---",
        "BPR    plain    0.5",
        "NeuMF  kt         -",
    ]

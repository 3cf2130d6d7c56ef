from __future__ import annotations

from utils.scenario.errors import Problem, ScenarioError, render_problems


def test_a_problem_shows_its_line_and_a_caret():
    problem = Problem("a.yaml", 12, 5, "wrong", "    epochs: ten  ")
    assert problem.render() == "a.yaml:12:5: wrong\n    12 |     epochs: ten\n       |     ^"


def test_the_caret_stands_under_its_column_behind_a_tab():
    assert Problem("a.yaml", 1, 2, "wrong", "\tx").render().endswith("| \t^")


def test_a_problem_of_the_whole_file_has_no_position():
    assert Problem("a.yaml", 0, 0, "wrong", "").render() == "a.yaml: wrong"


def test_a_blank_line_is_not_shown():
    assert Problem("a.yaml", 3, 1, "wrong", "   ").render() == "a.yaml:3:1: wrong"


def test_problems_are_sorted_by_file_and_line_and_said_once():
    late, early = Problem("b.yaml", 2, 1, "x"), Problem("a.yaml", 10, 1, "x")
    first = Problem("a.yaml", 9, 1, "x")
    assert ScenarioError([late, early, first, late]).problems == [first, early, late]


def test_the_screen_ends_with_the_count():
    problem = Problem("a.yaml", 0, 0, "wrong")
    assert render_problems([problem]).endswith("\n1 problem; nothing was run")
    assert render_problems([problem, problem]).endswith("\n2 problems; nothing was run")

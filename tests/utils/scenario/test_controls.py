"""A scenario as it is and as controls of itself: how many runs, in which order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import run_exps
from tests.workspace import TRAIN, USERS, Workspace
from utils.scenario import plan, source
from utils.scenario.controls import for_each_control
from utils.scenario.errors import ScenarioError
from utils.scenario.plan import Plan
from utils.scenario.seeds import for_each_seed

WRAP = ["init_model", {"wrap_model": {"distil_loss": "mse", "users_emb_file": "u.pt"}}, {"set_outputs": [2]}]
STEPS = [*WRAP, *TRAIN[1:]]


def _plan(tiny: Workspace, name: str = "a", steps: list[Any] = STEPS, **settings: Any) -> Plan:
    tiny.save_vectors("u.pt", USERS)
    path = tiny.write(steps, name, **settings)
    text = "\n".join(line for line in path.read_text().splitlines() if line != "seed: 7" or "seeds" not in settings)
    path.write_text(text)
    return plan.build(source.read(path.relative_to(tiny.folder)))


def _runs(plans: list[Plan]) -> list[tuple[Any, ...]]:
    return [(each.path.stem, each.settings.get("seed"), each.settings.get("control")) for each in plans]


def test_each_control_is_a_run_after_the_scenario_itself(tiny: Workspace) -> None:
    asked = _plan(tiny, controls=["shuffled", "plain", "random"])
    plans = for_each_control([asked])
    assert _runs(plans) == [("a", 7, None), ("a", 7, "shuffled"), ("a", 7, "plain"), ("a", 7, "random")]
    assert all("controls" not in each.settings for each in plans)
    assert all(each.steps == asked.steps for each in plans)
    assert asked.settings["controls"] == ["shuffled", "plain", "random"]


def test_a_scenario_that_asks_for_none_is_one_run(tiny: Workspace) -> None:
    assert _runs(for_each_control([_plan(tiny), _plan(tiny, "b", control="random")])) == [
        ("a", 7, None),
        ("b", 7, "random"),
    ]


def test_all_runs_of_one_seed_come_before_those_of_the_next(tiny: Workspace) -> None:
    plans = for_each_control([_plan(tiny, controls=["plain"], seeds=[1, 2]), _plan(tiny, "b")])
    assert _runs(for_each_seed(plans, None)) == [
        ("a", 1, None), ("a", 1, "plain"), ("b", 7, None), ("a", 2, None), ("a", 2, "plain"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "steps", "message"),
    [
        ({"controls": ["plain"]}, TRAIN, "controls: no step carries vectors into the model"),
        ({"control": "random"}, TRAIN, "control: no step carries vectors into the model"),
        ({"controls": ["plain", "plain"]}, STEPS, "controls: 'plain' stands there twice"),
        ({"controls": ["plain"], "control": "random"}, STEPS, "control: the scenario has controls as well; keep one"),
        (
            {"controls": ["plain"], "search": {"trials": 1, "space": {"learning_rate": [0.1]}}},
            STEPS,
            "controls: a search tries values of one scenario",
        ),
        ({"controls": ["mixed"]}, STEPS, "got 'mixed'; accepted: 'plain', 'random' or 'shuffled'"),
        ({"controls": "plain"}, STEPS, "controls: got 'plain'; accepted: a list"),
        ({"controls": []}, STEPS, "controls: got \\[\\]; accepted: a list of one or more"),
    ],
)
def test_controls_that_cannot_be_had_are_refused(
    settings: dict[str, Any], steps: list[Any], message: str, tiny: Workspace
) -> None:
    with pytest.raises(ScenarioError, match=message):
        _plan(tiny, steps=steps, **settings)


@pytest.mark.parametrize(
    "steps",
    [["init_model", {"init_embeddings": {"users_emb_file": "u.pt"}}, *TRAIN[1:]], STEPS],
    ids=["init_embeddings", "wrap_model"],
)
def test_every_step_that_takes_vectors_can_have_controls(steps: list[Any], tiny: Workspace) -> None:
    assert len(for_each_control([_plan(tiny, steps=steps, controls=["random"])])) == 2


KAR = {
    "model": "DCNKAR",
    "users_emb_file": "u.pt",
    "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
    "threshold": {"rating": 3},
    "mlp_hidden_size": [8],
}


def test_a_model_made_of_vectors_has_random_ones_and_no_plain_twin(tiny: Workspace) -> None:
    assert len(for_each_control([_plan(tiny, steps=TRAIN, controls=["random", "shuffled"], **KAR)])) == 3
    with pytest.raises(ScenarioError, match="DCNKAR is made of its vectors and has no plain twin; compare it with its"):
        _plan(tiny, steps=TRAIN, controls=["plain"], **KAR)


def test_a_folder_of_controls_is_labelled_checked_and_compared(
    tiny: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    _plan(tiny, controls=["plain", "random", "shuffled"], epochs=1)
    assert run_exps.main(["a.yaml", "--check"]) == 0
    assert capsys.readouterr().out == "1 scenario checked, 4 runs, no problem\n"
    assert run_exps.main(["a.yaml"]) == 0
    shown = capsys.readouterr().out
    labels = [line for line in shown.splitlines() if line.startswith("[")]
    assert labels == [
        "[1/4] a.yaml",
        "[2/4] a.yaml, control plain",
        "[3/4] a.yaml, control random",
        "[4/4] a.yaml, control shuffled",
    ]
    for name in ("a (mse)", "a (plain)", "a (mse, random vectors)", "a (mse, wrong owners)"):
        assert f"  {name}  " in shown


def test_seeds_and_controls_are_both_in_a_label(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    _plan(tiny, controls=["plain"], seeds=[1, 2], epochs=1)
    assert run_exps.main(["a.yaml"]) == 0
    labels = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert labels == [
        "[1/4] a.yaml, seed 1",
        "[2/4] a.yaml, seed 1, control plain",
        "[3/4] a.yaml, seed 2",
        "[4/4] a.yaml, seed 2, control plain",
    ]


def test_a_done_control_is_not_run_again(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    _plan(tiny, controls=["plain", "random"], epochs=1)
    run_exps.main(["a.yaml"])
    capsys.readouterr()
    run_exps.main(["a.yaml", "--resume"])
    assert capsys.readouterr().out.count("done already") == 3

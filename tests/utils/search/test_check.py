"""What is wrong with a search is said before a trial runs, at its place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.workspace import TRAIN, USERS, Workspace, standing_in
from utils.folder import How
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError
from utils.scenario.seeds import for_each_seed
from utils.scenario.together import check_together
from utils.search.apply import with_values

LOSS = {"loss": "infonce", "users_emb_file": "u.pt", "outputs": ["user_embedding"], "options": {"temperature": 0.5}}


def test_what_lies_inside_a_parameter_can_be_tried(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", USERS)
    steps = ["init_model", {"wrap_model": {"losses": {"a": LOSS}}}, *TRAIN[1:]]
    space = {"wrap_model.losses.a.options.temperature": [0.1, 0.3], "wrap_model.losses.a.weight": [0.5, 1.0]}
    assert _problems(tiny, space, steps) == []
    path = tiny.write(steps, search={"space": space})
    with standing_in(tiny.folder):
        made = with_values(
            plan.build(source.read(path.relative_to(tiny.folder))), {n: v[0] for n, v in space.items()}, True
        )
    tried = yaml.safe_load(made)["scenario"][1]["wrap_model"]["losses"]["a"]
    assert tried == {**LOSS, "options": {"temperature": 0.1}, "weight": 0.5}


def _problems(tiny: Workspace, space: dict[str, Any], steps: list[Any] | None = None, **search: Any) -> list[str]:
    path = tiny.write(steps or TRAIN, search={"space": space, **search})
    try:
        check_together([plan.build(source.read(path.relative_to(tiny.folder)))], How())
    except ScenarioError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("space", "what"),
    [
        (
            {"learning_rat": [0.1]},
            "search.space.learning_rat: neither a setting of BPR nor a parameter of a step; did you mean "
            "'learning_rate'?",
        ),
        (
            {"reduce_dim.dimention": [4]},
            "search.space.reduce_dim.dimention: no step has the parameter 'reduce_dim.dimention'; did you mean "
            "'reduce_dim.dimension'?",
        ),
        ({"learning_rate": {"low": 0.1, "high": 0.01}}, "accepted: low below high"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "log needs a low greater than 0"),
        ({"embedding_size": [8, -1]}, "search.space.embedding_size: got -1; accepted: an integer greater than 0"),
        ({"seed": [1, 2]}, "search.space.seed: 'seed' is not a value to be tried"),
        ({"reduce_dim.dimension": [0, 4]}, "reduce_dim.dimension: got 0"),
        ({"control": ["random", "shuffled"]}, "search.space.control: 'control' is not a value to be tried"),
        ({"wrap_model.control": ["random", "none"]}, "what a scenario is a control of is not a value to be tried"),
        (
            {"wrap_model.losses.a.options.temperature": [0.1, 0]},
            "temperature: got 0; accepted: a number",
        ),
        ({"wrap_model.losses.a.options.temperatur": [0.1, 0.2]}, "did you mean 'temperature'?"),
    ],
)
def test_a_wrong_dimension_is_named(tiny: Workspace, space: dict[str, Any], what: str) -> None:
    tiny.save_vectors("u.pt", USERS)
    reduce = {"reduce_dim": {"file_in": "u.pt", "file_out": "s.pt", "dimension": 4}}
    steps = [reduce, "init_model", {"wrap_model": {"losses": {"a": LOSS}}}, *TRAIN[1:]]
    (message,) = _problems(tiny, space, steps)
    assert what in message


def test_a_grid_needs_points_and_has_no_more_trials_than_those(tiny: Workspace) -> None:
    assert (
        "a grid needs a list of values, or a step"
        in _problems(tiny, {"learning_rate": {"low": 0.1, "high": 0.5}}, method="grid")[0]
    )
    assert _problems(tiny, {"embedding_size": [8, 16]}, method="grid", trials=3) == [
        "search.trials: got 3; the grid has 2 points"
    ]


def test_without_a_training_there_is_nothing_to_choose_by(tiny: Workspace) -> None:
    assert "has no 'train'" in _problems(tiny, {"embedding_size": [8, 16]}, ["init_model", {"info": 1}])[0]


def test_the_baseline_has_as_many_trials_unless_it_is_said_otherwise(tiny: Workspace) -> None:
    def check(**search: Any) -> None:
        plain = tiny.write(TRAIN, "01", search={"space": {"embedding_size": [8, 16]}, "trials": 5})
        method = tiny.write(TRAIN, "02", baseline="01", search={"space": {"embedding_size": [8]}, **search})
        files = [path.relative_to(tiny.folder) for path in (plain, method)]
        check_together([plan.build(source.read(path)) for path in files], How())

    check(trials=5)
    check(trials=6, unequal_trials=True)
    with pytest.raises(ScenarioError, match="search: 6 trials, but its baseline '01' has 5"):
        check(trials=6)
    # 20 where it does not say.
    with pytest.raises(ScenarioError, match="search: 20 trials, but its baseline '01' has 5"):
        check()


def test_a_baseline_that_is_not_in_the_folder_is_named_with_the_nearest(tiny: Workspace) -> None:
    tiny.write(TRAIN, "01_plain")
    path = tiny.write(TRAIN, "02_method", baseline="01_plan")
    with pytest.raises(ScenarioError, match="no scenario '01_plan' in the folder; did you mean '01_plain'"):
        check_together([plan.build(source.read(path.relative_to(tiny.folder)))], How())
    itself = tiny.write(TRAIN, "03", baseline="03")
    with pytest.raises(ScenarioError, match="no scenario '03' in the folder"):
        check_together([plan.build(source.read(itself.relative_to(tiny.folder)))], How())
    fine = tiny.write(TRAIN, "04")
    with pytest.raises(ScenarioError, match="--baseline 05"):
        check_together([plan.build(source.read(fine.relative_to(tiny.folder)))], How(baseline="05"))


def test_trials_on_other_machines_cannot_be_given_up_early(tiny: Workspace) -> None:
    path = tiny.write(TRAIN, search={"space": {"embedding_size": [8, 16]}, "prune": True})
    with pytest.raises(ScenarioError, match=r"search\.prune: trials on other machines"):
        check_together([plan.build(source.read(path.relative_to(tiny.folder)))], How(scheduler="tcp://x:1"))


def test_a_search_is_made_with_one_seed(tiny: Workspace) -> None:
    path = tiny.write(TRAIN, search={"space": {"embedding_size": [8, 16]}})
    scenario = plan.build(source.read(path.relative_to(tiny.folder)))
    with pytest.raises(ScenarioError, match="it is made with one seed; run what it finds with several"):
        check_together(for_each_seed([scenario], [1, 2]), How())

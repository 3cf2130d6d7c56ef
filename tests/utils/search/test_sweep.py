"""A search tries, goes on where it was cut, never looks at the test part, and writes the best as plain YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.workspace import TRAIN, Lines, Workspace
from utils.folder import How, run_folder
from utils.journal.records import RunRecord
from utils.scenario import plan, source
from utils.scenario.errors import Pruned
from utils.scenario.plan import Plan
from utils.search.pruning import Pruning
from utils.search.sweep import Sweep

SPACE = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "embedding_size": [4, 8]}


def _plan(tiny: Workspace, **search: Any) -> Plan:
    path = tiny.write(TRAIN, "case", search={"space": SPACE, **search})
    return plan.build(source.read(path.relative_to(tiny.folder)))


def _run(tiny: Workspace, resume: bool = False, **search: Any) -> Lines:
    console = Lines()
    assert run_folder([_plan(tiny, **search)], console, How(resume=resume)), console.text
    return console


def _records(tiny: Workspace) -> list[RunRecord]:
    found = [RunRecord.read(file) for file in (tiny.folder / "saved").glob("*/record.json")]
    return sorted(found, key=lambda record: record.search["trial"] if record.search else -1)


def test_the_best_scenario_is_that_of_the_trial_with_the_best_valid_metric(tiny: Workspace) -> None:
    _run(tiny, trials=4)
    records = _records(tiny)
    best = max(records, key=lambda record: record.stages["0"]["best_val_score"])
    written = yaml.safe_load((tiny.folder / "best" / "case.yaml").read_text())
    assert best.search is not None
    assert {name: written[name] for name in SPACE} == best.search["values"]
    assert written["tuned"] == {
        "trials": 4,
        "over": list(SPACE),
        "by": f"{best.search['study']}, trial {best.search['trial'] + 1}",
    }
    assert "search" not in written
    assert written["scenario"] == TRAIN
    # It is a scenario like any other.
    again = tiny.run_file(tiny.folder / "best" / "case.yaml")
    assert again.record.stages["0"]["best_val_score"] == best.stages["0"]["best_val_score"]


def test_no_trial_looks_at_the_test_part(tiny: Workspace) -> None:
    _run(tiny, trials=2)
    for record in _records(tiny):
        assert "test_eval" not in [step["command"] for step in record.steps]
        assert record.stages["0"].get("best_test_res") is None


def test_the_same_seed_tries_the_same_values_and_another_seed_others(tiny: Workspace) -> None:
    def values(seed: int) -> list[Any]:
        before = {record.run_id for record in _records(tiny)}
        _run(tiny, trials=3, method="random", seed=seed)
        return [record.search["values"] for record in _records(tiny) if record.run_id not in before and record.search]

    first, again, other = values(1), values(1), values(2)
    assert first == again
    assert first != other


def test_a_grid_is_tried_in_order_and_as_a_whole(tiny: Workspace) -> None:
    space = {"embedding_size": [8, 4], "learning_rate": [0.1]}
    path = tiny.write(TRAIN, "case", search={"method": "grid", "space": space})
    scenario = plan.build(source.read(path.relative_to(tiny.folder)))
    assert run_folder([scenario], Lines(), How())
    tried = [record.search["values"] for record in _records(tiny) if record.search]
    assert tried == [{"embedding_size": 8, "learning_rate": 0.1}, {"embedding_size": 4, "learning_rate": 0.1}]


def test_a_search_that_was_cut_goes_on_as_if_it_had_not_been(tiny: Workspace) -> None:
    def walk(sweep: Sweep, n_trials: int, cut_in: int | None = None) -> list[dict[str, Any]]:
        """Values of the next trials; that of number `cut_in` is never told of."""
        from utils.jobs import run_job

        tried = []
        for number in range(n_trials):
            job = sweep.next_trial()
            assert job is not None
            assert job.extras.search is not None
            tried.append(job.extras.search["values"])
            if number != cut_in:
                sweep.tell(run_job(job, Lines(), retried=False))
        return tried

    unbroken = walk(Sweep(_plan(tiny, trials=4), Lines(), resume=False), 4)
    begun = walk(Sweep(_plan(tiny, trials=4), Lines(), resume=False), 3, cut_in=2)
    resumed = Sweep(_plan(tiny, trials=4), Lines(), resume=True)
    # The third was given out and never came back: it is given out again.
    rest = walk(resumed, 2)
    assert begun[:2] + rest == unbroken
    assert resumed.next_trial() is None


def test_a_search_that_is_complete_runs_nothing_when_resumed(tiny: Workspace) -> None:
    _run(tiny, trials=2)
    runs = len(_records(tiny))
    console = _run(tiny, resume=True, trials=2)
    assert len(_records(tiny)) == runs
    assert "2 done before" in console.text


def test_a_trial_that_was_given_up_counts_and_is_no_failure(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up_the_second(pruning: Pruning, stage: str, facts: Mapping[str, Any]) -> None:
        if pruning.number == 1 and facts["epoch"] == 1:
            raise Pruned("behind")

    monkeypatch.setattr(Pruning, "__call__", give_up_the_second)
    console = _run(tiny, trials=3, prune=True)
    assert [record.status for record in _records(tiny)] == ["done", "pruned", "done"]
    assert len(_records(tiny)[1].stages["0"]["epochs"]) == 2
    assert "2 trials complete, 1 given up early, 0 failed" in console.text


def test_a_step_parameter_is_tried_as_well(tiny: Workspace) -> None:
    tiny.save_vectors("u.pt", [f"u{number}" for number in range(1, 31)])
    reduce = {"reduce_dim": {"file_in": "u.pt", "file_out": "s.pt", "dimension": 2, "overwrite": True}}
    path = tiny.write([reduce, *TRAIN], "case", search={"method": "grid", "space": {"reduce_dim.dimension": [2, 4]}})
    assert run_folder([plan.build(source.read(path.relative_to(tiny.folder)))], Lines(), How())
    assert [record.steps[0]["facts"]["dimension"] for record in _records(tiny)] == [2, 4]


def test_a_damaged_file_of_studies_is_named_and_left_alone(tiny: Workspace) -> None:
    (tiny.folder / "search.db").write_bytes(b"no database, but long enough to be looked at as one" * 40)
    console = Lines()
    assert not run_folder([_plan(tiny, trials=2)], console, How())
    assert "search.db cannot be used (" in console.text
    assert "Traceback" not in console.text
    assert (tiny.folder / "search.db").read_bytes().startswith(b"no database")
    assert not _records(tiny)


def test_where_the_best_scenario_cannot_be_written_its_trials_are_kept(tiny: Workspace) -> None:
    (tiny.folder / "best").write_text("a file in the way")
    console = Lines()
    assert not run_folder([_plan(tiny, trials=2)], console, How())
    assert "the best scenario cannot be written" in console.text
    (tiny.folder / "best").unlink()
    runs = len(_records(tiny))
    _run(tiny, resume=True, trials=2)
    assert len(_records(tiny)) == runs
    assert (tiny.folder / "best" / "case.yaml").is_file()

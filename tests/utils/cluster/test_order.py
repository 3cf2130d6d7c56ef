"""Experiments wait for those that write their vector files, as if they were run one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.workspace import TRAIN, USERS, Workspace
from utils.cluster.order import Order, files_of, written_by
from utils.scenario import plan, source
from utils.scenario.plan import Plan


def _plan(tiny: Workspace, name: str, steps: list[Any], known: set[Path], **settings: Any) -> Plan:
    path = tiny.write(steps, name, **settings)
    return plan.build(source.read(path.relative_to(tiny.folder)), vector_files=known)


def _reduce(file_out: str, **more: Any) -> dict[str, Any]:
    return {"reduce_dim": {"file_in": "user.pt", "file_out": file_out, "dimension": 4, **more}}


def _use(file: str) -> list[Any]:
    return ["init_model", {"wrap_model": {"distil_loss": "rmse", "users_emb_file": file}}]


def _waits(*plans: Plan) -> list[set[int]]:
    order = Order()
    return [order.add(each) for each in plans]


def test_a_reader_waits_for_the_first_writer_of_a_file_that_is_not_there(tiny: Workspace) -> None:
    tiny.save_vectors("user.pt", USERS)
    known: set[Path] = set()
    writer = _plan(tiny, "a", [_reduce("small.pt")], known)
    again = _plan(tiny, "b", [_reduce("small.pt")], known)
    reader = _plan(tiny, "c", _use("small.pt"), known)
    # The second writer finds the file that the first has written, so the reader need not wait for both.
    assert _waits(writer, again, reader) == [set(), {0}, {0}]


def test_a_file_that_is_there_and_that_nobody_replaces_may_be_used_by_all_at_once(tiny: Workspace) -> None:
    tiny.save_vectors("user.pt", USERS)
    tiny.save_vectors("small.pt", USERS, width=4)
    known: set[Path] = set()
    plans = [_plan(tiny, "a", [_reduce("small.pt")], known), _plan(tiny, "b", _use("small.pt"), known)]
    assert _waits(*plans) == [set(), set()]


def test_users_of_a_file_that_somebody_replaces_go_in_order(tiny: Workspace) -> None:
    tiny.save_vectors("user.pt", USERS)
    tiny.save_vectors("small.pt", USERS, width=4)
    known: set[Path] = set()
    reader = _plan(tiny, "a", _use("small.pt"), known)
    writer = _plan(tiny, "b", [_reduce("small.pt", overwrite=True)], known)
    other = _plan(tiny, "c", TRAIN, known)
    # Two readers at once, then the writer, then one after the other: who comes last waits for all, one by one.
    assert _waits(reader, reader, other, writer, reader, reader) == [set(), set(), set(), {0, 1}, {3}, {4}]


def test_a_model_that_is_built_with_vectors_waits_for_them(tiny: Workspace) -> None:
    tiny.save_vectors("user.pt", USERS)
    known: set[Path] = set()
    writer = _plan(tiny, "a", [_reduce("small.pt")], known)
    settings = {"threshold": {"rating": 3}, "valid_metric": "AUC", "metrics": ["AUC"]}
    label = {"eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "mode": "labeled"}, **settings}
    reader = _plan(tiny, "b", TRAIN, known, model="DCNKAR", users_emb_file="small.pt", **label)
    assert _waits(writer, reader) == [set(), {0}]


def test_random_vectors_are_written_by_every_run_that_asks_for_them(tiny: Workspace) -> None:
    llm_config = {"preprocess_random": {"random": True, "random_users_emb_file": "r.pt"}}
    one = _plan(tiny, "a", _use("r.pt"), set(), llm_config=llm_config, seed=1)
    two = _plan(tiny, "b", _use("r.pt"), set(), llm_config=llm_config, seed=2)
    assert tiny.vectors.relative_to(tiny.folder) / "r.pt" in written_by(one) & files_of(two)
    assert _waits(one, two) == [set(), {0}]


def test_profiles_are_written_before_they_are_read_and_may_be_added_to_by_all_at_once(tiny: Workspace) -> None:
    write: dict[str, Any] = {"write_profiles": {"users_file": "users.jsonl"}}
    replace = {"write_profiles": {"users_file": "users.jsonl", "overwrite": True}}
    known: set[Path] = set()
    plans = [_plan(tiny, name, [step], known) for name, step in (("a", write), ("b", write), ("c", replace))]
    # The second finds the file that the first has written; who replaces descriptions waits for both.
    assert _waits(*plans) == [set(), {0}, {0, 1}]
    tiny.vectors.mkdir(parents=True)
    (tiny.vectors / "users.jsonl").touch()
    # They wait for each other row by row: who comes second asks only for what the first has not written.
    assert _waits(*plans[:2]) == [set(), set()]


def _trained(name: str | None, **more: Any) -> dict[str, Any]:
    return {"graph_llm_train": {"llm": "org/model", "checkpoint": name, **more}}


def _retrieved() -> dict[str, Any]:
    return {"retrieve_subgraph": {"kg_file": "film-facts", "train_windows": 1}}


def test_who_takes_a_checkpoint_waits_for_who_trains_it(tiny: Workspace) -> None:
    known: set[Path] = set()
    trains = _plan(tiny, "a", [_retrieved(), _trained("saved/x.pth")], known)
    takes = _plan(tiny, "b", [_retrieved(), {"graph_llm_generate": {"checkpoint": "saved/x.pth"}}], known)
    alone = _plan(tiny, "c", TRAIN, known)
    assert Path("saved/x.pth") in written_by(trains) & files_of(takes)
    assert _waits(trains, takes, alone) == [set(), {0}, set()]


def test_who_replaces_a_checkpoint_lets_nobody_beside_it(tiny: Workspace) -> None:
    known: set[Path] = set()
    twice = [_plan(tiny, name, [_retrieved(), _trained("saved/x.pth", overwrite=True)], known) for name in ("a", "b")]
    assert _waits(*twice) == [set(), {0}]

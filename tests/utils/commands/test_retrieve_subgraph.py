"""`retrieve_subgraph` on the tiny dataset with the real encoder: what is written, what is kept, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.workspace import ITEMS, TRAIN, USERS, Run, Workspace, transferred
from utils.commands.retrieve_subgraph import RetrieveSubgraph
from utils.data.atomic import read_atomic
from utils.data.embeddings import read_vectors
from utils.retrieval.base import RETRIEVERS
from utils.retrieval.store import read_subgraphs

# The tiny graph is drawn at random, so that its links agree with no class.
GRAPH: dict[str, Any] = {"kg_file": "tiny.kg", "link_file": "tiny.link", "link_check": "skip"}
FILES: dict[str, Any] = {"users_emb_file": "kg_u.pt", "items_emb_file": "kg_i.pt"}


def step(**changes: Any) -> dict[str, Any]:
    return {"retrieve_subgraph": {**GRAPH, **FILES, **changes}}


def error_of(run: Run) -> str:
    assert run.record.status == "failed", run.console.text
    return str((run.record.error or {})["message"])


@pytest.fixture(scope="module")
def retrieved(workspace: Workspace) -> Run:
    run = workspace.run([step()], "retrieved")
    assert run.record.status == "done", run.console.text
    return run


def test_each_user_gets_distinct_centres_of_each_order(retrieved: Run, workspace: Workspace) -> None:
    file = read_subgraphs(workspace.vectors / "subgraphs.pt")
    assert set(file.users) == set(USERS)
    # Two orders, at most five centres of each.
    assert file.retrieved.centres.shape == (30, 2, 5)
    for row in file.retrieved.centres.reshape(-1, 5):
        kept = row[row >= 0].tolist()
        assert len(set(kept)) == len(kept) > 0


def test_a_users_vector_is_the_mean_of_their_centres(retrieved: Run, workspace: Workspace) -> None:
    from utils.knowledge.subgraphs import prepare

    asked = RetrieveSubgraph(**GRAPH, **FILES)
    index = prepare(workspace.context(llm_config={"embeddings_path": str(workspace.vectors.parent)}), asked).index
    file, vectors = read_subgraphs(workspace.vectors / "subgraphs.pt"), read_vectors(workspace.vectors / "kg_u.pt")
    row = file.users.index("u7")
    found = [
        index.vectors(order)[torch.from_numpy(centres[centres >= 0]).long()]
        for order, centres in zip(file.retrieved.orders, file.retrieved.centres[row], strict=True)
    ]
    torch.testing.assert_close(
        vectors.vectors[(vectors.tokens or ()).index("u7")], torch.cat(found).mean(dim=0), atol=1e-6, rtol=0
    )


def test_the_record_counts_what_was_linked_encoded_and_found(retrieved: Run) -> None:
    facts = retrieved.facts("retrieve_subgraph")
    assert (facts["items"], facts["linked_items"], facts["linked_by"]) == (40, 40, "tiny.link")
    assert (facts["users"], facts["users_with_history"], facts["users_with_subgraphs"]) == (30, 30, 30)
    assert facts["rows"] == {"users_emb_file": 30, "items_emb_file": 40}
    assert facts["node_texts"]["titled"] == 40
    assert (facts["kept"], facts["index_kept"]) == (False, False)


def test_a_second_run_keeps_every_file(retrieved: Run, workspace: Workspace) -> None:
    names = ["kg_index.pt", "subgraphs.pt", "kg_u.pt", "kg_i.pt"]
    before = [(workspace.vectors / name).stat().st_mtime_ns for name in names]
    run = workspace.run([step()], "again")
    facts = run.facts("retrieve_subgraph")
    assert (facts["kept"], facts["index_kept"], facts["texts_encoded"]) == (True, True, 0)
    assert [(workspace.vectors / name).stat().st_mtime_ns for name in names] == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rerank_top_n": 3}, "subgraphs.pt holds other subgraphs (rerank_top_n is 5 there and 3 here)"),
        ({"popularity_threshold": 1.0}, "(popularity_threshold is 0.5 there and 1 here)"),
        ({"missing_text": "relation"}, "kg_index.pt holds an index"),
        ({"min_rating": None}, "(min_rating is 4 there and None here)"),
    ],
)
def test_files_of_other_parameters_are_refused_and_say_which(
    retrieved: Run, workspace: Workspace, changes: dict[str, Any], said: str
) -> None:
    message = error_of(workspace.run([step(**changes)], "other"))
    assert said in message
    assert message.endswith("set overwrite: True, or name another file")


def test_another_train_part_is_refused(retrieved: Run, workspace: Workspace) -> None:
    split = {"split": {"LS": "valid_and_test"}, "order": "RO", "group_by": "user", "mode": "full"}
    run = workspace.run([step(index_file="other_index.pt")], "other_split", eval_args=split)
    assert "subgraphs.pt holds other subgraphs (written from another train part)" in error_of(run)


def test_overwrite_replaces_what_is_there(tiny: Workspace) -> None:
    assert tiny.run([step()], "first").record.status == "done"
    run = tiny.run([step(rerank_top_n=3, overwrite=True)], "second")
    assert run.record.status == "done", run.console.text
    assert read_subgraphs(tiny.vectors / "subgraphs.pt").retrieved.centres.shape[2] == 3
    # What was encoded is not encoded again.
    assert run.facts("retrieve_subgraph")["texts_encoded"] == 0


def test_vectors_of_subgraphs_train_a_model(retrieved: Run, workspace: Workspace) -> None:
    losses = {
        "u": {"loss": "cka", "users_emb_file": "kg_u.pt", "outputs": ["user_embedding"]},
        "i": {"loss": "cka", "items_emb_file": "kg_i.pt", "outputs": ["item_embedding#1"]},
    }
    run = workspace.run([step(), TRAIN[0], {"wrap_model": {"losses": losses}}, *TRAIN[1:]], "trained")
    assert run.record.status == "done", run.console.text
    assert transferred(run.record)
    vectors = {(one["side"], one["file"]) for one in run.record.stages["0"]["vectors"]}
    assert vectors == {("users", "kg_u.pt"), ("items", "kg_i.pt")}


@pytest.mark.parametrize("name", RETRIEVERS.names())
def test_every_retriever_finds_something_for_every_user(retrieved: Run, workspace: Workspace, name: str) -> None:
    run = workspace.run([step(retriever=name, file_out=f"{name}.pt", users_emb_file=f"u_{name}.pt")], name)
    assert run.record.status == "done", run.console.text
    assert (read_subgraphs(workspace.vectors / f"{name}.pt").retrieved.centres >= 0).any(axis=(1, 2)).all()
    assert len(read_vectors(workspace.vectors / f"u_{name}.pt").vectors) == 30


def test_ratings_that_nobody_gives_leave_no_history(tiny: Workspace) -> None:
    message = error_of(tiny.run([step(min_rating=6)], "nobody"))
    assert message == "retrieve_subgraph.min_rating: no user has an item rated 6 or more in the train part"


def test_users_without_a_history_are_counted_and_have_no_row(tiny: Workspace) -> None:
    inter = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    lines = inter.read_text("utf-8").splitlines()
    # u1 gives 1 to everything.
    lines = [line if not line.startswith("u1\t") else "\t".join([*line.split("\t")[:2], "1", line.split("\t")[3]])
             for line in lines]  # fmt: skip
    inter.write_text("\n".join(lines) + "\n", "utf-8")
    run = tiny.run([step()], "without")
    facts = run.facts("retrieve_subgraph")
    assert (facts["users"], facts["users_with_history"]) == (30, 29)
    assert "centres, 1 user has none" in run.console.text
    assert set(read_vectors(tiny.vectors / "kg_u.pt").tokens or ()) == set(USERS) - {"u1"}


def test_a_link_file_of_other_items_is_refused(tiny: Workspace) -> None:
    (tiny.folder / "datasets" / "tiny" / "other.link").write_text("item_id:token\tentity_id:token\nx\te1\n", "utf-8")
    message = error_of(tiny.run([step(link_file="other.link")], "strangers"))
    assert message.startswith("retrieve_subgraph.link_file: none of the 1 links names an item of the dataset")


def test_links_by_title_need_names_with_a_year(tiny: Workspace) -> None:
    message = error_of(tiny.run([step(link_file=None)], "nameless"))
    assert "the graph's entities have no names with a year; give link_file" in message


def test_items_are_linked_by_title_and_year(tiny: Workspace) -> None:
    rows = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.item")
    names = [f"e{row + 1}\t{title} ({year})" for row, (title, year) in enumerate(
        zip(rows["title"], rows["release_year"], strict=True))]  # fmt: skip
    target = tiny.folder / "datasets" / "tiny" / "tiny.names"
    target.write_text("\n".join(["entity_id:token\tname:token_seq", *names]) + "\n", "utf-8")
    run = tiny.run([step(link_file=None, entity_names="tiny.names")], "by_title")
    facts = run.facts("retrieve_subgraph")
    titles = list(zip(rows["title"], rows["release_year"], strict=True))
    alone = sum(titles.count(pair) == 1 for pair in titles)
    assert facts["linked_by"] == "title and year"
    assert facts["linked_items"] >= alone


def test_the_shipped_link_of_ml_100k_is_refused(tiny: Workspace) -> None:
    graph = {"kg_file": "ml-100k.kg", "link_file": "ml-100k.link"}
    message = error_of(tiny.run([{"retrieve_subgraph": graph}], "shipped", dataset="ml-100k"))
    assert message.startswith("retrieve_subgraph.link_file: the links look random")
    assert "RecSysDatasets #130" in message


def test_items_of_the_dataset_are_rows_whatever_the_order_of_the_link_file(
    retrieved: Run, workspace: Workspace
) -> None:
    link = workspace.folder / "datasets" / "tiny" / "turned.link"
    header, *lines = (workspace.folder / "datasets" / "tiny" / "tiny.link").read_text("utf-8").splitlines()
    link.write_text("\n".join([header, *reversed(lines)]) + "\n", "utf-8")
    files = {"index_file": "t_index.pt", "file_out": "t_sub.pt", "users_emb_file": "t_u.pt", "items_emb_file": "t_i.pt"}
    assert workspace.run([step(link_file="turned.link", **files)], "turned").record.status == "done"
    ours, theirs = (read_vectors(workspace.vectors / name) for name in ("kg_i.pt", "t_i.pt"))
    assert ours.tokens == theirs.tokens
    assert set(ours.tokens or ()) == set(ITEMS)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-5)


def rewrite(workspace: Workspace, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the tiny dataset's interactions."""
    path = workspace.folder / "datasets" / "tiny" / "tiny.inter"
    header = path.read_text("utf-8").splitlines()[0]
    rows = change(read_atomic(path))
    lines = ["\t".join(row) for row in rows.itertuples(index=False)]
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")


def test_ratings_that_have_changed_make_other_subgraphs_although_the_pairs_are_the_same(tiny: Workspace) -> None:
    assert tiny.run([step()], "before").record.status == "done"
    rewrite(tiny, lambda rows: rows.assign(rating=(6 - rows["rating"].astype(int)).astype(str)))
    message = error_of(tiny.run([step()], "after"))
    assert "subgraphs.pt holds other subgraphs (of another graph, other texts, or ratings and times" in message


def test_what_is_held_back_does_not_decide_on_any_centre(tiny: Workspace) -> None:
    assert tiny.run([step()], "before").record.status == "done"

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        """The last two of each user are rated otherwise, and the last one is another item that the user has not had."""
        for _, own in rows.groupby("user_id"):
            last = own.sort_values("timestamp", key=lambda column: column.astype(float)).index[-2:]
            rows.loc[last, "rating"] = (6 - rows.loc[last, "rating"].astype(int)).astype(str)
            rows.loc[last[-1], "item_id"] = next(item for item in ITEMS if item not in set(own["item_id"]))
        return rows

    rewrite(tiny, change)
    other = step(index_file="x_index.pt", file_out="x.pt", users_emb_file="x_u.pt", items_emb_file="x_i.pt")
    assert tiny.run([other], "after").record.status == "done"
    before, after = (read_subgraphs(tiny.vectors / name) for name in ("subgraphs.pt", "x.pt"))
    assert before.users == after.users
    np.testing.assert_array_equal(before.retrieved.centres, after.retrieved.centres)
    assert read_vectors(tiny.vectors / "kg_u.pt").vectors.equal(read_vectors(tiny.vectors / "x_u.pt").vectors)


def test_a_retrieval_that_finds_nothing_for_anyone_is_an_error(tiny: Workspace) -> None:
    # Without titles nothing can be asked for.
    (tiny.folder / "datasets" / "tiny" / "tiny.item").unlink()
    message = error_of(tiny.run([step(items_emb_file=None)], "untitled"))
    assert message.endswith("nothing was found for any user: 40 of 40 items are linked, 0 have a title")


def test_links_by_title_that_look_random_do_not_blame_a_link_file(tiny: Workspace) -> None:
    item = tiny.folder / "datasets" / "ml-100k"
    assert tiny.run(["init_model"], "load", dataset="ml-100k").record.status == "done"
    path = item / "ml-100k.item"
    header, *lines = path.read_text("utf-8").splitlines()
    # Every film gets the class of the film 200 rows further on.
    rows = [line.split("\t") for line in lines]
    turned = ["\t".join([*row[:-1], rows[(at + 200) % len(rows)][-1]]) for at, row in enumerate(rows)]
    path.write_text("\n".join([header, *turned]) + "\n", "utf-8")
    graph = {"kg_file": "film-facts", "graph_hops": 1}
    message = error_of(tiny.run([{"retrieve_subgraph": graph}], "turned", dataset="ml-100k"))
    assert message.startswith("retrieve_subgraph.kg_file: the links look random")
    assert "Items were linked by title and year" in message


def test_a_rating_that_nobody_reads_is_refused_where_it_was_asked_for(tiny: Workspace) -> None:
    path = tiny.folder / "datasets" / "tiny" / "tiny.inter"
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    path.write_text("\n".join("\t".join([*row[:2], row[3]]) for row in lines) + "\n", "utf-8")
    columns = {"inter": ["user_id", "item_id", "timestamp"]}
    assert tiny.run([step()], "unrated", load_col=columns).record.status == "done"
    message = error_of(tiny.run([step(min_rating=4)], "asked", load_col=columns))
    assert message.endswith("the interactions have no ratings, so nothing would read it; remove it")


@pytest.fixture(scope="module")
def sampled(retrieved: Run, workspace: Workspace) -> Run:
    """Two train samples of each user beside the subgraphs that `retrieved` has, with the same vectors."""
    run = workspace.run([step(train_windows=2, file_out="sampled.pt")], "sampled")
    assert run.record.status == "done", run.console.text
    return run


def test_samples_are_retrieved_beside_the_users(sampled: Run, workspace: Workspace) -> None:
    ours, users_alone = (read_subgraphs(workspace.vectors / name) for name in ("sampled.pt", "subgraphs.pt"))
    np.testing.assert_array_equal(ours.retrieved.centres, users_alone.retrieved.centres, strict=True)
    assert (ours.meta["index_file"], users_alone.samples) == ("kg_index.pt", {})
    assert {split: len(own.users) for split, own in ours.samples.items()} == {"train": 60, "valid": 30, "test": 30}
    for own in ours.samples.values():
        assert own.retrieved.centres.shape == (len(own.users), 2, 5)
        assert (own.retrieved.centres >= 0).any(axis=(1, 2)).all()


def test_equal_histories_get_equal_subgraphs_in_training_and_evaluation(sampled: Run, workspace: Workspace) -> None:
    file = read_subgraphs(workspace.vectors / "sampled.pt")
    valid = file.samples["valid"]
    # What comes before the valid item is the history of the train part.
    assert valid.users == file.users
    np.testing.assert_array_equal(valid.retrieved.centres, file.retrieved.centres)
    np.testing.assert_array_equal(valid.retrieved.scores, file.retrieved.scores)
    # Whose valid item is not liked has that history in the test part, too.
    test = file.samples["test"]
    same = (test.histories == valid.histories).all(axis=1)
    assert 0 < same.sum() < 30
    np.testing.assert_array_equal(test.retrieved.centres[same], valid.retrieved.centres[same])


def test_samples_do_not_change_the_users_vectors(sampled: Run) -> None:
    facts = sampled.facts("retrieve_subgraph")
    # `sampled` writes to the files of `retrieved` and has found them right.
    assert facts["rows"] == {"users_emb_file": 30, "items_emb_file": 40}
    assert facts["samples"] == {
        "train": {"asked": 60, "skipped": 0, "untitled": 0},
        "valid": {"asked": 30, "skipped": 0, "untitled": 0},
        "test": {"asked": 30, "skipped": 0, "untitled": 0},
    }
    assert "; samples: 60 train, 30 valid, 30 test" in sampled.console.text


def test_a_file_with_other_samples_is_refused(sampled: Run, workspace: Workspace) -> None:
    kept = workspace.run([step(train_windows=2, file_out="sampled.pt")], "kept")
    assert kept.facts("retrieve_subgraph")["kept"] is True
    message = error_of(workspace.run([step(train_windows=3, file_out="sampled.pt")], "more"))
    assert "sampled.pt holds other subgraphs (train_windows is 2 there and 3 here)" in message
    message = error_of(workspace.run([step(train_windows=2)], "none_yet"))
    assert "subgraphs.pt holds other subgraphs (train_windows is 0 there and 2 here)" in message


def test_samples_that_are_left_out_are_told(tiny: Workspace) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        """u1 likes nothing, u2 only the first."""
        rows.loc[rows["user_id"].isin(["u1", "u2"]), "rating"] = "1"
        first = rows[rows["user_id"] == "u2"].sort_values("timestamp", key=lambda column: column.astype(float)).index[0]
        rows.loc[first, "rating"] = "5"
        return rows

    rewrite(tiny, change)
    item = tiny.folder / "datasets" / "tiny" / "tiny.item"
    rows = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.inter")
    own = rows[rows["user_id"] == "u2"].sort_values("timestamp", key=lambda column: column.astype(float))
    last = own["item_id"].iloc[-1]
    header, *lines = item.read_text("utf-8").splitlines()
    untitled = [
        "\t".join([last, "", *line.split("\t")[2:]]) if line.startswith(f"{last}\t") else line for line in lines
    ]
    item.write_text("\n".join([header, *untitled]) + "\n", "utf-8")
    facts = (run := tiny.run([step(train_windows=1)], "left_out")).facts("retrieve_subgraph")
    # u1 is skipped everywhere. The test item of u2 has no title; it may be an item of others as well.
    assert {split: counts["asked"] for split, counts in facts["samples"].items()} == dict.fromkeys(
        ("train", "valid", "test"), 30
    )
    assert {counts["skipped"] for counts in facts["samples"].values()} == {1}
    file = read_subgraphs(tiny.vectors / "subgraphs.pt")
    test = file.samples["test"]
    assert {"u1", "u2"} & set(test.users) == set()
    assert len(test.users) == 30 - 1 - facts["samples"]["test"]["untitled"]
    assert ", without 3 on an empty history and " in run.console.text
    # u2 has the one liked item before all later targets.
    valid = file.samples["valid"]
    assert (valid.histories[valid.users.index("u2")] >= 0).sum() == 1


def test_another_test_item_makes_other_samples_and_leaves_the_earlier_ones(tiny: Workspace) -> None:
    assert tiny.run([step(train_windows=2)], "before").record.status == "done"

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        """The last item of u30 is one that they have not had; all items have come before, so that their rows stay."""
        own = rows[rows["user_id"] == "u30"].sort_values("timestamp", key=lambda column: column.astype(float))
        rows.loc[own.index[-1], "item_id"] = next(item for item in ITEMS if item not in set(own["item_id"]))
        return rows

    rewrite(tiny, change)
    message = error_of(tiny.run([step(train_windows=2)], "after"))
    assert "(of another graph, other texts, another valid or test part, or ratings and times that have ch" in message
    # The vectors of users and items are what they were.
    assert tiny.run([step(train_windows=2, file_out="x.pt")], "beside").record.status == "done"
    before, after = (read_subgraphs(tiny.vectors / name) for name in ("subgraphs.pt", "x.pt"))
    for split in ("train", "valid"):
        np.testing.assert_array_equal(before.samples[split].targets, after.samples[split].targets)
        np.testing.assert_array_equal(before.samples[split].retrieved.centres, after.samples[split].retrieved.centres)
    changed = before.samples["test"].targets != after.samples["test"].targets
    assert [user for user, other in zip(before.samples["test"].users, changed, strict=True) if other] == ["u30"]

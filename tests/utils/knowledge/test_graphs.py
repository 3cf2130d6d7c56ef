"""A run's graph: which files it is made of, how it is linked, and which parameter is at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workspace import ITEMS, Workspace, standing_in
from utils.data.atomic import read_atomic
from utils.data.kg.files import KgError
from utils.knowledge.graphs import GraphFiles, OpenGraph, files_elsewhere, find_file, open_graph
from utils.scenario.errors import StepError

TINY: dict[str, Any] = {
    "kg_file": "tiny.kg",
    "link_file": "tiny.link",
    "link_ids_from": None,
    "entity_names": None,
    "title_field": None,
    "hops": None,
}


def opened(workspace: Workspace, **changes: Any) -> OpenGraph:
    return open_graph(workspace.context(), ITEMS, GraphFiles(**{**TINY, **changes}), "skip")


def write(workspace: Workspace, name: str, *lines: str) -> None:
    (workspace.folder / "datasets" / "tiny" / name).write_text("\n".join(lines) + "\n", "utf-8")


def test_a_file_of_the_datasets_folder_comes_before_one_at_that_path(tiny: Workspace) -> None:
    with standing_in(tiny.folder):
        Path("tiny.kg").write_text("", "utf-8")
        assert find_file({"dataset": "tiny"}, "tiny.kg") == Path("datasets/tiny/tiny.kg")


def test_a_file_that_is_nowhere_is_told_with_those_that_are_there(tiny: Workspace) -> None:
    with standing_in(tiny.folder), pytest.raises(KgError, match=r"neither in datasets/tiny \(.*tiny\.kg.*'tiny\.kg'\?"):
        find_file({"dataset": "tiny"}, "tiny.gk")


def test_only_files_outside_of_the_datasets_folder_have_to_travel(tiny: Workspace) -> None:
    with standing_in(tiny.folder):
        Path("my.names").write_text("entity_id\tname\n", "utf-8")
        files = GraphFiles(**{**TINY, "entity_names": "my.names"})
        assert list(files_elsewhere({"dataset": "tiny"}, files)) == [("entity_names", Path("my.names"))]


def test_items_are_called_by_their_title_and_year(tiny: Workspace) -> None:
    write(tiny, "tiny.item", "item_id:token\ttitle:token_seq\trelease_year:token", "i1\tGodfather, The\t1972",
          "i2\tHeat (1995)\t1995", "i3\tFargo\t", "i4\t\t1999")  # fmt: skip
    assert list(opened(tiny).item_names[:4]) == ["The Godfather (1972)", "Heat (1995)", "Fargo", ""]


def test_a_title_column_is_taken_where_it_is_named(tiny: Workspace) -> None:
    write(tiny, "tiny.item", "item_id:token\ttitle:token_seq\toriginal:token_seq", "i1\tThe Boat\tDas Boot")
    assert opened(tiny, title_field="original").item_names[0] == "Das Boot"
    with pytest.raises(StepError, match="has no 'orignal'; did you mean 'original'"):
        opened(tiny, title_field="orignal")


def test_links_in_the_ids_of_another_version_are_put_right_by_title_and_year(tiny: Workspace) -> None:
    rows = read_atomic(tiny.folder / "datasets" / "tiny" / "tiny.item").set_index("item_id")
    # In the other version the same films have the numbers 100, 101, ...
    theirs = [
        f"{100 + at}\t{rows.loc[item, 'title']}\t{rows.loc[item, 'release_year']}" for at, item in enumerate(ITEMS)
    ]
    write(tiny, "theirs.item", "item_id:token\ttitle:token_seq\trelease_year:token", *theirs)
    write(tiny, "theirs.link", "item_id:token\tentity_id:token", *(f"{100 + at}\te{at + 1}" for at in range(40)))
    ours, put_right = opened(tiny), opened(tiny, link_file="theirs.link", link_ids_from="theirs.item")
    titles = list(zip(rows["title"], rows["release_year"], strict=True))
    alone = [at for at, item in enumerate(ITEMS) if titles.count(tuple(rows.loc[item, ["title", "release_year"]])) == 1]
    for at in alone:
        indptr = put_right.links.link_indptr
        assert put_right.links.link_nodes[indptr[at] : indptr[at + 1]].tolist() == [ours.graph.node_of[f"e{at + 1}"]]
    assert put_right.facts["linked_by"] == "theirs.link, by the titles of theirs.item"


def test_links_to_what_the_graph_does_not_have_are_counted(tiny: Workspace) -> None:
    write(tiny, "some.link", "item_id:token\tentity_id:token", "i1\te1", "i2\tnowhere", "stranger\te2")
    facts = opened(tiny, link_file="some.link").facts
    assert (facts["linked_items"], facts["links_to_unknown_items"], facts["links_to_unknown_entities"]) == (1, 1, 1)


def test_one_hop_keeps_the_triples_that_touch_an_item(tiny: Workspace) -> None:
    write(tiny, "far.kg", "head_id:token\trelation_id:token\ttail_id:token", "e1\tr\ta", "a\tr\tb", "b\tr\tc")
    assert opened(tiny, kg_file="far.kg", hops=1).facts["triples"] == 1
    assert opened(tiny, kg_file="far.kg", hops=2).facts["triples"] == 2
    assert opened(tiny, kg_file="far.kg").facts["triples"] == 3


def test_a_broken_file_is_told_at_the_parameter_that_names_it(tiny: Workspace) -> None:
    write(tiny, "bad.names", "entity\tname", "e1\tHeat (1995)")
    with pytest.raises(StepError) as caught:
        opened(tiny, entity_names="bad.names")
    assert caught.value.parameter == "entity_names"
    assert "entity_id" in str(caught.value)

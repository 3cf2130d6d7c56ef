"""Files of subgraphs are opened again by another command, and refused where this run would retrieve others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.workspace import ITEMS, SASREC, Workspace
from utils.knowledge.opened_subgraphs import open_subgraphs
from utils.scenario.errors import StepError

GRAPH: dict[str, Any] = {"kg_file": "tiny.kg", "link_file": "tiny.link", "link_check": "skip"}
WHY = "a train part decides which titles describe an entity"
AGAIN = "; run retrieve_subgraph again (overwrite: True)"


@pytest.fixture(scope="module")
def written(workspace: Workspace) -> Workspace:
    steps: list[Any] = [
        {"retrieve_subgraph": {**GRAPH, "train_windows": 2}},
        {"retrieve_subgraph": {**GRAPH, "file_out": "users_alone.pt"}},
        # What pcst takes by itself for top_k is another number than that of the command.
        {"retrieve_subgraph": {**GRAPH, "train_windows": 1, "retriever": "pcst", "file_out": "pcst.pt"}},
    ]
    run = workspace.run(steps, "written")
    assert run.record.status == "done", run.console.text
    return workspace


def context(workspace: Workspace, **settings: Any) -> Any:
    return workspace.context(llm_config={"embeddings_path": str(workspace.vectors.parent)}, **settings)


def refused(workspace: Workspace, name: str = "subgraphs.pt", **settings: Any) -> str:
    with pytest.raises(StepError) as caught:
        open_subgraphs(context(workspace, **settings), name)
    assert caught.value.parameter == "subgraphs"
    return caught.value.message.replace(f"{workspace.vectors}/", "")


@pytest.mark.parametrize("settings", [{}, SASREC])
def test_a_file_is_opened_with_what_it_was_made_of(written: Workspace, settings: dict[str, Any]) -> None:
    ready, file = open_subgraphs(context(written, **settings), "subgraphs.pt")
    assert ready.facts["index_kept"] is True
    assert ready.histories.users == file.users
    assert list(file.samples) == ["train", "valid", "test"]
    for split, own in ready.samples.items():
        assert file.samples[split].users == own.users
        np.testing.assert_array_equal(file.samples[split].targets, own.targets)
        np.testing.assert_array_equal(file.samples[split].histories, own.histories)


def test_what_a_retriever_takes_by_itself_is_no_difference(written: Workspace) -> None:
    assert open_subgraphs(context(written), "pcst.pt")[1].retrieved.expansion == "induced"


def test_a_file_that_is_not_there_or_holds_no_samples_says_what_to_do(written: Workspace) -> None:
    assert refused(written, "subgraph.pt") == "no file subgraph.pt; did you mean 'subgraphs.pt'?"
    assert (
        refused(written, "users_alone.pt") == "users_alone.pt holds no samples; set train_windows in retrieve_subgraph"
    )
    assert refused(written, "kg_index.pt") == "kg_index.pt holds no users; it is no file of subgraphs"


def test_another_train_part_is_refused(written: Workspace) -> None:
    split = {"split": {"LS": "valid_and_test"}, "order": "RO", "group_by": "user", "mode": "full"}
    assert refused(written, eval_args=split) == (
        "subgraphs.pt was retrieved from another graph, encoder, split, or dataset (written from another train part)"
        + AGAIN
    )


@pytest.fixture
def changed(written: Workspace) -> Iterator[Path]:
    """A folder of the dataset's files that are put back afterwards."""
    folder = written.folder / "datasets" / "tiny"
    kept = {path: path.read_text("utf-8") for path in folder.glob("tiny.*")}
    yield folder
    for path, text in kept.items():
        path.write_text(text, "utf-8")


def test_another_graph_is_refused(written: Workspace, changed: Path) -> None:
    graph = changed / "tiny.kg"
    graph.write_text("\n".join(graph.read_text("utf-8").splitlines()[:-1]) + "\n", "utf-8")
    assert refused(written) == (
        "subgraphs.pt was retrieved from another graph, encoder, split, or dataset (index_file: kg_index.pt holds an "
        f"index of another graph and other texts of entities and items ({WHY})){AGAIN}"
    )


def test_another_test_item_is_refused(written: Workspace, changed: Path) -> None:
    inter = changed / "tiny.inter"
    *lines, last = inter.read_text("utf-8").splitlines()
    user, _, rating, when = last.split("\t")
    had = {line.split("\t")[1] for line in lines if line.startswith(f"{user}\t")}
    # All items have come before that line, so their rows stay.
    lines.append("\t".join([user, next(item for item in ITEMS if item not in had), rating, when]))
    inter.write_text("\n".join(lines) + "\n", "utf-8")
    assert refused(written) == (
        "subgraphs.pt was retrieved from another graph, encoder, split, or dataset (of another graph, other texts, "
        f"another valid or test part, or ratings and times that have changed){AGAIN}"
    )


def test_parameters_that_there_are_no_more_are_refused(written: Workspace) -> None:
    path = written.vectors / "subgraphs.pt"
    content = torch.load(path, weights_only=True)
    meta = content["meta"]
    parameters = {**meta["parameters"], "adaptive_ratio": 5}
    content["meta"] = {**meta, "parameters": parameters, "given": [*meta["given"], "adaptive_ratio"]}
    torch.save(content, written.vectors / "old.pt")
    assert refused(written, "old.pt") == f"old.pt was retrieved with other parameters than there are now{AGAIN}"


def test_a_centre_that_the_graph_does_not_have_is_refused(written: Workspace) -> None:
    content = torch.load(written.vectors / "subgraphs.pt", weights_only=True)
    content["samples"]["test"]["centres"][3, 0, 0] = 60
    torch.save(content, written.vectors / "damaged.pt")
    user = content["samples"]["test"]["users"][3]
    assert refused(written, "damaged.pt") == (
        f"damaged.pt: the test sample 3 of '{user}' has a centre beyond the graph's 60 nodes{AGAIN}"
    )

"""`--show-subgraph`: the page of what a scenario has retrieved, and why there may be none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Run, Workspace, standing_in
from utils.commands.retrieve_subgraph import RetrieveSubgraph
from utils.data.atomic import read_atomic
from utils.retrieval.store import read_subgraphs
from utils.scenario import plan, source
from utils.show_subgraph import CannotShow, write_page

STEP = {"retrieve_subgraph": {"kg_file": "tiny.kg", "link_file": "tiny.link", "link_check": "skip"}}


@pytest.fixture(scope="module")
def retrieved(workspace: Workspace) -> Run:
    return workspace.run([STEP], "shown")


def page_of(workspace: Workspace, user: str, name: str = "shown") -> Path:
    with standing_in(workspace.folder):
        file = plan.build(source.read(Path(f"{name}.yaml")))
        return workspace.folder / write_page(file, user, Path("pages"), workspace.context().console)


def test_the_page_has_the_users_history_and_centres(retrieved: Run, workspace: Workspace) -> None:
    html = page_of(workspace, "u7").read_text("utf-8")
    items = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.item").set_index("item_id")
    rows = read_atomic(workspace.folder / "datasets" / "tiny" / "tiny.inter")
    own = rows[rows["user_id"] == "u7"].sort_values("timestamp", key=lambda column: column.astype(float))
    liked = [item for item, rating in zip(own["item_id"], own["rating"], strict=True) if float(rating) >= 4]
    # The last two interactions are for validation and test.
    held_back = set(own["item_id"][-2:])
    for item in [item for item in liked if item not in held_back][-10:]:
        assert f"{items.loc[item, 'title']} ({items.loc[item, 'release_year']})" in html
    assert "by text and neighbours" in html
    from utils.knowledge.subgraphs import prepare

    asked = RetrieveSubgraph(**STEP["retrieve_subgraph"])
    ready = prepare(workspace.context(llm_config={"embeddings_path": str(workspace.vectors.parent)}), asked)
    file = read_subgraphs(workspace.vectors / "subgraphs.pt")
    centres = file.retrieved.centres[file.users.index("u7")]
    for centre in centres[centres >= 0].tolist():
        assert ready.texts[centre] in html


def test_of_a_user_without_a_history_there_is_no_page(retrieved: Run, workspace: Workspace) -> None:
    with pytest.raises(CannotShow, match="no user 'u77' with a history; did you mean 'u7'"):
        page_of(workspace, "u77")


def test_what_was_not_retrieved_is_not_shown(workspace: Workspace) -> None:
    workspace.write([{"retrieve_subgraph": {**STEP["retrieve_subgraph"], "file_out": "none.pt"}}], "unrun")
    with pytest.raises(CannotShow, match=r"no file .*none\.pt yet; run unrun\.yaml first"):
        page_of(workspace, "u7", "unrun")


def test_a_scenario_without_the_step_has_nothing_to_show(workspace: Workspace) -> None:
    workspace.write(["init_model"], "plain")
    with pytest.raises(CannotShow, match="has no retrieve_subgraph"):
        page_of(workspace, "u7", "plain")


def test_subgraphs_of_other_parameters_are_not_shown_as_these(retrieved: Run, workspace: Workspace) -> None:
    workspace.write([{"retrieve_subgraph": {**STEP["retrieve_subgraph"], "top_k": 2}}], "changed")
    with pytest.raises(CannotShow, match="top_k is 3 there and 2 here"):
        page_of(workspace, "u7", "changed")


@pytest.mark.parametrize("name", ["khop", "pcst"])
def test_balls_and_trees_are_shown_too(workspace: Workspace, name: str) -> None:
    own = {"retriever": name, "file_out": f"{name}.pt"}
    assert workspace.run([{"retrieve_subgraph": {**STEP["retrieve_subgraph"], **own}}], name).record.status == "done"
    assert f"by {name}" in page_of(workspace, "u7", name).read_text("utf-8")

"""`--info` shows a model's layers, and says what is wrong where there can be no model."""

from __future__ import annotations

import pytest

from tests.workspace import Workspace, standing_in
from utils import cli

TREE = """\
    1 |  | root | BPR ()
    2 | ---- | user_embedding | Embedding (31, 8)
    3 | ---- | item_embedding | Embedding (41, 8)
    4 | ---- | loss | BPRLoss ()
"""


def test_info_prints_the_tree_and_leaves_nothing_behind(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.write(["init_model"], "tree")
    with standing_in(tiny.folder):
        assert cli.run([path.name], 0, [], check=False, info=True) == 0
    # 30 users, 40 items, and RecBole's padding row in each table.
    assert capsys.readouterr().out == TREE
    assert not (tiny.folder / "saved").exists()


def test_info_names_the_place_of_a_dataset_that_cannot_be_loaded_and_goes_on(
    tiny: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tiny.write(["init_model"], "empty", user_inter_num_interval="[1000,inf)")
    fine = tiny.write(["init_model"], "fine")
    with standing_in(tiny.folder):
        assert cli.run([empty.name, fine.name], 0, [], check=False, info=True) == 1
    shown = capsys.readouterr().out
    assert "empty.yaml:1:1: the dataset 'tiny' cannot be loaded: no interaction is left after the filters" in shown
    assert shown.endswith(TREE)


def test_info_shows_the_model_as_the_steps_before_it_have_set_it(
    tiny: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    def embedding(wide: int) -> dict[str, object]:
        return {"set_config": {"embedding_size": wide}}

    # Only what stands before the first model changes it; what else stands there is left out.
    steps = [{"set": {"note": 1}}, {"print": "hello"}, embedding(16), "init_model", embedding(32), "init_model"]
    path = tiny.write(steps, "changed")
    with standing_in(tiny.folder):
        assert cli.run([path.name], 0, [], check=False, info=True) == 0
    assert capsys.readouterr().out == TREE.replace("(31, 8)", "(31, 16)").replace("(41, 8)", "(41, 16)")


def test_info_needs_no_init_model_in_the_scenario(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.write([{"print": "no model yet"}], "none")
    with standing_in(tiny.folder):
        assert cli.run([path.name], 0, [], check=False, info=True) == 0
    assert capsys.readouterr().out == TREE

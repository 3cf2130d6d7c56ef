"""`print`, `set`, `break`, `info`, `debug_model`, `save_datasets`: what they show and what they record."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.workspace import Run, Workspace

NEUMF = {"model": "NeuMF", "mf_embedding_size": 8, "mlp_embedding_size": 8, "mlp_hidden_size": [4], "dropout_prob": 0.0}


@pytest.fixture(scope="module")
def told(workspace: Workspace) -> Run:
    steps = [
        {"print": "hello: 1"},
        {"set": {"author": "me", "train_part": 3}},
        "init_model",
        {"info": 0},
        {"info": 1},
        {"debug_model": "mlp_layers.mlp_layers.1"},
        {"set_trainable": [["predict_layer"], False]},
        {"debug_model": "predict_layer"},
        "save_datasets",
        "break",
        {"print": "never"},
    ]
    return workspace.run(steps, "told", **NEUMF)


def test_print_shows_its_text_in_full(told: Run) -> None:
    assert told.console.lines[:2] == ["    1/11 print", "hello: 1"]
    assert told.facts("print") == {"text": "hello: 1"}


def test_set_keeps_variables_and_opens_a_stage(told: Run) -> None:
    assert told.record.variables == {"author": "me", "train_part": 3}
    assert list(told.record.stages) == ["3"]
    assert "        author = me, train_part = 3" in told.console.lines


def test_info_counts_parameters_and_shows_the_tree(told: Run) -> None:
    # Users 31 and items 41 with padding, twice 8 wide: 1,152; MLP 16 x 4 + 4; prediction 12 + 1.
    first, second = [step["facts"] for step in told.record.steps if step["command"] == "info"]
    assert first == second == {"total_params": 1233, "train_params": 1233}
    assert "        1,233 parameters, 1,233 trainable" in told.console.lines
    assert "    2 | ---- | user_mf_embedding | Embedding (31, 8)" in told.console.lines


def test_debug_model_shows_each_parameter(told: Run) -> None:
    shown = [line for line in told.console.lines if line.startswith("        weight") or "| Linear" in line]
    assert "weight [4, 16] mean " in "".join(shown)
    frozen = [line for line in told.console.lines if line.endswith(" frozen")]
    assert [line.split()[:2] for line in frozen] == [["weight", "[1,"], ["bias", "[1]"]]


def test_save_datasets_writes_tokens_beside_the_experiment(told: Run, workspace: Workspace) -> None:
    frame = pd.read_csv(workspace.folder / "told.train.tsv", sep="\t")
    assert len(frame) == told.facts("save_datasets")["train"]["rows"] == 540
    assert set(frame["user_id"]) == {f"u{number}" for number in range(1, 31)}
    assert "        told.*.tsv (train 540, valid 30, test 30)" in told.console.lines


def test_break_ends_a_run_that_is_done(told: Run) -> None:
    assert told.record.status == "done"
    assert told.record.steps[-1]["command"] == "break"
    assert told.console.lines[-1] == "        the scenario stops here"

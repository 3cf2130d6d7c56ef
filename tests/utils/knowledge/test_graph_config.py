"""How a model is built goes into a checkpoint, and out of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from utils.commands.graph_llm_train import GraphLlmTrain
from utils.knowledge.graph_checkpoint import CheckpointError
from utils.knowledge.graph_config import GraphConfig


def config(**given: Any) -> GraphConfig:
    return GraphConfig.of(GraphLlmTrain(**given), "{{ graph }}", "f1", 384)


@pytest.mark.parametrize("given", [{}, {"llm_mode": "lora", "lora": {"r": 4}}, {"facts_as": "text"}])
def test_it_comes_back_as_it_was_written(given: dict[str, Any]) -> None:
    assert GraphConfig.read(Path("k.pth"), config(**given).plain()) == config(**given)


def test_only_what_is_built_is_in_it() -> None:
    frozen, lora, text = config(), config(llm_mode="lora"), config(llm_mode="lora", facts_as="text")
    assert (frozen.lora, lora.lora) == (
        None,
        {"r": 8, "alpha": 16, "dropout": 0.1, "target_modules": ["q_proj", "v_proj"]},
    )
    assert frozen.gnn == {
        "type": "gt", "num_layers": 3, "hidden_dim": 1024, "num_heads": 4, "dropout": 0.0, "norm": "layer"
    }  # fmt: skip
    assert (frozen.projector_hidden, frozen.graph_tokens) == (2048, "per_subgraph")
    assert frozen.token_length == "embeddings"
    assert (text.gnn, text.projector_hidden, text.graph_tokens, text.token_length) == (None,) * 4


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({**config().plain(), "gnn_norm": "layer"}, "gnn_norm"),
        ({name: value for name, value in config().plain().items() if name != "in_dim"}, "in_dim"),
    ],
)
def test_a_name_too_many_or_too_few_is_another_version(values: dict[str, Any], name: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        GraphConfig.read(Path("k.pth"), values)
    assert str(caught.value) == f"k.pth was written by another version of RecBridge: '{name}'"

"""A graph language model before any training: what its soft tokens are."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity

from tests.utils.knowledge.graph_llm_runs import ready, train, world
from tests.workspace import Workspace
from utils.commands.graph_llm_train import GraphLlmTrain
from utils.knowledge.graph_config import GraphConfig
from utils.knowledge.graph_model import build
from utils.knowledge.graph_questions import read_all


@pytest.mark.parametrize("token_length", ["embeddings", "free"])
def test_every_soft_token_is_at_first_the_token_before_the_graph(workspace: Workspace, token_length: str) -> None:
    here = world(ready(workspace))
    asked = GraphLlmTrain(**train(token_length=token_length)["graph_llm_train"])
    config = GraphConfig.of(asked, "", "", here.asker.ready.index.nodes.shape[1])
    model = build(here.asker.ctx, config, here.lm, here.around, 5)
    tokens = read_all(model, here.asker.subgraphs(model.device), here.asker.sampled("test", None, False)).table
    words = here.lm.model.get_input_embeddings().weight.detach()
    before = words[here.around.head_ids[-1]]
    assert len(tokens) > 1
    torch.testing.assert_close(cosine_similarity(tokens, before[None]), torch.ones(len(tokens)))
    length = words.norm(dim=1).mean() if token_length == "embeddings" else before.norm()
    torch.testing.assert_close(tokens.norm(dim=1), length.expand(len(tokens)))

"""Which layers of a language model may have adapters."""

from __future__ import annotations

import re

import pytest

from models.llm.lora import LoraError, LoraOptions, add_lora
from tests.models.llm.tiny_lm import tiny_lm

INNER = "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"


@pytest.mark.parametrize("tied", [False, True])
def test_the_output_layer_has_no_adapter(tied: bool) -> None:
    lm = tiny_lm()
    lm.config.tie_word_embeddings = tied
    lm.tie_weights()
    assert (lm.lm_head.weight is lm.model.embed_tokens.weight) == tied
    with pytest.raises(LoraError, match=re.escape(f"the model has no linear layer 'lm_head' (it has {INNER})")):
        add_lora(lm, LoraOptions(target_modules=["q_proj", "lm_head"]))


def test_every_other_linear_layer_may_have_one() -> None:
    lm = add_lora(tiny_lm(), LoraOptions(r=1, target_modules=INNER.split(", ")))
    # A and B of seven layers in two blocks.
    assert sum(tensor.requires_grad for tensor in lm.parameters()) == 2 * 7 * 2

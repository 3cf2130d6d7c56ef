"""By what another model under the same name is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.llm.causal_lm import CausalLM, fingerprint, load, quiet_transformers
from tests.models.llm.tiny_lm import tiny_lm, tiny_tokenizer, write_tiny_lm

CPU = torch.device("cpu")


def lm() -> CausalLM:
    tokenizer = tiny_tokenizer()
    return CausalLM(tiny_lm(vocabulary=len(tokenizer)), tokenizer)


def other_template(changed: CausalLM) -> None:
    changed.tokenizer.chat_template += "{# Otherwise. #}"


def other_positions(changed: CausalLM) -> None:
    changed.model.config.rope_parameters["rope_theta"] = 5e5


def other_norms(changed: CausalLM) -> None:
    changed.model.config.rms_norm_eps = 1e-5


def other_weights(changed: CausalLM) -> None:
    with torch.no_grad():
        changed.model.lm_head.weight[0, 0] += 1


def test_a_model_is_the_same_in_another_precision_and_with_another_attention() -> None:
    same, narrow = lm(), lm()
    narrow.model.to(torch.bfloat16).set_attn_implementation("eager")
    assert fingerprint(narrow) == fingerprint(same)


@pytest.mark.parametrize("change", [other_template, other_positions, other_norms, other_weights])
def test_what_answers_otherwise_is_another_model(change: Callable[[CausalLM], None]) -> None:
    changed = lm()
    change(changed)
    assert fingerprint(changed) != fingerprint(lm())


def test_a_model_is_the_same_in_another_folder(tmp_path: Path) -> None:
    first = load(str(write_tiny_lm(tmp_path / "first")), CPU, tmp_path)
    with quiet_transformers():
        for part in (first.model, first.tokenizer):
            part.save_pretrained(tmp_path / "second")
    assert fingerprint(load(str(tmp_path / "second"), CPU, tmp_path)) == fingerprint(first)

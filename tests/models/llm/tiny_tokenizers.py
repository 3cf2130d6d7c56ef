"""Tokenizers that fit a test: one whose tokens are characters, and one that knows a few words."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " \n"
SPECIAL = ["<unk>", "<s>", "</s>"]


def characters(
    chat_template: str | None = None, merges: Sequence[tuple[str, str]] = (), adds_beginning: bool = False, **given: Any
) -> Any:
    """A BPE over characters, in which only `merges` are longer. adds_beginning: whether it puts <s> before a text."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing

    tokens = [*SPECIAL, *CHARACTERS, *(first + second for first, second in merges)]
    tokenizer = Tokenizer(BPE({token: row for row, token in enumerate(tokens)}, list(merges), unk_token="<unk>"))
    if adds_beginning:
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _fast(tokenizer, chat_template, **{"bos_token": "<s>", "eos_token": "</s>", **given})


def words(known: Sequence[str]) -> Any:
    """A tokenizer to which all but a few words are one unknown token."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate([*SPECIAL, *known])}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    return _fast(tokenizer, None, bos_token="<s>", eos_token="</s>")


def text_of(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of ids, special tokens too."""
    return "".join(tokenizer.convert_ids_to_tokens(list(ids)))


def _fast(tokenizer: Any, chat_template: str | None, **given: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **given)
    fast.chat_template = chat_template
    return fast

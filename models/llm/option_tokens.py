"""The tokens that are the letters of options as answers, and the token that ends an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from models.llm.chat_layout import ChatLayout, encoded


class OptionTokensError(ValueError):
    """Letters that a tokenizer does not have as single tokens of their own."""


def option_ids(tokenizer: Any, layout: ChatLayout, letters: Sequence[str]) -> tuple[int, ...]:
    """The id of each letter as the one token that follows on the layout's tail.

    A tokenizer may have `A` and ` A`; all letters are taken as the layout's gap has it, or all the other way, since
    their logits are compared. OptionTokensError names the letters that are no single token, or not one of their own.
    """
    ways = (layout.gap, "" if layout.gap else " ")
    found = [_following(tokenizer, layout, gap, letters) for gap in ways]
    faults = [_faulty(tokenizer, letters, ids) for ids in found]
    for ids, faulty in zip(found, faults, strict=True):
        if not faulty:
            return tuple(token for token in ids if token is not None)
    fewest = min(faults, key=len)
    raise OptionTokensError(
        f"the tokenizer has no token of its own for {', '.join(fewest)}, so that scores cannot be told "
        "apart; take fewer candidates, or another model"
    )


def end_id(tokenizer: Any, generation_config: Any = None) -> int:
    """The token that ends an answer: the tokenizer's, or the first that generation stops at.

    OptionTokensError where neither says.
    """
    stops = tokenizer.eos_token_id
    if stops is None:
        stops = getattr(generation_config, "eos_token_id", None)
    if isinstance(stops, Sequence):
        stops = next(iter(stops), None)
    if stops is None:
        raise OptionTokensError("neither the tokenizer nor the model's generation config has a token that ends a text")
    return int(stops)


def _following(tokenizer: Any, layout: ChatLayout, gap: str, letters: Sequence[str]) -> list[int | None]:
    """The token of each letter after the tail; None where it is none alone, or melts into what stands before it."""
    ids: list[int | None] = []
    for letter in letters:
        answered = tuple(encoded(tokenizer, f"{layout.tail}{gap}{letter}"))
        alone = len(answered) == len(layout.tail_ids) + 1 and answered[:-1] == layout.tail_ids
        ids.append(answered[-1] if alone else None)
    return ids


def _faulty(tokenizer: Any, letters: Sequence[str], ids: Sequence[int | None]) -> list[str]:
    counts = Counter(ids)
    unknown = (None, tokenizer.unk_token_id)
    return [letter for letter, token in zip(letters, ids, strict=True) if token in unknown or counts[token] > 1]

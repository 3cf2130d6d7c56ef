"""Histories as texts, by whose vectors centres are ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from utils.context import RunContext
from utils.knowledge.encoding import encode_texts

if TYPE_CHECKING:
    import torch

    from models.llm.encoder_spec import EncoderSpec

RerankQuery = Literal["prompt", "history"]
# K-RagRec re-ranks by the task and the history together.
TASK = "Given the history of a user, select the item that this user is most likely to be interested in next. History: "


def history_text(titles: Sequence[str], query: RerankQuery) -> str:
    """The titles of a history, the latest last, after the task where it is asked for; empty without a title."""
    listed = ", ".join(title for title in titles if title)
    return f"{TASK}{listed}." if listed and query == "prompt" else listed


def history_texts(
    ctx: RunContext, histories: Sequence[Sequence[str]], query: RerankQuery, spec: EncoderSpec
) -> tuple[list[str], list[int]]:
    """The text of each history, and how many of its oldest titles are left out because the encoder would not read all.

    An encoder cuts the end of a text that is too long, and the end is what a user liked last.
    """
    from models.llm.text_encoder import count_tokens

    texts = [history_text(titles, query) for titles in histories]
    left_out = [0] * len(texts)
    device = ctx.recbole_config()["device"]
    counts, limit = count_tokens(texts, spec, device)
    excess = {row: count - limit for row, count in enumerate(counts) if limit is not None and count > limit}
    while excess:
        for row, tokens in excess.items():
            # Half of what titles of mean length would need, so that none is left out in vain.
            kept = [title for title in histories[row] if title][left_out[row] :]
            left_out[row] += max(1, len(kept) * tokens // (2 * (tokens + (limit or 0))))
            texts[row] = history_text([title for title in histories[row] if title][left_out[row] :], query)
        counts, limit = count_tokens([texts[row] for row in excess], spec, device)
        excess = {
            row: count - limit for row, count in zip(excess, counts, strict=True) if limit is not None and count > limit
        }
    return texts, left_out


def encoded(ctx: RunContext, texts: Sequence[str], spec: EncoderSpec, batch_size: int, dimension: int) -> torch.Tensor:
    """[n, dimension] rows of length 1, zero where a text is empty; each distinct text is encoded once."""
    import torch

    distinct = list(dict.fromkeys(text for text in texts if text))
    vectors = torch.zeros(len(texts), dimension)
    if distinct:
        found = encode_texts(ctx, distinct, spec, batch_size, "histories", "text_encoder")
        place = {text: row for row, text in enumerate(distinct)}
        there = [row for row, text in enumerate(texts) if text]
        vectors[there] = found[[place[texts[row]] for row in there]]
    return torch.nn.functional.normalize(vectors, dim=1)

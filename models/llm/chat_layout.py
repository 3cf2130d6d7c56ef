"""Where a question stands in a language model's input: what comes before it, the same each time, and what after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

# Stand in a chat template's messages for what is asked and for the answer.
_ASKED = "@@asked-here@@"
_ANSWER = "@@answered-here@@"
# What some templates read beside the messages: Llama's would tell today's date, and Qwen's would have it think first.
_FIXED = {"date_string": "26 Jul 2024", "enable_thinking": False}


class ChatLayoutError(ValueError):
    """A tokenizer whose chat template cannot hold a question."""


@dataclass(frozen=True)
class ChatLayout:
    """The fixed parts of `head | graph tokens | body | tail | answer`.

    head_ids: the beginning of every text where the tokenizer has such a token, and the instruction. tail_ids: what
    makes the model answer; tail is its text. gap: what stands between it and an answer, nothing or a space.
    instruction: that the head holds.
    """

    head_ids: tuple[int, ...]
    tail_ids: tuple[int, ...]
    tail: str
    gap: str
    instruction: str


def layout_of(tokenizer: Any, instruction: str) -> ChatLayout:
    """The layout of questions that follow on an instruction.

    With a chat template the instruction is the system's message and the question the user's; where a template has no
    place for the system, the user's message begins with the instruction. Without a template the instruction is a line
    of its own, and "Answer:" comes last.
    ChatLayoutError for a template that fails, or that does not repeat the user's message just once.
    """
    if not tokenizer.chat_template:
        head, tail, gap = f"{instruction}\n", "\nAnswer:", " "
    else:
        head, tail, gap = _of_template(tokenizer, instruction)
    head_ids = _with_beginning(tokenizer, encoded(tokenizer, head))
    return ChatLayout(tuple(head_ids), tuple(encoded(tokenizer, tail)), tail, gap, instruction)


def encoded(tokenizer: Any, text: str) -> list[int]:
    """The token ids of a text as it is: nothing is put around it, and special tokens in it are such."""
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _of_template(tokenizer: Any, instruction: str) -> tuple[str, str, str]:
    """(what stands before the question, what after it, what between that and the answer)."""
    ways = (
        [_message("system", instruction), _message("user", _ASKED)],
        [_message("user", f"{instruction}\n{_ASKED}")],
    )
    failure = "it leaves the instruction out"
    for messages in ways:
        try:
            text = _rendered(tokenizer, messages)
        except TemplateError as error:
            # A template may refuse a system's message; others leave it out.
            failure = str(error)
            continue
        times = text.count(_ASKED)
        if times != 1:
            raise ChatLayoutError(f"the tokenizer's chat template has the user's message {times} times; accepted: once")
        head, tail = text.split(_ASKED)
        if instruction in head:
            return head, tail, _gap(tokenizer, messages, tail)
    raise ChatLayoutError(f"the tokenizer's chat template cannot be used: {failure}")


def _gap(tokenizer: Any, messages: Sequence[dict[str, str]], tail: str) -> str:
    """A space where the template puts one before what an assistant said after `tail`, as Llama 2's does."""
    try:
        text = _rendered(tokenizer, [*messages, _message("assistant", _ANSWER)], asks=False)
    except TemplateError:
        return ""
    return " " if f"{tail} {_ANSWER}" in text else ""


def _rendered(tokenizer: Any, messages: Sequence[dict[str, str]], asks: bool = True) -> str:
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks, **_FIXED)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _with_beginning(tokenizer: Any, ids: list[int]) -> list[int]:
    """The ids with one token of beginning in front, where the tokenizer has it and would put it there."""
    beginning = tokenizer.bos_token_id
    if beginning is None or ids[:1] == [beginning]:
        return ids
    # Templates mostly write it themselves; of one that does not, the tokenizer tells whether the model expects it.
    expected = not tokenizer.chat_template or list(tokenizer("").input_ids)[:1] == [beginning]
    return [beginning, *ids] if expected else ids

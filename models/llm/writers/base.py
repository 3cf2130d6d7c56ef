"""What a writer of descriptions is: prompts in, answers out, in the order in which they are done."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol


class WriterError(Exception):
    """Nothing more can be written: the model is not there, the key is refused, the endpoint is down."""


@dataclass(frozen=True)
class Answer:
    """A description; `cut` where it ends at `max_tokens` and not of itself. Tokens are 0 where nobody counts them."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False


@dataclass(frozen=True)
class Failure:
    """Why one prompt has no answer; the others go on."""

    reason: str


# (number of the prompt, its answer), each number once, in any order.
Answers = Generator[tuple[int, Answer | Failure], None, None]


class Writer(Protocol):
    """Answers prompts as they are asked for; what it holds is let go of when the generator is closed."""

    def write(self, prompts: Sequence[str]) -> Answers:
        """WriterError when nothing more can be written."""
        ...

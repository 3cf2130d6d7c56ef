"""No model at all: the rendered template is the description."""

from __future__ import annotations

from collections.abc import Sequence

from models.llm.writers.base import Answer, Answers


class TemplateWriter:
    """Answers each prompt with itself."""

    def write(self, prompts: Sequence[str]) -> Answers:
        for number, prompt in enumerate(prompts):
            yield number, Answer(prompt)

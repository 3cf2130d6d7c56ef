"""What a language model is asked about users and candidates: texts of one template, fitted into its context."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.data.facts import Row
from utils.data.kg.titles import split_year
from utils.data.prompts import PromptError, PromptTemplate, read_template

if TYPE_CHECKING:
    from models.llm.chat_layout import ChatLayout

LETTERS = string.ascii_uppercase
KNOWN = frozenset({"graph", "history", "options", "facts"})
# Stands in a rendered template for the graph's tokens.
_GRAPH = "@@graph-here@@"
_OPTION_END = re.compile("@@option-([0-9]+)-ends@@")


class PromptTooLong(ValueError):
    """A prompt that is longer than what the language model reads."""


@dataclass(frozen=True)
class Rendered:
    """A prompt: what stands before the graph's tokens, and what after, with `option_end` where options end."""

    instruction: str
    body: str


@dataclass(frozen=True)
class Prompts:
    """The prompts of several samples, which share what stands before the graph's tokens."""

    instruction: str
    bodies: list[str]


@dataclass(frozen=True)
class Questions:
    """What S samples are asked, as rows of `items`.

    items [n_items]: as `prompt_items` makes them. users [S]: who is asked about, for errors. histories [S, L]: oldest
    first, -1 where there is none. options [S, n]: in the order of their letters; None asks nothing, so that a prompt
    is its history alone, as vectors of users are made of. facts [S]: sentences of each; None where the graph's tokens
    tell them.
    """

    template: PromptTemplate
    items: Sequence[Row]
    users: Sequence[str]
    histories: np.ndarray
    options: np.ndarray | None = None
    facts: Sequence[Sequence[str]] | None = None

    @classmethod
    def of_items(cls, template: PromptTemplate, items: Sequence[Row], tokens: Sequence[str]) -> Questions:
        """The prompts that vectors of items are made of: each as the history of somebody who had it alone."""
        return cls(template, items, tokens, np.arange(len(items))[:, None])

    def first(self, n: int) -> Questions:
        """Those of the first n samples."""
        options = None if self.options is None else self.options[:n]
        facts = None if self.facts is None else self.facts[:n]
        return replace(self, users=self.users[:n], histories=self.histories[:n], options=options, facts=facts)

    def history(self, sample: int) -> list[Row]:
        """The items of a history that have a title; of the others there is nothing to say."""
        rows = [self.items[item] for item in self.histories[sample].tolist() if item >= 0]
        return [row for row in rows if row["title"]]

    def rendered(self, sample: int, left_out: int = 0) -> Rendered:
        """The prompt of a sample without the `left_out` oldest items of its history; PromptError names the user."""
        options = () if self.options is None else [self.items[item] for item in self.options[sample].tolist()]
        facts = () if self.facts is None else self.facts[sample]
        try:
            return question(self.template, self.history(sample)[left_out:], options, facts)
        except PromptError as error:
            raise PromptError(f"{error}; asked about '{self.users[sample]}'") from error

    def prompts(self) -> Prompts:
        """The prompts of all samples; PromptError where they differ in what stands before the graph's tokens."""
        rendered = [self.rendered(sample) for sample in range(len(self.users))]
        for user, one in zip(self.users, rendered, strict=True):
            if one.instruction != rendered[0].instruction:
                raise PromptError(
                    f"{self.template.path}: what stands before {{{{ graph }}}} is read once for all, but it is "
                    f"'{rendered[0].instruction}' for '{self.users[0]}' and '{one.instruction}' for '{user}'; put what "
                    "differs after it"
                )
        return Prompts(rendered[0].instruction if rendered else "", [one.body for one in rendered])


@dataclass(frozen=True)
class Fitted:
    """Token ids of bodies, and what had to go: the oldest items of how many histories, and how many in all.

    ends: of each body the places of the options' last tokens, in the order of their letters; none where they are not
    wanted or not marked.
    """

    ids: list[list[int]]
    ends: list[list[int]]
    shortened: int
    items_left_out: int


def choose_template(given: str | None = None) -> PromptTemplate:
    """The template in the file `given`, or ours; PromptError for one that cannot be read."""
    import models.llm

    return read_template(Path(given or Path(models.llm.__path__[0]) / "prompts" / "choose.j2"))


def complaints(template: PromptTemplate, facts: bool = False, ends: bool = False) -> Iterator[str]:
    """What can be said against a template before anything is asked with it.

    facts: whether there will be sentences. ends: whether options are read where they end.
    """
    yield from template.unknown_names(KNOWN)
    if facts and not template.reads_facts:
        yield f"{template.path} does not read 'facts', so that it would say nothing of the graph"
    if ends and "end" not in template.attributes:
        yield (
            f"{template.path} does not tell where an option ends, which read_at: options asks for; put "
            "{{ option.end }} behind its title and letter"
        )
    for name, why in (("graph", "where the graph's tokens go"), ("options", "what there is to choose from")):
        if name not in template.names:
            yield f"{template.path} does not have {{{{ {name} }}}}, {why}"


def prompt_items(tokens: Sequence[str], names: Sequence[str], rows: Mapping[str, Row]) -> list[Row]:
    """Each item as a template sees it: the columns of its row, `title` as it is said, and `year`.

    tokens, names [n_items]: names as in `OpenGraph.item_names`, "Heat (1995)", empty for none. rows: by token, of
    `.item`; an item may have none.
    """
    told = []
    for token, name in zip(tokens, names, strict=True):
        title, year = split_year(name)
        told.append((rows.get(token) or Row("an item", {}, ())).with_values(title=title, year=year))
    return told


def option_end(place: int) -> str:
    """What stands in a body where the option at `place` ends; it is no part of the text that is read."""
    return f"@@option-{place}-ends@@"


def question(
    template: PromptTemplate, history: Sequence[Row], options: Sequence[Row], facts: Sequence[str] = ()
) -> Rendered:
    """The prompt of one sample; the history from its oldest item on, the options as A, B, C ...

    PromptError where the template does not have the graph's tokens in one place, or there are too many options.
    """
    if len(options) > len(LETTERS):
        raise PromptError(f"{len(options)} options have no letters; accepted: up to {len(LETTERS)}")
    lettered = [
        Row("an option", {"letter": letter, "item": item, "end": option_end(place)}, ())
        for place, (letter, item) in enumerate(zip(LETTERS, options, strict=False))
    ]
    values = {"graph": _GRAPH, "history": list(history), "options": lettered, "facts": list(facts)}
    parts = template.render(values).split(_GRAPH)
    if len(parts) != 2:
        raise PromptError(f"{template.path}: {{{{ graph }}}} is in {len(parts) - 1} places; accepted: one")
    return Rendered(parts[0].strip(), parts[1].strip())


def fitted(
    questions: Questions,
    prompts: Prompts,
    tokenizer: Any,
    layout: ChatLayout,
    around: np.ndarray,
    context: int,
    truncate_history: bool = False,
    reads_ends: bool = False,
) -> Fitted:
    """The token ids of `questions.prompts()`, each short enough for `context` tokens together with all around it.

    around [S] int: tokens of each sample's graph and of the longest answer. With `truncate_history` a prompt that is
    too long loses the oldest items of its history, as few as will do. reads_ends: whether ends of options are wanted.
    PromptTooLong names the user of one that does not fit, and how many tokens it takes.
    """
    ids, ends = body_ids(tokenizer, prompts.bodies, reads_ends)
    room = context - len(layout.head_ids) - len(layout.tail_ids) - np.asarray(around)
    left_out: dict[int, int] = {}
    long = [sample for sample, body in enumerate(ids) if len(body) > room[sample]]
    while long:
        for sample in long:
            left_out[sample] = left_out.get(sample, 0) + 1
            if not truncate_history or left_out[sample] > len(questions.history(sample)):
                how = "even without its history" if truncate_history else "shorten histories, or truncate_history: True"
                raise PromptTooLong(
                    f"the prompt of '{questions.users[sample]}' takes {context - room[sample] + len(ids[sample]):,} "
                    f"tokens, and the language model reads {context:,}; {how}"
                )
        again = [questions.rendered(sample, left_out[sample]).body for sample in long]
        shorter = body_ids(tokenizer, again, reads_ends)
        for sample, body, own in zip(long, *shorter, strict=True):
            ids[sample], ends[sample] = body, own
        long = [sample for sample in long if len(ids[sample]) > room[sample]]
    return Fitted(ids, ends, len(left_out), sum(left_out.values()))


def body_ids(tokenizer: Any, bodies: Sequence[str], reads_ends: bool) -> tuple[list[list[int]], list[list[int]]]:
    """The token ids of each body, in which a title that looks like a special token is none, and where options end.

    Only with `reads_ends` is a body cut where options end: some tokenizers make other tokens of a text in parts.
    """
    from models.llm.causal_lm import quiet_transformers

    # Texts at even places, and between them which option ends there.
    parts = [_OPTION_END.split(body) if reads_ends else [_OPTION_END.sub("", body)] for body in bodies]
    texts = [text for own in parts for text in own[::2]]
    if not texts:
        return [], []
    # What is too long for the model is told by `fitted`.
    with quiet_transformers():
        found = tokenizer(texts, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False)
    each, ids, ends = iter(found.input_ids), [], []
    for own in parts:
        pieces = [next(each) for _ in own[::2]]
        ids.append([token for piece in pieces for token in piece])
        places = [total - 1 for total in accumulate(map(len, pieces[:-1]))]
        # A template may have the options in an order of its own.
        ends.append([place for _, place in sorted(zip(map(int, own[1::2]), places, strict=True))])
    return ids, ends

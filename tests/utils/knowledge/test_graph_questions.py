"""The questions of a run: whose they are, what they tell, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.utils.knowledge.graph_llm_runs import World, ready, world
from tests.workspace import USERS, Workspace
from utils.data.prompts import compile_template
from utils.knowledge.graph_model import layout
from utils.knowledge.graph_prompts import option_end
from utils.knowledge.graph_questions import picked
from utils.scenario.errors import StepError


@pytest.fixture(scope="module")
def here(workspace: Workspace) -> World:
    return world(ready(workspace))


def test_a_limit_takes_all_samples_of_the_first_users(here: World) -> None:
    whole, few = here.asked("train"), here.asker.sampled("train", 3, False)
    # Two windows of each.
    assert list(few.samples.users) == [user for user in USERS[:3] for _ in range(2)]
    rows = [row for row, user in enumerate(whole.samples.users) if user in USERS[:3]]
    np.testing.assert_array_equal(few.samples.targets, whole.samples.targets[rows])
    np.testing.assert_array_equal(few.retrieved.centres, whole.retrieved.centres[rows])
    assert len(here.asker.sampled("train", 99, False)) == len(whole) == 60


def test_candidates_begin_with_the_target_and_are_nothing_that_the_user_has_had(here: World) -> None:
    found, samples = here.candidates("test"), here.asked("test").samples
    np.testing.assert_array_equal(found[:, 0], samples.targets)
    inter = here.asker.ctx.dataset_file("inter").read_text("utf-8").splitlines()[1:]
    had = {tuple(line.split("\t")[:2]) for line in inter}
    items = here.asker.ready.index.items.tokens
    assert not {(user, items[item]) for user, row in zip(samples.users, found, strict=True) for item in row[1:]} & had


def test_a_question_tells_the_titles_of_history_and_options_and_facts_where_they_are_asked_for(here: World) -> None:
    titles = [str(row["title"]) for row in here.asker.items]
    asked, options = here.asked("test"), here.candidates("test")
    samples = asked.samples
    told = here.asker.questions(asked, options).prompts().bodies
    history = [titles[item] for item in samples.histories[0] if item >= 0]
    lettered = enumerate(zip("ABCDE", options[0], strict=True))
    lines = [f"{letter}: {titles[item]}{option_end(place)}" for place, (letter, item) in lettered]
    assert told[0] == "\n".join([f"History: {'; '.join(history)}", "Options:", *lines])
    in_words = here.asked("test", in_words=True)
    assert in_words.facts is not None
    facts = here.asker.questions(in_words, options).prompts().bodies[0].split("\n")
    assert facts[1:-6] == ["Facts:", *in_words.facts[0]]


def test_facts_are_those_of_the_samples_own_subgraphs(here: World) -> None:
    asked = here.ragged()
    facts = here.asker.with_facts(asked.samples, asked.retrieved).facts
    assert facts is not None
    # The first has no subgraph, the second at most one of each order.
    assert facts[0] == []
    assert 1 <= len(facts[1]) <= 2
    for row, sentences in enumerate(facts):
        nodes = asked.retrieved.centres[row]
        assert len(sentences) == len(set(nodes[nodes >= 0].tolist()))


def test_more_candidates_than_a_user_leaves_are_an_error(here: World) -> None:
    with pytest.raises(StepError) as caught:
        here.candidates("test", n=26)
    # 40 items less 20 that a user has had, and the target.
    assert caught.value.parameter == "num_candidates"
    assert caught.value.message.startswith("num_candidates is 26, and at most 21 are possible: user 'u")


def test_a_prompt_that_differs_ahead_of_the_graph_is_an_error(here: World) -> None:
    template = compile_template("{{ options[0].item.title }}{{ graph }}", Path("mine.j2"))
    with pytest.raises(StepError) as caught:
        replace(here.asker, template=template).instruction(here.asked(), here.candidates())
    assert caught.value.parameter == "prompt"
    assert caught.value.message.startswith("mine.j2: what stands before {{ graph }} is read once for all")


@pytest.mark.parametrize(
    ("text", "in_words", "options", "other"),
    [
        ("Pick.{% if facts %} See facts.{% endif %}{{ graph }}", True, True, "Pick. See facts."),
        ("Pick.{% if not options %} Or not.{% endif %}{{ graph }}", False, False, "Pick. Or not."),
    ],
)
def test_an_instruction_is_the_same_with_facts_and_without_options(
    here: World, text: str, in_words: bool, options: bool, other: str
) -> None:
    asker, own = replace(here.asker, template=compile_template(text, Path("mine.j2"))), here.candidates()
    around = layout(here.lm, asker.instruction(here.asked(), own))
    with pytest.raises(StepError) as caught:
        asker.tokens(asker.questions(here.asked(in_words=in_words), own if options else None), around, 0)
    assert caught.value.parameter == "prompt"
    assert caught.value.message == (
        "mine.j2: what stands before {{ graph }} is read once for all, but it is 'Pick.' in one place and "
        f"'{other}' in another (facts or options may be missing); put what differs after it"
    )


def test_facts_of_a_few_are_those_that_they_have_among_all(here: World) -> None:
    whole, few = here.asked("train", in_words=True), here.asker.sampled("train", 2, True)
    assert whole.facts is not None
    assert few.facts == whole.facts[:4]


def test_tokens_of_the_graph_take_room_in_the_context(here: World) -> None:
    questions = here.asker.questions(here.asked(), here.candidates())
    lengths = [len(body) for body in here.asker.tokens(questions, here.around, 0).ids]
    around = len(here.around.head_ids) + len(here.around.tail_ids)
    # Of 2,048 tokens a graph may take what the longest question leaves, and not one more.
    room = 2048 - around - max(lengths)
    here.asker.tokens(questions, here.around, room)
    with pytest.raises(StepError) as caught:
        here.asker.tokens(questions, here.around, room + 1)
    assert caught.value.parameter == "truncate_history"
    assert "takes 2,049 tokens, and the language model reads 2,048" in caught.value.message
    shortened = replace(here.asker, truncate_history=True).tokens(questions, here.around, room + 1)
    assert (shortened.shortened, shortened.items_left_out) == (lengths.count(max(lengths)),) * 2


def test_what_was_retrieved_for_some_keeps_how_it_grows(here: World) -> None:
    whole = replace(here.asked().retrieved, expansion="ball", hops=2)
    some = picked(whole, np.array([4, 1]))
    np.testing.assert_array_equal(some.centres, whole.centres[[4, 1]])
    np.testing.assert_array_equal(some.scores, whole.scores[[4, 1]])
    assert (some.orders, some.expansion, some.hops) == (whole.orders, "ball", 2)


@pytest.mark.parametrize(
    ("options", "there"),
    [
        ("{% for one in options[1:] %}{{ one.letter }}{{ one.end }}{% endfor %}", "4 times, in 4 places"),
        ("{% for one in options %}{{ one.end }}{{ one.letter }}{{ one.end }}{% endfor %}", "10 times, in 6 places"),
        ("{% for one in options %}{{ one.end }}{{ one.letter }}{% endfor %}", "5 times, in 5 places"),
        (
            "{% for one in options %}{{ one.letter }}{% endfor %}{% for one in options %}{{ one.end }}{% endfor %}",
            "5 times, in 1 places",
        ),
    ],
)
def test_every_option_has_one_end_behind_it_where_ends_are_read(here: World, options: str, there: str) -> None:
    template = compile_template("{{ graph }}" + options, Path("mine.j2"))
    around = layout(here.lm, "")
    for reads_ends in (False, True):
        asker = replace(here.asker, template=template, reads_ends=reads_ends)
        if not reads_ends:
            assert asker.tokens(asker.questions(here.asked(), here.candidates()), around, 0)
            continue
        with pytest.raises(StepError) as caught:
            asker.tokens(asker.questions(here.asked(), here.candidates()), around, 0)
        assert caught.value.parameter == "prompt"
        assert caught.value.message == (
            f"mine.j2: {{{{ option.end }}}} is there {there}, for 5 options; accepted: once for each, "
            "behind what is said of it"
        )
        # Vectors are made without options.
        assert asker.tokens(asker.questions(here.asked(), None), around, 0)

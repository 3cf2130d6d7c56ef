"""What a language model is asked: our template and others, samples and vectors, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.llm.chat_layout import layout_of
from tests.models.llm.tiny_tokenizers import characters, text_of
from utils.data.facts import Row
from utils.data.prompts import PromptError, PromptTemplate, read_template
from utils.knowledge.graph_prompts import (
    LETTERS,
    Fitted,
    Prompts,
    PromptTooLong,
    Questions,
    Rendered,
    choose_template,
    complaints,
    fitted,
    option_end,
    prompt_items,
    question,
)

INSTRUCTION = (
    "Given the history of a user, select the option that this user is most likely to be interested in next. "
    "Answer with its letter."
)
NAMES = ["The Godfather (1972)", "Heat (1995)", "", "Fargo", "Casino (1995)"]
ITEMS = prompt_items(["i1", "i2", "i3", "i4", "i5"], NAMES, {"i2": Row("an item", {"class": "Crime"}, ("class",))})


def template(tmp_path: Path, text: str) -> PromptTemplate:
    path = tmp_path / "mine.j2"
    path.write_text(text, "utf-8")
    return read_template(path)


def asked(using: PromptTemplate, *histories: list[int]) -> Questions:
    """Users u0, u1, ... of whom each is to choose between Casino and Heat."""
    users = [f"u{number}" for number in range(len(histories))]
    longest = max(map(len, histories))
    table = np.array([[*history, *[-1] * (longest - len(history))] for history in histories])
    return Questions(using, ITEMS, users, table, np.array([[4, 1]] * len(users)))


def test_a_question_has_the_history_and_lettered_options_without_years() -> None:
    assert question(choose_template(), [ITEMS[0], ITEMS[3]], [ITEMS[4], ITEMS[1]]) == Rendered(
        INSTRUCTION, f"History: The Godfather; Fargo\nOptions:\nA: Casino{option_end(0)}\nB: Heat{option_end(1)}"
    )


def test_facts_stand_between_history_and_options() -> None:
    facts = ["Heat: cast Al Pacino", "Al Pacino: cast of Heat"]
    body = "History: Fargo\nFacts:\nHeat: cast Al Pacino\nAl Pacino: cast of Heat\nOptions:\nA: Casino"
    assert question(choose_template(), [ITEMS[3]], [ITEMS[4]], facts).body == body + option_end(0)


def test_samples_share_the_instruction_and_items_without_a_title_are_left_out() -> None:
    questions = asked(choose_template(), [0, 2, 3], [1])
    options = f"Options:\nA: Casino{option_end(0)}\nB: Heat{option_end(1)}"
    assert questions.prompts() == Prompts(
        INSTRUCTION, [f"History: The Godfather; Fargo\n{options}", f"History: Heat\n{options}"]
    )


def test_a_user_is_the_history_alone_and_an_item_one_of_its_own() -> None:
    users = Questions(choose_template(), ITEMS, ["u0"], np.array([[0, 3]]))
    assert users.prompts() == Prompts(INSTRUCTION, ["History: The Godfather; Fargo"])
    items = Questions.of_items(choose_template(), ITEMS, ["i1", "i2", "i3", "i4", "i5"])
    assert items.prompts().bodies == [
        "History: The Godfather",
        "History: Heat",
        "",
        "History: Fargo",
        "History: Casino",
    ]


def test_a_template_of_ones_own_reads_years_and_columns(tmp_path: Path) -> None:
    mine = template(
        tmp_path, "Pick.{{ graph }}{% for item in history %}{{ item.year }} {{ item['class'] }}{% endfor %}"
    )
    assert question(mine, [ITEMS[1]], []) == Rendered("Pick.", "1995 Crime")
    with pytest.raises(PromptError, match=r"mine\.j2:1: .*no.*'class'.*asked about 'u0'"):
        asked(mine, [3]).prompts()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pick. {{ options }}", "is in 0 places; accepted: one"),
        ("{{ graph }} {{ graph }} {{ options }}", "is in 2 places; accepted: one"),
    ],
)
def test_the_graph_has_one_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        question(template(tmp_path, text), [ITEMS[0]], [])


def test_what_stands_before_the_graph_is_the_same_for_all(tmp_path: Path) -> None:
    mine = template(tmp_path, "{{ history[0].title }}{{ graph }}{{ options }}")
    with pytest.raises(PromptError, match="'Heat' for 'u0' and 'Fargo' for 'u2'; put what differs after it"):
        asked(mine, [1], [1], [3]).prompts()


def test_more_options_than_letters_are_refused() -> None:
    assert question(choose_template(), [], [ITEMS[1]] * 26).body.endswith(f"\nZ: Heat{option_end(25)}")
    with pytest.raises(PromptError, match="27 options have no letters; accepted: up to 26"):
        question(choose_template(), [], [ITEMS[1]] * 27)


def test_what_a_template_lacks_is_known_before_anything_is_asked(tmp_path: Path) -> None:
    assert not list(complaints(choose_template(), facts=True))
    mine = template(tmp_path, "{{ histroy }} {{ options }}")
    unknown, graph, facts = sorted(complaints(mine, facts=True), key=lambda said: "'facts'" in said)
    assert "unknown name 'histroy'; did you mean 'history'?" in unknown
    assert graph == f"{mine.path} does not have {{{{ graph }}}}, where the graph's tokens go"
    assert facts == f"{mine.path} does not read 'facts', so that it would say nothing of the graph"


# A template whose body has one token a character: "0123" of four items, and "|" before its options.
SHORT = (
    "P{{ graph }}{% for item in history %}{{ item.title }}{% endfor %}|"
    "{% for one in options %}{{ one.letter }}{% endfor %}"
)
DIGITS = prompt_items(list(LETTERS[:10]), [str(number) for number in range(10)], {})


def digits(using: PromptTemplate, *histories: list[int]) -> Questions:
    """Users who choose among two, so that four items are the 7 tokens `0123|AB`."""
    return Questions(using, DIGITS, ["u0", "u1"], np.array(histories), np.array([[0, 1]] * len(histories)))


def fit(
    questions: Questions, context: int, truncate: bool = False, around: tuple[int, int] = (3, 3), **more: bool
) -> Fitted:
    """Fitted between "<s>P\\n" and "\\nAnswer:", 3 and 8 tokens."""
    tokenizer = characters()
    prompts = questions.prompts()
    layout = layout_of(tokenizer, prompts.instruction)
    return fitted(questions, prompts, tokenizer, layout, np.array(around), context, truncate, **more)


def test_what_fits_is_left_as_it_is(tmp_path: Path) -> None:
    questions = digits(template(tmp_path, SHORT), [0, 1, 2, 3], [4, 5, -1, -1])
    # 3 head, 3 of the graph and the answer, 7 body, 8 tail.
    found = fit(questions, 3 + 3 + 7 + 8)
    assert [text_of(characters(), ids) for ids in found.ids] == ["0123|AB", "45|AB"]
    assert (found.shortened, found.items_left_out) == (0, 0)


def test_what_does_not_fit_is_told_with_its_tokens(tmp_path: Path) -> None:
    questions = digits(template(tmp_path, SHORT), [4, 5, -1, -1], [0, 1, 2, 3])
    said = "the prompt of 'u1' takes 21 tokens, and the language model reads 20; shorten histories, or truncate_history"
    with pytest.raises(PromptTooLong, match=said):
        fit(questions, 20)


def test_a_history_that_is_too_long_loses_its_oldest_items_and_no_more(tmp_path: Path) -> None:
    questions = digits(template(tmp_path, SHORT), [0, 1, 2, 3], [4, 5, 6, -1])
    # Of 20 tokens 3 + 8 are taken; u0 has room for 20 - 11 - 3 = 6, and u1 for 20 - 11 - 4 = 5.
    found = fit(questions, 20, truncate=True, around=(3, 4))
    assert [text_of(characters(), ids) for ids in found.ids] == ["123|AB", "56|AB"]
    assert (found.shortened, found.items_left_out) == (2, 2)


def test_a_prompt_that_is_too_long_without_any_history_is_told(tmp_path: Path) -> None:
    questions = digits(template(tmp_path, SHORT), [0, 1, 2, 3], [4, -1, -1, -1])
    # Without a history the body is `|AB`: 3 + 3 + 3 + 8.
    assert [len(ids) for ids in fit(questions, 17, truncate=True).ids] == [3, 3]
    with pytest.raises(PromptTooLong, match="'u1' takes 17 tokens, and the language model reads 16; even without"):
        fit(questions, 16, truncate=True)


def test_a_title_that_looks_like_a_special_token_is_text(tmp_path: Path) -> None:
    odd = prompt_items(["a"], ["</s>"], {})
    questions = Questions(template(tmp_path, SHORT), odd, ["u0"], np.array([[0]]), None)
    (ids,) = fit(questions, 99).ids
    assert characters().convert_ids_to_tokens(ids) == ["<", "/", "s", ">", "|"]


@pytest.mark.parametrize("mark", ["", "{{ one.end }}"])
def test_the_end_of_an_option_is_marked_and_is_no_text(tmp_path: Path, mark: str) -> None:
    text = "P{{ graph }}{% for one in options %}|{{ one.item.title }}{{ one.letter }}" + mark + "{% endfor %}."
    found = fit(digits(template(tmp_path, text), [0, 1], [2, 3]), 99, reads_ends=True)
    # Three tokens an option; the last one of each is its letter.
    assert [text_of(characters(), ids) for ids in found.ids] == ["|0A|1B."] * 2
    assert found.ends == [[2, 5] if mark else []] * 2
    unread = fit(digits(template(tmp_path, text), [0, 1], [2, 3]), 99)
    assert (unread.ids, unread.ends) == (found.ids, [[], []])


def test_an_option_has_its_own_end_wherever_a_template_puts_it(tmp_path: Path) -> None:
    text = (
        "P{{ graph }}{% for one in options | reverse %}|{{ one.item.title }}{{ one.letter }}{{ one.end }}{% endfor %}"
    )
    found = fit(digits(template(tmp_path, text), [0, 1], [2, 3]), 99, reads_ends=True)
    assert [text_of(characters(), ids) for ids in found.ids] == ["|1B|0A"] * 2
    # A ends at the sixth token and B at the third.
    assert found.ends == [[5, 2]] * 2


def test_ends_move_with_what_a_history_has_lost(tmp_path: Path) -> None:
    marked = template(tmp_path, SHORT.replace("{{ one.letter }}", "{{ one.letter }}{{ one.end }}"))
    questions = digits(marked, [0, 1, 2, 3], [4, 5, -1, -1])
    # `0123|AB`, `45|AB`: without a limit, and with 3 + 3 + 8 tokens around it and room for five, which leaves `23|AB`.
    assert fit(questions, 99, reads_ends=True).ends == [[5, 6], [3, 4]]
    assert fit(questions, 3 + 3 + 8 + 5, truncate=True, reads_ends=True).ends == [[3, 4], [3, 4]]


def test_a_template_for_options_that_are_read_at_their_ends_has_to_mark_them(tmp_path: Path) -> None:
    unmarked = template(tmp_path, SHORT)
    assert list(complaints(unmarked)) == []
    (said,) = complaints(unmarked, ends=True)
    assert said == (
        f"{unmarked.path} does not tell where an option ends, which read_at: options asks for; "
        "put {{ option.end }} behind its title and letter"
    )
    assert list(complaints(choose_template(), ends=True)) == []

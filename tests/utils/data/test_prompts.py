"""Templates of prompts: what they read, what they may not, and where their mistakes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.data.facts import Row
from utils.data.prompts import PromptError, PromptTemplate, read_template

ITEM = Row("an item", {"item_id": "1", "movie_title": "Toy Story", "year of release": "1995"}, ("movie_title",))


def _template(tmp_path: Path, text: str) -> PromptTemplate:
    path = tmp_path / "prompt.j2"
    path.write_text(text, "utf-8")
    return read_template(path)


def _refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(PromptError) as caught:
        _template(tmp_path, text).render({"item": ITEM, "n_ratings": 3, "mean_rating": None})
    return str(caught.value).replace(str(tmp_path / "prompt.j2"), "FILE")


def test_a_prompt_is_rendered_without_white_space_around_it(tmp_path: Path) -> None:
    text = "\n{% for name, value in item %}\n{{ name }}: {{ value }}\n{% endfor %}\n{{ item['year of release'] }}\n\n"
    assert _template(tmp_path, text).render({"item": ITEM}) == "movie_title: Toy Story\n1995"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Title:\n{{ item.movie_titel }}",
            "FILE:2: an item has no 'movie_titel'; did you mean 'movie_title'? "
            "(fields: item_id, movie_title, year of release)",
        ),
        (
            "{{ item['year'] }}",
            "FILE:1: an item has no 'year' (fields: item_id, movie_title, year of release)",
        ),
        ("\n\n{{ itm.movie_title }}", "FILE:3: 'itm' is undefined"),
        ("{{ mean_rating | round(1) }}", "FILE:1: type NoneType doesn't define __round__ method"),
        ("\n{{ n_ratings / 0 }}", "FILE:2: division by zero"),
        ("a\n{% if item %}\nb", "FILE:3: Unexpected end of template"),
        ("{{ item | shout }}", "FILE:1: No filter named 'shout'."),
        ("{{ item | random }}", "FILE:1: No filter named 'random'."),
        ("{% include 'other.j2' %}", "FILE: a prompt is one file; it cannot include, import or extend another"),
        ("{% import other as o %}", "FILE: a prompt is one file; it cannot include, import or extend another"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert _refusal(tmp_path, text).startswith(said)


@pytest.mark.parametrize("text", ["{{ item.__class__ }}", "{{ item._values }}", "{{ ''.__class__.__mro__ }}"])
def test_a_template_cannot_leave_its_sandbox(tmp_path: Path, text: str) -> None:
    assert "unsafe" in _refusal(tmp_path, text)


def test_a_name_from_outside_is_known_before_anything_is_rendered(tmp_path: Path) -> None:
    template = _template(tmp_path, "{% set mine = 1 %}{{ mine }}\n{{ range(3) }}{{ itm.title }}\n{{ x }}{{ item.a }}")
    assert template.names == {"itm", "x", "item"}
    assert template.unknown_names({"item", "n_ratings"}) == [
        f"{template.path}:2: unknown name 'itm'; did you mean 'item'? (known: item, n_ratings)",
        f"{template.path}:3: unknown name 'x' (known: item, n_ratings)",
    ]


@pytest.mark.parametrize(
    ("text", "interactions", "facts"),
    [
        ("{{ item.title }}", False, False),
        ("{{ n_ratings }}", True, False),
        ("{{ user.age }} {{ liked }}", True, False),
        ("{{ facts }}", False, True),
        ("{% for item in history %}{{ item.facts }}{% endfor %}", True, True),
    ],
)
def test_what_a_template_reads_is_known(tmp_path: Path, text: str, interactions: bool, facts: bool) -> None:
    template = _template(tmp_path, text)
    assert (template.reads_interactions, template.reads_facts) == (interactions, facts)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"none\.j2 cannot be read: No such file or directory"):
        read_template(tmp_path / "none.j2")

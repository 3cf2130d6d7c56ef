"""Which two titles name one work: by words and year, whatever the article's place, the accents or the brackets."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

# What lists put after a comma, so that "Godfather, The" stands under G.
_ARTICLES = (
    "the a an le la les l' un une des el los las lo il i gli uno una o os as um uma "
    "der die das den dem ein eine het een de det en ett"
).split()
_LAST_ARTICLE = re.compile(rf"^(.+),\s+({'|'.join(_ARTICLES)})$", re.IGNORECASE)
_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_BRACKETS = re.compile(r"\s*\(([^()]*)\)")
_SUBTITLE = re.compile(r":\s+|\s+-\s+")
# Letters that no decomposition turns into plain ones.
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "&": " and "}
)


@dataclass(frozen=True)
class Titled:
    """Something with a title and the year it came out in, "" where that is not known."""

    key: str
    title: str
    year: str = ""


def split_year(title: str) -> tuple[str, str]:
    """("Toy Story", "1995") of "Toy Story (1995)"; the year is "" where the title ends in none."""
    found = _YEAR.search(title)
    return (title[: found.start()].strip(), found[1]) if found else (title.strip(), "")


def readable(title: str) -> str:
    """A title as it is said: "The Godfather" for "Godfather, The", within brackets too."""
    plain = _BRACKETS.sub(lambda inner: f" ({_article_first(inner[1])})", title)
    bracket = plain.find(" (")
    head, rest = (plain, "") if bracket < 1 else (plain[:bracket], plain[bracket:])
    return _article_first(head) + rest


def match_titles(wanted: Iterable[Titled], known: Iterable[Titled]) -> dict[str, str]:
    """Key of what is wanted -> key of the known one that it names; what has no match, or two equal ones, is left out.

    The rules are tried from the surest to the weakest: the same title, another title in brackets, a subtitle that one
    side lacks. Within a rule the same year goes before the year next to it, which premieres and lists disagree on; a
    subtitle may only be missing in the same year. Where a year is not known, any year will do.
    The first rule that finds anything decides, and it decides for none where it finds two.
    """
    tables = [_Table(rule, known_ones) for known_ones in [list(known)] for rule in _RULES]
    matches = {}
    for one in wanted:
        for table in tables:
            found = table.nearest(one)
            if found:
                if len(found) == 1:
                    matches[one.key] = found.pop()
                break
    return matches


@dataclass(frozen=True)
class _Rule:
    """Which names of both sides are compared, and how many years apart they may be."""

    of_wanted: Callable[[str], set[str]]
    of_known: Callable[[str], set[str]]
    years_apart: int


class _Table:
    """The known ones by one rule's names."""

    def __init__(self, rule: _Rule, known: Iterable[Titled]) -> None:
        self._rule = rule
        self._by_name: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for one in known:
            title, year = _title_and_year(one)
            for name in rule.of_known(title):
                self._by_name[name].add((year, one.key))

    def nearest(self, one: Titled) -> set[str]:
        """Keys of the known ones with one of its names and the nearest year."""
        title, year = _title_and_year(one)
        named = {entry for name in self._rule.of_wanted(title) for entry in self._by_name.get(name, ())}
        for apart in range(self._rule.years_apart + 1):
            found = {key for other, key in named if _years_apart(year, other) == apart}
            if found:
                return found
        return set()


def _title_and_year(one: Titled) -> tuple[str, str]:
    title, year = split_year(one.title)
    return title, one.year.strip() or year


def _years_apart(one: str, other: str) -> float:
    """0 where either is not known; infinity where one is no year."""
    if not one or not other:
        return 0
    try:
        return abs(float(one) - float(other))
    except ValueError:
        return float("inf")


def _main(title: str) -> set[str]:
    """Its name without brackets."""
    return _folded({_BRACKETS.sub("", title) or title})


def _all(title: str) -> set[str]:
    """Its name without brackets, with them, and what stands within each."""
    return _main(title) | _folded({re.sub(r"[()]", " ", title), *_BRACKETS.findall(title)})


def _short(title: str) -> set[str]:
    """What stands before the subtitle; nothing where there is none."""
    plain = _BRACKETS.sub("", title)
    parts = _SUBTITLE.split(plain)
    return _folded({parts[0]}) if len(parts) > 1 else set()


_RULES = (
    _Rule(_main, _main, 1),
    _Rule(_all, _all, 1),
    _Rule(_all, _short, 0),
    _Rule(_short, _all, 0),
)


def _article_first(title: str) -> str:
    found = _LAST_ARTICLE.match(title.strip())
    if not found:
        return title.strip()
    return found[2] + ("" if found[2].endswith("'") else " ") + found[1]


def _folded(titles: Iterable[str]) -> set[str]:
    """Titles as letters and digits alone: spaces, case, accents and punctuation do not count."""
    folded = set()
    for title in titles:
        plain = _article_first(title).casefold().translate(_LETTERS)
        letters = "".join(c for c in unicodedata.normalize("NFKD", plain) if c.isalnum())
        if letters:
            folded.add(letters)
    return folded

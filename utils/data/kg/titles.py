"""Which two titles name one work: by name and year, whatever the article's place, the accents or the brackets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from utils.data.kg.title_names import bracketed, exact, loose, misspelt, partial, readable, series

__all__ = ["Titled", "match_titles", "readable", "split_year"]

_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")


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


@dataclass(frozen=True)
class Rule:
    """Which names of both sides are compared, and how many years they are apart.

    weak: needs both years, and leaves alone what a surer rule has given away.
    """

    wanted: Callable[[str], set[str]]
    known: Callable[[str], set[str]]
    years_apart: int = 0
    weak: bool = True


RULES = (
    Rule(exact, exact, weak=False),
    Rule(bracketed, bracketed, weak=False),
    Rule(exact, exact, years_apart=1),
    Rule(bracketed, bracketed, years_apart=1),
    Rule(loose, loose),
    Rule(series, series),
    Rule(loose, partial),
    Rule(partial, loose),
    Rule(misspelt, misspelt),
)


def match_titles(wanted: Iterable[Titled], known: Iterable[Titled], rules: Sequence[Rule] = RULES) -> dict[str, str]:
    """Key of what is wanted -> key of the known one that it names; what has no match, or two equal ones, is left out.

    `rules` are tried from the surest to the weakest, and the first that finds anything decides; where it finds two,
    none is taken. The same year goes before the year next to it, since premieres and lists disagree by one; names that
    are only alike must be of the same year. Two of those wanted may name one known, but a weak rule gives none away
    that a surer one gave to another. Where a year is not known, any will do, but for the weak rules.
    """
    known, left = list(known), list(wanted)
    matches: dict[str, str] = {}
    for rule in rules:
        named = _named(rule, known)
        taken = set(matches.values()) if rule.weak else set()
        unmatched = []
        for one in left:
            found = _find(one, rule, named) - taken
            if len(found) == 1:
                matches[one.key] = found.pop()
            elif not found:
                unmatched.append(one)
        left = unmatched
    return matches


def _named(rule: Rule, known: Iterable[Titled]) -> dict[str, list[tuple[int | None, str]]]:
    """Name -> year and key of all that have it."""
    named = defaultdict(list)
    for one in known:
        title, year = _title_and_year(one)
        for name in rule.known(title):
            named[name].append((year, one.key))
    return named


def _find(one: Titled, rule: Rule, named: dict[str, list[tuple[int | None, str]]]) -> set[str]:
    """Keys of the known ones that share a name with it, in years as far apart as the rule says."""
    title, year = _title_and_year(one)
    alike = (entry for name in rule.wanted(title) for entry in named.get(name, ()))
    return {key for other, key in alike if _agree(year, other, rule)}


def _title_and_year(one: Titled) -> tuple[str, int | None]:
    """The year of its own column, else the one that its title ends in."""
    title, in_title = split_year(one.title)
    for year in (one.year, in_title):
        try:
            return title, int(float(year))
        except (ValueError, OverflowError):
            continue
    return title, None


def _agree(one: int | None, other: int | None, rule: Rule) -> bool:
    if one is None or other is None:
        return not rule.weak
    return abs(one - other) == rule.years_apart

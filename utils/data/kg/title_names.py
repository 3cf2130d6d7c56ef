"""What a title may be called: the forms in which two lists write the name of one work, folded so that they are equal.

Every function returns folded names: letters and digits alone, so that case, accents, spaces and punctuation do not
count. `exact` are the surest forms, `misspelt` the weakest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ARTICLES = (
    *("the", "a", "an"),
    *("le", "la", "les", "l'", "un", "une", "des"),
    *("el", "los", "las", "lo", "il", "i", "gli", "uno", "una", "o", "os", "as", "um", "uma"),
    *("der", "die", "das", "den", "dem", "ein", "eine", "het", "een", "de", "det", "en", "ett"),
)
# What lists put after a comma, so that "Godfather, The" stands under G.
_LAST_ARTICLE = re.compile(rf"^(.+),\s+({'|'.join(_ARTICLES)})$", re.IGNORECASE)
_BRACKETS = re.compile(r"\s*\(([^()]*)\)")
_ALSO_KNOWN_AS = re.compile(r",?\s*a\.?k\.?a\.?\s+|/", re.IGNORECASE)
_OR = re.compile(r",?\s+or[:,]\s+", re.IGNORECASE)
_SUBTITLE = re.compile(r"(?::|\s[-–—])\s+")
_POSSESSIVE = re.compile(r"^.+?['’]s\s+")
_PART = re.compile(r" part (?=\d)")
# Letters that no decomposition turns into plain ones, and signs that are said as a word.
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "&": " and ", "+": " and "}
)
_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ROMAN = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_WRITTEN = {
    **{word: str(number) for number, word in enumerate(_UNITS)},
    **{word: str(number) for number, word in enumerate(_ROMAN, start=2)},
    "doctor": "dr",
}
# Below this length, one letter more or less makes another title: "Dave" is not "Cave".
_LONG = 10


def article_first(title: str) -> str:
    """The article at the front where a list has it after a comma: "The Godfather" for "Godfather, The"."""
    found = _LAST_ARTICLE.match(title.strip())
    if not found:
        return title.strip()
    return found[2] + ("" if found[2].endswith("'") else " ") + found[1]


def readable(title: str) -> str:
    """A title as it is said: "The Godfather" for "Godfather, The", within brackets too."""
    plain = _BRACKETS.sub(lambda inner: f" ({article_first(inner[1])})", title).strip()
    head, bracket, rest = plain.partition(" (")
    return article_first(head) + bracket + rest


def exact(title: str) -> set[str]:
    """The title without what stands in brackets."""
    return {_fold(_outside(title))} - {""}


def bracketed(title: str) -> set[str]:
    """The title with and without its brackets, and each title in them, "Seven (Se7en)", or on either side of "or:"."""
    return {_fold(name) for name in _titles(title)} - {""}


def loose(title: str) -> set[str]:
    """The same with numbers as digits, without a leading article or "Part": "12 Monkeys", "Karate Kid Part III"."""
    return _loose(_titles(title))


def partial(title: str) -> set[str]:
    """What is left without a subtitle, without what a subtitle belongs to, or without whose it is.

    "Star Wars" and "A New Hope" of "Star Wars: A New Hope"; "Demon Knight" of "Tales from the Crypt: Demon Knight";
    "The Puppet Masters" of "Robert A. Heinlein's The Puppet Masters".
    """
    plain = article_first(_outside(title))
    parts = _SUBTITLE.split(plain)
    owned = _POSSESSIVE.sub("", plain)
    return _loose([*_ends(parts), *([owned] if owned != plain else [])])


def series(title: str) -> set[str]:
    """The first word and the subtitle: of "Star Trek: The Wrath of Khan" as of "Star Trek II: The Wrath of Khan"."""
    parts = _SUBTITLE.split(article_first(_outside(title)))
    return _loose([f"{' '.join(_words(parts[0])[:1])} {parts[-1]}"]) if len(parts) > 1 else set()


def misspelt(title: str) -> set[str]:
    """Long titles with each of their letters left out in turn: two that differ by a letter have one of these in common.

    Digits stay, since "Part 2" is no slip of the pen for "Part 3".
    """
    names = {name for name in loose(title) if len(name) >= _LONG}
    return names | {
        name[:place] + name[place + 1 :] for name in names for place, letter in enumerate(name) if letter.isalpha()
    }


def _outside(title: str) -> str:
    return _BRACKETS.sub("", title).strip() or title


def _titles(title: str) -> list[str]:
    inside = [name for text in _BRACKETS.findall(title) for name in _ALSO_KNOWN_AS.split(text)]
    outside = _outside(title)
    return [outside, *_OR.split(outside), re.sub(r"[()]", " ", title), *inside]


def _ends(parts: list[str]) -> list[str]:
    """Every beginning and every end of a title in parts, but not the whole."""
    cuts = range(1, len(parts))
    return [" ".join(parts[:cut]) for cut in cuts] + [" ".join(parts[cut:]) for cut in cuts]


def _fold(title: str) -> str:
    return "".join(_words(title))


def _loose(titles: Iterable[str]) -> set[str]:
    folded = set()
    for title in titles:
        words = [_WRITTEN.get(word, word) for word in _words(title)]
        if len(words) > 1 and words[0] in _ARTICLES:
            words = words[1:]
        folded.add(_PART.sub(" ", " ".join(words)).replace(" ", ""))
    return folded - {""}


def _words(title: str) -> list[str]:
    plain = article_first(title).casefold().translate(_LETTERS)
    letters = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c) and c not in "'’")
    return re.findall(r"[^\W_]+", letters)

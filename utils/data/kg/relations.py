"""What relations say: `film.film.directed_by` is "director" from a film to a person, "director of" the other way."""

from __future__ import annotations

import re

# Freebase's relations of films, and the relations that say the same from the other end. Along the first of each line
# a film says the first phrase of what it leads to; what it leads to says the second of the film.
_ROLES: tuple[tuple[str, str | None, str, str], ...] = (
    ("film.film.actor", "film.actor.film", "actor", "actor of"),
    ("film.film.award_nomination", None, "award nomination", "award nomination of"),
    ("film.film.award_won", None, "award won", "award won by"),
    ("film.film.cinematography", "film.cinematographer.film", "cinematographer", "cinematographer of"),
    ("film.film.country", None, "country", "country of"),
    ("film.film.directed_by", "film.director.film", "director", "director of"),
    ("film.film.genre", "film.film_genre.films_in_this_genre", "genre", "genre of"),
    ("film.film.language", None, "language", "language of"),
    ("film.film.produced_by", "film.producer.film", "producer", "producer of"),
    ("film.film.production_companies", "film.production_company.films", "production company", "production company of"),
    ("film.film.rating", "film.content_rating.film", "content rating", "content rating of"),
    ("film.film.sequel", "film.film.prequel", "sequel", "prequel"),
    ("film.film.subjects", "film.film_subject.films", "subject", "subject of"),
    ("film.film.written_by", "film.writer.film", "writer", "writer of"),
)
_KNOWN = {along: (there, back) for along, _, there, back in _ROLES} | {
    reverse: (back, there) for _, reverse, there, back in _ROLES if reverse is not None
}

_WORDS = re.compile(r"[_\s]+|(?<=[a-z0-9])(?=[A-Z])")


def phrase(relation: str) -> str:
    """What a relation's token says of the tail, as a few words: `film.film.actor` is "actor".

    Relations that say the same from either end have one phrase for each way, whichever of them is read: a genre is
    "genre of" a film along `film.film_genre.films_in_this_genre`, and against `film.film.genre`. Any other relation
    says the last part of its token.
    """
    return _both(relation)[0]


def against(relation: str) -> str:
    """What a relation's token says of the head, read from the tail: "director of", "written" for "written by"."""
    return _both(relation)[1]


def _both(relation: str) -> tuple[str, str]:
    # Freebase's own files write `/film/film/actor`.
    known = _KNOWN.get(relation.strip("/").replace("/", "."))
    if known is not None:
        return known
    last = re.split(r"[./#]", relation.rstrip("./#"))[-1]
    words = " ".join(word for word in _WORDS.split(last) if word) or relation
    words = words if words.isupper() else words.lower()
    return words, _turned(words)


def _turned(words: str) -> str:
    if words.endswith(" by"):
        return words.removesuffix(" by")
    if words.endswith(" of"):
        return f"has {words.removesuffix(' of')}"
    return f"{words.removeprefix('has ')} of"

"""Make the graph of film facts, film-facts.kg.gz and film-facts.names.gz, from the package bokeh-sampledata.

    pip install bokeh-sampledata==2026.1
    python datasets/film-facts/build.py

The package's movies.db holds what Wikidata says of 17,472 films. README.md, beside this file, says what is changed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "bokeh-sampledata==2026.1"
# Column of the table -> (relation, kind of what it leads to).
COLUMNS = {
    "Director": ("director", "person"),
    "Writer": ("writer", "person"),
    "Cast": ("cast", "person"),
    "Genre": ("genre", "genre"),
    "Country": ("country", "country"),
    "Language": ("language", "language"),
}
# What follows a comma within a name: the table joins names by commas too.
_RANKS = "Earl|Marquess|Duke|Duchess|Prince|Princess|Count|Countess"
_SUFFIX = re.compile(
    r"Jr\.?|Sr\.?|I{2,3}|IV|PhD|Ltd\.|the Creator"
    rf"|(\d+(st|nd|rd|th) )?({_RANKS})( Consort)? of .+|\d+(st|nd|rd|th) Baron(et)?( .+)?"
)
# The last two names of a band or a firm of three, "Earth, Wind & Fire".
_LAST_TWO = re.compile(r"\w+ & \w+")
_NO_PERSON = re.compile(r"list of .+|art director|dialogue writer", re.IGNORECASE)
_NOT_THE_TITLE = re.compile(r"\s+\((\d{4} )?film\)$")

Film = tuple[str, str, dict[str, list[str]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of the two files; default: this one")
    folder = parser.parse_args().out
    films = list(read_films(database()))
    triples, names = graph(films)
    write(folder / "film-facts.kg.gz", "head_id:token\trelation_id:token\ttail_id:token", triples)
    write(folder / "film-facts.names.gz", "entity_id:token\tname:token_seq", names)
    print(f"{len(films):,} films, {len(names):,} entities, {len(triples):,} triples")
    for relation, kind in COLUMNS.values():
        there = [tail for _, name, tail in triples if name == relation]
        print(f"{relation}: {len(there):,} triples, {len(set(there)):,} entities of kind {kind}")


def database() -> Path:
    """Where the installed package has its films."""
    package = importlib.util.find_spec("bokeh_sampledata")
    if package is None or package.origin is None:
        sys.exit(f"the films come from a package that is not installed: pip install {PACKAGE}")
    return Path(package.origin).parent / "_data" / "movies.db"


def read_films(path: Path) -> Iterator[Film]:
    """(IMDb id, "Taxi Driver (1976)", column -> names) of each film.

    Where two rows have one IMDb id, a film and its later cut, the earlier one counts.
    """
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        rows = connection.execute(f'SELECT "imdbID", "Title", "Year", {columns} FROM omdb ORDER BY "Year", "ID"')
        seen = set()
        for key, title, year, *joined in rows:
            if key not in seen:
                seen.add(key)
                parts = {column: split_names(text or "") for column, text in zip(COLUMNS, joined, strict=True)}
                yield key, f"{_NOT_THE_TITLE.sub('', _one_space(title))} ({year})", parts
    finally:
        connection.close()


def split_names(joined: str) -> list[str]:
    """The names in "Robert Downey, Jr., Val Kilmer": two, since what follows a comma may belong to the name before."""
    names: list[str] = []
    for part in map(_one_space, joined.split(", ")):
        belongs = _SUFFIX.fullmatch(part) or (_LAST_TWO.fullmatch(part) and " " not in names[-1]) if names else None
        if belongs:
            names[-1] += f", {part}"
        elif part and not _NO_PERSON.fullmatch(part):
            names.append(part)
    return names


def graph(films: Iterable[Film]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Sorted (film, relation, entity) and (entity, name), each once.

    A person, a genre, a country and a language of one name are four entities, as `country/Georgia`.
    """
    triples, names = set(), set()
    for film, name, parts in films:
        names.add((film, name))
        for column, (relation, kind) in COLUMNS.items():
            for part in parts[column]:
                triples.add((film, relation, f"{kind}/{part}"))
                names.add((f"{kind}/{part}", part))
    return sorted(triples), sorted(names)


def write(path: Path, header: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Rows as packed tab-separated lines; the same rows give the same bytes, as no name or time is packed with them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([header, *("\t".join(row) for row in rows)]) + "\n"
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(text.encode("utf-8"))


def _one_space(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()

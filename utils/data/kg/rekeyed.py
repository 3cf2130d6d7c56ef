"""Links written in the item ids of another version of a dataset, put right by title and year."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from utils.data.facts import TITLE_COLUMNS, YEAR_COLUMNS
from utils.data.kg.files import KgError, column_names, read_columns
from utils.data.kg.titles import Titled, match_titles, split_year
from utils.registry import did_you_mean

# GroupLens' own file of films: `1::Toy Story (1995)::Animation|Comedy`, without a header.
_GROUPLENS_SUFFIX, _GROUPLENS_SEPARATOR = ".dat", "::"


def rekeyed(
    pairs: Iterable[tuple[str, str]], items: Iterable[Titled], link_items: Iterable[Titled]
) -> list[tuple[str, str]]:
    """(token of this dataset's item, entity token) for (token of the other version's item, entity token).

    items: of this dataset; link_items: of the version whose tokens `pairs` has. Each of `items` takes the entities of
    the other version's item with its title and year, and none where there is no such item or where two are equal.
    """
    entities: dict[str, list[str]] = defaultdict(list)
    for item, entity in pairs:
        entities[item].append(entity)
    same = match_titles(items, link_items)
    return [(item, entity) for item, other in same.items() for entity in entities.get(other, ())]


def read_titles(path: Path, item_field: str = "item_id") -> list[Titled]:
    """Items with their titles and years, of a RecBole `.item` file or of GroupLens' `movies.dat`; KgError otherwise.

    The title is the column movie_title, title or name, the year release_year or year, else what ends a title in
    brackets. Items without a title are left out.
    """
    there = column_names(path)
    if path.suffix == _GROUPLENS_SUFFIX:
        return _read_grouplens(path)
    title = next((column for column in TITLE_COLUMNS if column in there), None)
    if title is None:
        hint = did_you_mean(TITLE_COLUMNS[0], there)
        raise KgError(
            f"{path}, line 1: there is no column {', '.join(TITLE_COLUMNS[:-1])} or {TITLE_COLUMNS[-1]}{hint} "
            f"(columns: {', '.join(there)})"
        )
    year = next((column for column in YEAR_COLUMNS if column in there), None)
    texts = (title, year) if year else (title,)
    columns = read_columns(path, (item_field, *texts), may_be_empty=texts)
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return [_titled(*row) for row in rows if row[1]]


def _read_grouplens(path: Path) -> list[Titled]:
    items = []
    for number, line in enumerate(_grouplens_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        token, separator, rest = line.partition(_GROUPLENS_SEPARATOR)
        title = rest.partition(_GROUPLENS_SEPARATOR)[0]
        if not (token and separator and title):
            raise KgError(f"{path}, line {number}: got '{line[:40]}', not `1::Toy Story (1995)::Animation`")
        items.append(_titled(token, title))
    return items


def _grouplens_text(path: Path) -> str:
    # MovieLens-1M is Latin-1, in which every byte is a letter; MovieLens-10M is UTF-8, which says so when it is not.
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1")


def _titled(token: str, title: str, year: str = "") -> Titled:
    plain, within = split_year(title)
    return Titled(token, plain, year or within)

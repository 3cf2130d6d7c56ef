"""What is known about users and items, as a prompt's template sees it: files by column, the train part as lists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from utils.registry import did_you_mean

# Column names that datasets use for the same thing, the first that is there counts.
TITLE_COLUMNS = ("movie_title", "title", "name")
YEAR_COLUMNS = ("release_year", "year")
CLASS_COLUMNS = ("class", "genre", "genres", "categories", "category")
# RecBole's ml-100k.link: of the 1,567 rows that title and year can check, 3 name the right film.
_SHIPPED_LINK = "524dca2c3d62619688ab99b3ec53ea2acb9b64d38eafec3e02bdd0dc6bb7d948"


class FactsError(ValueError):
    """Files that do not hold what a prompt is to be written from."""


class Row:
    """One line of a file: `item.title`, `item['movie title']`, and in a loop (column, value) pairs without its id."""

    __slots__ = ("_told", "_values", "_what")

    def __init__(self, what: str, values: Mapping[str, Any], told: tuple[str, ...]) -> None:
        """`told`: the columns that a loop goes through."""
        self._what, self._values, self._told = what, values, told

    def __getattr__(self, name: str) -> Any:
        if name in Row.__slots__ or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, self._values[name]) for name in self._told)

    def with_values(self, **more: Any) -> Row:
        """The same row, which knows more."""
        return Row(self._what, {**self._values, **more}, self._told)

    def no_field(self, name: str) -> str:
        """What to say of a field that this row does not have."""
        known = list(self._values)
        return f"{self._what} has no '{name}'{did_you_mean(name, known)} (fields: {', '.join(known)})"


class Fact(NamedTuple):
    """What a knowledge graph says of an item: `director`, `John Lasseter`."""

    relation: str
    tail: str


@dataclass(frozen=True)
class Fields:
    """RecBole's names of the columns."""

    user: str
    item: str
    rating: str
    time: str

    @classmethod
    def of(cls, config: Any) -> Fields:
        """As RecBole's config names them."""
        return cls(*(config[f"{name}_FIELD"] for name in ("USER_ID", "ITEM_ID", "RATING", "TIME")))


def user_rows(frame: pd.DataFrame, fields: Fields) -> dict[str, Row]:
    """User token -> the columns of `<dataset>.user`."""
    return dict(_rows("a user", frame, fields.user))


def item_rows(frame: pd.DataFrame, fields: Fields) -> dict[str, Row]:
    """Item token -> the columns of `<dataset>.item`, with `title`, `year` and a list `genres` where it has such."""
    names = {
        name: next((column for column in columns if column in frame), None)
        for name, columns in (("title", TITLE_COLUMNS), ("year", YEAR_COLUMNS), ("genres", CLASS_COLUMNS))
    }
    rows = {}
    for token, row in _rows("an item", frame, fields.item):
        common = {name: row[column] for name, column in names.items() if column is not None}
        if "genres" in common:
            common["genres"] = common["genres"].split()
        rows[token] = row.with_values(**common)
    return rows


def _rows(what: str, frame: pd.DataFrame, key: str) -> Iterator[tuple[str, Row]]:
    if key not in frame:
        raise FactsError(f"there is no column '{key}'; columns: {', '.join(frame.columns)}")
    names = tuple(frame.columns)
    told = tuple(name for name in names if name != key)
    for values in frame.itertuples(index=False, name=None):
        row = Row(what, dict(zip(names, values, strict=True)), told)
        yield row[key], row


def user_facts(
    train: pd.DataFrame, users: Mapping[str, Row], items: Mapping[str, Row], fields: Fields, liked: float, most: int
) -> dict[str, dict[str, Any]]:
    """User token -> user, history, liked, disliked, n_ratings, mean_rating, for all who have a row or an interaction.

    train: interactions of the train part, as text. The lists hold `most` items each, the latest first (ties by item
    token), of those that `.item` describes. Rated `liked` or more is liked, less is disliked; without ratings
    every item is liked.
    """
    rated = fields.rating in train
    told: dict[str, dict[str, Any]] = {}
    grouped = dict(iter(latest_first(train, fields).groupby(fields.user, sort=False)))
    for user in {**users, **grouped}:
        own = grouped.get(user, train.iloc[:0])
        pairs = [(item, rating) for item, rating in _rated(own, fields) if item in items or not items]
        chosen = {
            "history": pairs,
            "liked": [pair for pair in pairs if not rated or (pair[1] is not None and pair[1] >= liked)],
            "disliked": [pair for pair in pairs if pair[1] is not None and pair[1] < liked],
        }
        told[user] = {
            "user": users.get(user) or Row("a user", {fields.user: user}, ()),
            **{name: [_seen(items, fields, *pair, rated) for pair in some[:most]] for name, some in chosen.items()},
            **_counted(own, fields),
        }
    return told


def item_facts(train: pd.DataFrame, items: Mapping[str, Row], fields: Fields) -> dict[str, dict[str, Any]]:
    """Item token -> item, n_ratings, mean_rating, and facts where its row has them."""
    grouped = dict(iter(train.groupby(fields.item, sort=False)))
    told = {}
    for token, row in items.items():
        facts = {"facts": row["facts"]} if hasattr(row, "facts") else {}
        told[token] = {"item": row, **facts, **_counted(grouped.get(token, train.iloc[:0]), fields)}
    return told


def latest_first(train: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """Interactions from the latest to the first.

    Ties in time, or all where there is no such column, are ordered by item token, so that the order does not depend
    on that of the file.
    """
    when = pd.to_numeric(train[fields.time]) if fields.time in train else 0.0
    return train.assign(_when=when).sort_values(["_when", fields.item], ascending=[False, True], kind="stable")


def _rated(rows: pd.DataFrame, fields: Fields) -> Iterator[tuple[str, float | int | None]]:
    ratings = rows[fields.rating] if fields.rating in rows else [""] * len(rows)
    return ((item, _number(rating)) for item, rating in zip(rows[fields.item], ratings, strict=True))


def _seen(items: Mapping[str, Row], fields: Fields, item: str, rating: float | int | None, rated: bool) -> Row:
    row = items.get(item) or Row("an item", {fields.item: item}, ())
    return row.with_values(rating=rating) if rated else row


def _counted(rows: pd.DataFrame, fields: Fields) -> dict[str, Any]:
    ratings = [rating for _, rating in _rated(rows, fields) if rating is not None]
    return {"n_ratings": len(rows), "mean_rating": sum(ratings) / len(ratings) if ratings else None}


def _number(text: str) -> float | int | None:
    """`5` rather than `5.0`, as a person writes it; None for what is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None if value != value else value


def with_graph(items: Mapping[str, Row], link: pd.DataFrame, graph: pd.DataFrame, names: GraphFields) -> dict[str, Row]:
    """The items with `facts`, what the triples that start at their entities say, in the order of the file."""
    for what, frame, needed in (
        (".link", link, (names.item, names.entity)),
        (".kg", graph, (names.head, names.relation, names.tail)),
    ):
        for name in needed:
            if name not in frame:
                columns = list(frame.columns)
                hint = did_you_mean(name, columns)
                raise FactsError(f"the {what} file has no column '{name}'{hint}; columns: {', '.join(columns)}")
    # A dict keeps the order and says each fact once.
    known: dict[str, dict[Fact, None]] = {}
    triples = zip(graph[names.head], graph[names.relation], graph[names.tail], strict=True)
    for head, relation, tail in triples:
        known.setdefault(head, {})[Fact(relation, tail)] = None
    entities: dict[str, list[str]] = {}
    for item, entity in zip(link[names.item], link[names.entity], strict=True):
        entities.setdefault(item, []).append(entity)
    return {
        token: row.with_values(facts=[fact for entity in entities.get(token, ()) for fact in known.get(entity, ())])
        for token, row in items.items()
    }


@dataclass(frozen=True)
class GraphFields:
    """Names of the columns of `.link` and `.kg`."""

    item: str
    entity: str = "entity_id"
    head: str = "head_id"
    relation: str = "relation_id"
    tail: str = "tail_id"


def refuse_shipped_link(path: Path) -> None:
    """FactsError for RecBole's own `.link` of ml-100k, which would tell of each film what is true of another."""
    if hashlib.sha256(path.read_bytes()).hexdigest() == _SHIPPED_LINK:
        raise FactsError(
            f"{path} is the file that RecBole ships; its item ids are those of MovieLens-1M, so that of the 1,567 rows "
            "that can be checked 3 name the right film; put a link file with ids of MovieLens-100K in its place"
        )

"""The graph of film facts that comes with the project: where its files lie, and which of its entities are films."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from utils.data.kg.titles import Titled, split_year

# What a scenario writes for the graph that is shipped, in place of a file of its own.
FILM_FACTS = "film-facts"

_FOLDER = Path(__file__).parents[3] / "datasets" / FILM_FACTS


def files() -> tuple[Path, Path]:
    """The graph's triples and its entities' names, as RecBole's `.kg` and as columns entity_id and name, packed."""
    return _FOLDER / f"{FILM_FACTS}.kg.gz", _FOLDER / f"{FILM_FACTS}.names.gz"


def films(names: Mapping[str, str]) -> list[Titled]:
    """The entities whose name is a title with a year, as "Taxi Driver (1976)"; those of any graph, not only of this."""
    titled = ((entity, *split_year(name)) for entity, name in names.items())
    return [Titled(entity, title, year) for entity, title, year in titled if title and year]

"""The graph of film facts that comes with the project, and the script that makes it."""

from __future__ import annotations

import gzip
import importlib.util
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from utils.data.kg import film_facts
from utils.data.kg.files import read_columns, read_graph, read_names
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.titles import Titled, match_titles
from utils.recbole_port.known_models import SHIPPED, shipped_dataset

FOLDER = film_facts.files()[0].parent
COLUMNS = ("ID", "imdbID", "Title", "Year", "Director", "Writer", "Cast", "Genre", "Country", "Language")


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return read_graph(film_facts.files()[0])


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    return read_names(film_facts.files()[1])


def _build() -> ModuleType:
    """The script as a module; its folder is no package."""
    spec = importlib.util.spec_from_file_location("build_film_facts", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _database(path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    """A table like the package's, with these rows of COLUMNS."""
    connection = sqlite3.connect(path)
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    connection.execute(f"CREATE TABLE omdb ({columns})")
    connection.executemany(f"INSERT INTO omdb VALUES ({', '.join('?' * len(COLUMNS))})", rows)
    connection.commit()
    connection.close()
    return path


def test_every_entity_has_a_name_and_every_film_a_year(graph: KnowledgeGraph, names: dict[str, str]) -> None:
    assert set(graph.entities) == set(names)
    films = {film.key for film in film_facts.films(names)}
    assert films == {entity for entity in graph.entities if entity.startswith("tt")}
    heads = {graph.entities[head] for head in set(graph.triples[:, 0].tolist())}
    assert heads <= films


def test_the_graph_says_who_directed_taxi_driver(graph: KnowledgeGraph, names: dict[str, str]) -> None:
    assert names["tt0075314"] == "Taxi Driver (1976)"
    film, director = graph.node_of["tt0075314"], graph.relations.index("director")
    told = graph.triples[(graph.triples[:, 0] == film) & (graph.triples[:, 1] == director)]
    assert [graph.entities[tail] for tail in told[:, 2]] == ["person/Martin Scorsese"]
    assert graph.relations == ("cast", "country", "director", "genre", "language", "writer")


def test_the_readme_counts_what_is_there(graph: KnowledgeGraph) -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    persons = sum(entity.startswith("person/") for entity in graph.entities)
    assert f"| all | {len(graph.triples):,} | {persons:,} persons, {len(graph):,} entities" in readme
    for place, relation in enumerate(graph.relations):
        told = graph.triples[graph.triples[:, 1] == place]
        row = f"| `{relation}` | {len(told):,} | {len(set(told[:, 2])):,} "
        assert row in readme
        assert readme.partition(row)[2].splitlines()[0].endswith(f"| {len(set(told[:, 0])):,} |")


def test_a_country_and_a_language_of_one_name_are_two_entities(tmp_path: Path) -> None:
    rows = [(1, "tt1", "Film", 1990, "Georgia", "", None, "", "Georgia", "Georgia")]
    triples, names = _build().graph(_build().read_films(_database(tmp_path / "movies.db", rows)))
    assert triples == [
        ("tt1", "country", "country/Georgia"),
        ("tt1", "director", "person/Georgia"),
        ("tt1", "language", "language/Georgia"),
    ]
    assert names[-1] == ("tt1", "Film (1990)")
    assert {name for _, name in names[:-1]} == {"Georgia"}


def test_of_two_rows_with_one_imdb_id_the_earlier_film_counts(tmp_path: Path) -> None:
    redux = (1, "tt0078788", "Apocalypse Now Redux", 2001, "", "", "", "", "", "")
    first = (2, "tt0078788", "Apocalypse Now (film)", 1979, "", "", "", "", "", "")
    films = list(_build().read_films(_database(tmp_path / "movies.db", [redux, first])))
    assert [(film, name) for film, name, _ in films] == [("tt0078788", "Apocalypse Now (1979)")]


@pytest.mark.parametrize(
    ("joined", "names"),
    [
        ("Robert Downey, Jr., Val Kilmer", ["Robert Downey, Jr.", "Val Kilmer"]),
        ("Leander Ward, 6th Earl of Dudley", ["Leander Ward, 6th Earl of Dudley"]),
        ("Sir Andrew Clark, 1st Baronet, Woody Allen", ["Sir Andrew Clark, 1st Baronet", "Woody Allen"]),
        ("Diana, Princess of Wales", ["Diana, Princess of Wales"]),
        ("Rainier III, Prince of Monaco", ["Rainier III, Prince of Monaco"]),
        ("Nigel Mansell, Princess Stéphanie of Monaco", ["Nigel Mansell", "Princess Stéphanie of Monaco"]),
        ("Earth, Wind & Fire, Frankie Howerd", ["Earth, Wind & Fire", "Frankie Howerd"]),
        ("Sid Caesar, Siegfried & Roy", ["Sid Caesar", "Siegfried & Roy"]),
        ("list of Harry Potter cast members, Emma Watson", ["Emma Watson"]),
        ("Philippe  Said", ["Philippe Said"]),
        ("", []),
        ("Jr.", ["Jr."]),
    ],
)
def test_what_follows_a_comma_goes_back_to_its_name(joined: str, names: list[str]) -> None:
    assert _build().split_names(joined) == names


def test_films_are_the_entities_whose_name_ends_in_a_year() -> None:
    names = {"a": "Taxi Driver (1976)", "b": "Martin Scorsese", "c": "(1976)", "d": "Seven (Se7en)"}
    assert film_facts.films(names) == [Titled("a", "Taxi Driver", "1976")]


def test_the_same_films_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        _build().write(tmp_path / name, "entity_id:token\tname:token_seq", [("tt1", "Amélie (2001)")])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert gzip.decompress((tmp_path / "one").read_bytes()).decode() == (
        "entity_id:token\tname:token_seq\ntt1\tAmélie (2001)\n"
    )


def test_the_script_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    build = _build()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install bokeh-sampledata==2026\.1"):
        build.database()


@pytest.mark.slow
def test_most_of_what_is_watched_in_ml_100k_has_a_film(names: dict[str, str]) -> None:
    columns = read_columns(
        shipped_dataset(SHIPPED) / f"{SHIPPED}.item", ("item_id", "movie_title", "release_year"), ("release_year",)
    )
    items = [Titled(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
    matches = match_titles(items, film_facts.films(names))
    assert len(items) == 1682
    assert len(matches) == 1421
    assert names[matches["50"]] == "Star Wars: Episode IV – A New Hope (1977)"


@pytest.mark.slow
def test_what_is_shipped_is_what_the_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("bokeh_sampledata") is None:
        pytest.skip("the films come from bokeh-sampledata, which is not installed")
    monkeypatch.setattr("sys.argv", ["build.py", "--out", str(tmp_path)])
    _build().main()
    for path in film_facts.files():
        # What is packed, as another release of zlib packs the same text in other bytes.
        assert gzip.decompress((tmp_path / path.name).read_bytes()) == gzip.decompress(path.read_bytes())

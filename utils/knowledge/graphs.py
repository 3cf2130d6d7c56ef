"""A run's knowledge graph: its files, the links to this dataset's items, and whether they can be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils.context import RunContext
from utils.data.kg.files import KgError, read_graph, read_link, read_names
from utils.data.kg.film_facts import FILM_FACTS
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.links import Links
from utils.data.kg.scope import within
from utils.data.kg.titles import Titled, match_titles, readable, split_year
from utils.paths import dataset_dir
from utils.recbole_port import known_models
from utils.recbole_port.known_models import SHIPPED
from utils.registry import did_you_mean
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.data.facts import Row

# What to do about links that look random, by whether a file gives them.
_ADVICE = {
    True: "The file is most likely written in the item ids of another version of the dataset, as is RecBole's own "
    "ml-100k.link (RecSysDatasets #130). Give link_ids_from, the .item file of that version, to match by title and "
    "year, or kg_file: film-facts without a link_file",
    False: "Items were linked by title and year; are the titles of the .item file those of its classes, and is this "
    "graph about them?",
}
OnBadLinks = Literal["error", "warn", "skip"]


@dataclass(frozen=True)
class GraphFiles:
    """Which files a graph is made of, by the names of the parameters that give them; `hops` as in `scope.within`."""

    kg_file: str
    link_file: str | None
    link_ids_from: str | None
    entity_names: str | None
    title_field: str | None
    hops: int | None


@dataclass(frozen=True)
class OpenGraph:
    """A graph and what a retrieval has to know beside it.

    names: entity token -> name, of those that have one. item_names [n_items]: `Taxi Driver (1976)`, empty where an
    item has no title. classes [n_items]: of each item, as its file has them. facts: for the record.
    """

    graph: KnowledgeGraph
    links: Links
    names: Mapping[str, str]
    item_names: Sequence[str]
    facts: Mapping[str, Any]


def find_file(settings: Mapping[str, Any], name: str) -> Path:
    """Where a file of that name lies: in the dataset's folder, or at that path. KgError where it is in neither.

    The dataset that RecBole ships is put into its folder by the first step that loads it; until then its files are
    found where they come from.
    """
    here = folder = dataset_dir(settings)
    if settings.get("dataset") == SHIPPED and not folder.exists():
        folder = known_models.shipped_dataset(SHIPPED)
    for path in (folder / name, Path(name)):
        if path.is_file():
            return path
    beside = sorted(path.name for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    there = f" (it holds {', '.join(beside)})" if beside else ""
    raise KgError(f"no file {name}, neither in {here}{there} nor as a path{did_you_mean(name, beside)}")


def files_elsewhere(settings: Mapping[str, Any], files: GraphFiles) -> Iterator[tuple[str, Path]]:
    """(parameter, path) of the files that do not lie in the dataset's folder; the shipped graph comes with the code."""
    for parameter in ("kg_file", "link_file", "link_ids_from", "entity_names"):
        name = getattr(files, parameter)
        if name is not None and name != FILM_FACTS and (path := find_file(settings, name)) == Path(name):
            yield parameter, path


def open_graph(ctx: RunContext, item_tokens: Sequence[str], files: GraphFiles, check: OnBadLinks) -> OpenGraph:
    """Read a run's graph and link it to its items; StepError at the parameter whose file is at fault."""
    rows = dataset_items(ctx)
    if files.title_field is not None and not rows:
        raise StepError("title_field", f"nothing reads it without the file {ctx.dataset_file('item')}")
    titles = [_titled(rows, token, files.title_field) for token in item_tokens]
    graph, names = _read(ctx, files)
    if not len(graph.triples):
        raise StepError("kg_file", f"{files.kg_file} has no triples")
    pairs, how = _pairs(ctx, files, titles, names)
    try:
        links = Links.of(pairs, graph, item_tokens)
    except KgError as error:
        raise StepError("link_file" if files.link_file else "kg_file", str(error)) from error
    # Of the whole graph: what lies beyond the hops is known.
    unknown_entities = links.unknown_entities
    if files.hops is not None:
        graph = within(graph, links.nodes, files.hops)
        links = Links.of(pairs, graph, item_tokens)
    classes = [getattr(rows.get(token), "genres", ()) for token in item_tokens]
    lift = _check_links(ctx, files, graph, links, classes, check) if check != "skip" else None
    facts = {
        "entities": len(graph),
        "relations": len(graph.relations),
        "triples": len(graph.triples),
        "items": len(item_tokens),
        "linked_items": int(links.linked.sum()),
        "linked_by": how,
        "links_to_unknown_items": links.unknown_items,
        "links_to_unknown_entities": unknown_entities,
        "graph_fingerprint": graph.fingerprint,
        "class_lift": lift,
    }
    return OpenGraph(graph, links, names, [_name(one) for one in titles], facts)


def _name(titled: Titled) -> str:
    """`Taxi Driver (1976)`, whether the year stands in the title or beside it."""
    title, year = split_year(titled.title)
    year = year or titled.year
    return f"{readable(title)} ({year})" if title and year else readable(title)


def _read(ctx: RunContext, files: GraphFiles) -> tuple[KnowledgeGraph, dict[str, str]]:
    """The graph, and the names that a file gives to its entities."""
    from utils.data.kg import film_facts

    shipped = files.kg_file == FILM_FACTS
    parameter = "kg_file"
    try:
        graph = read_graph(film_facts.files()[0] if shipped else find_file(ctx.settings, files.kg_file))
        parameter = "entity_names"
        names = read_names(film_facts.files()[1]) if shipped else {}
        if files.entity_names is not None:
            names |= read_names(find_file(ctx.settings, files.entity_names))
    except KgError as error:
        raise StepError(parameter, str(error)) from error
    return graph, names


def _pairs(
    ctx: RunContext, files: GraphFiles, titles: Sequence[Titled], names: Mapping[str, str]
) -> tuple[list[tuple[str, str]], str]:
    """(item token, entity token) of each link, and how they were found."""
    from utils.data.kg.film_facts import films
    from utils.data.kg.rekeyed import read_titles, rekeyed

    titled = [one for one in titles if one.title]
    if files.link_file is None:
        known = films(names)
        if not known or not titled:
            what = "the graph's entities have no names with a year" if titled else "this dataset's items have no titles"
            raise StepError("kg_file", f"items are linked by title and year, but {what}; give link_file")
        return _matched(tuple(titled), tuple(known)), "title and year"
    parameter = "link_file"
    try:
        item_field = ctx.recbole_config()["ITEM_ID_FIELD"]
        pairs = read_link(find_file(ctx.settings, files.link_file), item_field)
        if files.link_ids_from is None:
            return pairs, files.link_file
        parameter = "link_ids_from"
        theirs = read_titles(find_file(ctx.settings, files.link_ids_from), item_field)
    except KgError as error:
        raise StepError(parameter, str(error)) from error
    return rekeyed(pairs, titled, theirs), f"{files.link_file}, by the titles of {files.link_ids_from}"


@lru_cache(maxsize=2)
def _matched(titled: tuple[Titled, ...], known: tuple[Titled, ...]) -> list[tuple[str, str]]:
    """Links by title and year; kept for the next runs of a folder, since 17,000 films take about two seconds."""
    return list(match_titles(titled, known).items())


def _check_links(
    ctx: RunContext,
    files: GraphFiles,
    graph: KnowledgeGraph,
    links: Links,
    classes: Sequence[Sequence[str]],
    check: OnBadLinks,
) -> float | None:
    """How well the graph agrees with the items' classes, 1 for links that say nothing; None where it cannot be told."""
    from utils.data.kg.link_check import check_link

    found = check_link(graph, links, classes)
    if found is None:
        return None
    if found.looks_random:
        message = (
            f"the links look random: what the graph says of an item agrees with its class no better (lift "
            f"{found.lift:.2f}) than under shuffled links ({found.expected_low:.2f} to {found.expected_high:.2f}). "
            f"{_ADVICE[files.link_file is not None]}"
        )
        if check == "error":
            raise StepError(
                "link_file" if files.link_file is not None else "kg_file", f"{message} (link_check: warn goes on)"
            )
        ctx.console.line(f"        warning: {message}")
    return round(found.lift, 3)


def dataset_items(ctx: RunContext) -> dict[str, Row]:
    """Item token -> its row of the `.item` file; empty where there is no such file."""
    from utils.data.atomic import read_atomic
    from utils.data.facts import FactsError, Fields, item_rows

    config, path = ctx.recbole_config(), ctx.dataset_file("item")
    if not path.is_file():
        return {}
    try:
        return item_rows(read_atomic(path, config["field_separator"], config["encoding"] or "utf-8"), Fields.of(config))
    except FactsError as error:
        raise StepError(None, f"{path}: {error}") from error


def _titled(rows: Mapping[str, Row], token: str, title_field: str | None) -> Titled:
    row = rows.get(token)
    if row is None:
        return Titled(token, "", "")
    if title_field is None:
        return Titled(token, getattr(row, "title", ""), getattr(row, "year", ""))
    try:
        return Titled(token, row[title_field], getattr(row, "year", ""))
    except KeyError:
        raise StepError("title_field", row.no_field(title_field)) from None

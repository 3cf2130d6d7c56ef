"""Whether retrieval's costs grow with the graph and no faster: `python -m tests.bench.retrieval_growth [--quick]`.

Graphs are drawn: each item is the head of ten triples, and the tails are entities, half as many as items, of which few
are in most triples. Vectors are clustered and have 64 dimensions, so that a million items fit a common machine; every
size has a process of its own, on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar, get_args

import numpy as np
import pyarrow as pa
import torch
from pyarrow import csv

from tests.bench.memory import cost, in_own_process, peak_bytes
from utils.data.kg.files import read_columns
from utils.data.kg.graph import KnowledgeGraph
from utils.data.kg.links import Links
from utils.data.kg.texts import node_texts
from utils.retrieval.centres import centres
from utils.retrieval.inverted import Inverted
from utils.retrieval.nearest import nearest
from utils.retrieval.policy import selected
from utils.retrieval.propagation import Propagation, propagate
from utils.retrieval.rerank import rerank

ITEMS = (10_000, 100_000, 1_000_000)
TRIPLES_PER_ITEM, ITEMS_PER_USER, RELATIONS = 10, 10, 20
WIDTH, CLUSTERS, NOISE = 64, 1_000, 0.5
HISTORY, TOP_K, TOP_N = 10, 3, 5
# Exact search compares each item with every centre: a million of them would take hours.
MOST_ASKED = 10_000

T = TypeVar("T")


class Stage(NamedTuple):
    """What a part of the work took of each of its units: microseconds, and bytes at the peak."""

    name: str
    unit: str
    microseconds: float
    bytes: float


def write_graph(path: Path, n_items: int) -> None:
    """Write a `.kg` file; items are i0000000 and so on, entities e0000000."""
    rng = np.random.default_rng(n_items)
    n = n_items * TRIPLES_PER_ITEM
    columns = {
        "head": _tokens("i", np.arange(n) % n_items),
        "relation": _tokens("r", rng.integers(RELATIONS, size=n)),
        "tail": _tokens("e", (n_items // 2 * rng.random(n) ** 3).astype(np.int64)),
    }
    with path.open("wb") as file:
        # Arrow would put the names of columns in quotes.
        file.write(b"head_id:token\trelation_id:token\ttail_id:token\n")
        options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        csv.write_csv(pa.table(columns), file, options)


def _tokens(letter: str, numbers: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(letter, np.char.zfill(numbers.astype(str), 7)))


class Stages:
    """Does work, and keeps what each part of it took."""

    def __init__(self) -> None:
        self.done: list[Stage] = []
        self._seconds, self._peak_bytes = 0.0, 0

    def timed(self, name: str, unit: str, count: int, work: Callable[[], T]) -> T:
        """What the work returns."""
        spent = cost(work)
        self._seconds += spent.seconds
        self._peak_bytes = max(self._peak_bytes, peak_bytes())
        self.done.append(Stage(name, unit, 1e6 * spent.seconds / count, spent.bytes / count))
        return spent.result

    def whole(self, unit: str, count: int) -> Stage:
        """All work together, and the most that the process held meanwhile: Python, torch and all arguments too."""
        return Stage("whole process", unit, 1e6 * self._seconds / count, self._peak_bytes / count)


def stages(path: Path, n_items: int) -> list[Stage]:
    """What everything takes from the file to the centres of all users."""
    torch.set_num_threads(1)
    work = Stages()
    tokens = [f"i{number:07}" for number in range(n_items)]
    popularity = np.random.default_rng(0).integers(1, 1_000, n_items)
    graph = _read(work, path, n_items * TRIPLES_PER_ITEM)
    links = work.timed("Links.of", "item", n_items, lambda: Links.of(zip(tokens, tokens, strict=True), graph, tokens))
    may = _may_be_found(work, graph, links, tokens, popularity)
    generator = torch.Generator().manual_seed(0)
    nodes = _clustered(len(graph), generator)
    for how in get_args(Propagation):
        work.timed(f"propagate, {how}", "triple", len(graph.triples), partial(propagate, graph.adjacency, nodes, how))
    titles = nodes[links.link_nodes] + 0.02 * torch.randn(n_items, WIDTH, generator=generator)
    _retrieve(work, torch.nn.functional.normalize(titles, dim=1), nodes, may, popularity)
    return [*work.done, work.whole("triple", len(graph.triples))]


def _read(work: Stages, path: Path, n: int) -> KnowledgeGraph:
    columns = work.timed("read_columns", "triple", n, lambda: read_columns(path, ("head_id", "relation_id", "tail_id")))
    graph = work.timed("KnowledgeGraph.of", "triple", n, lambda: KnowledgeGraph.of(*columns))
    work.timed("adjacency", "triple", n, lambda: graph.adjacency)
    return graph


def _may_be_found(
    work: Stages, graph: KnowledgeGraph, links: Links, tokens: Sequence[str], popularity: np.ndarray
) -> np.ndarray:
    n, order = len(graph.triples), np.arange(len(tokens))
    describe = partial(
        node_texts, graph, links.link_indptr, links.link_nodes, tokens, popularity, order, names={}, max_titles=5
    )
    said = work.timed("node_texts", "triple", n, lambda: describe(named_text="name", missing_text="describe"))
    return work.timed("centres", "triple", n, lambda: centres(graph, links.link_nodes, said.texts, 2))


def _retrieve(work: Stages, titles: torch.Tensor, nodes: torch.Tensor, may: np.ndarray, popularity: np.ndarray) -> None:
    n_items, rng = len(titles), np.random.default_rng(1)
    n_users = n_items // ITEMS_PER_USER
    asked = titles[:MOST_ASKED]
    work.timed("nearest, exact", "item", len(asked), lambda: nearest(asked, nodes, may, TOP_K))
    index = work.timed("Inverted.of", "node", len(may), lambda: Inverted.of(nodes, may))
    work.timed("Inverted.search", "item", len(asked), lambda: index.search(asked, TOP_K))
    histories = rng.integers(n_items, size=(n_users, HISTORY)).astype(np.int32)
    order = np.arange(n_items)
    asking = work.timed("selected", "user", n_users, lambda: selected(histories, popularity, order, "per_user", 0.5))
    candidates = rng.choice(may, size=(n_users, asking.shape[1] * TOP_K))
    wanted = titles[torch.from_numpy(histories[:, 0]).long()]
    work.timed("rerank", "user", n_users, lambda: rerank(candidates, wanted, nodes, TOP_N))


def _clustered(n: int, generator: torch.Generator) -> torch.Tensor:
    """[n, WIDTH] rows of length 1 around CLUSTERS points."""
    middles = torch.randn(CLUSTERS, WIDTH, generator=generator)
    rows = middles[torch.randint(CLUSTERS, (n,), generator=generator)]
    rows += NOISE * torch.randn(n, WIDTH, generator=generator)
    return torch.nn.functional.normalize(rows, dim=1)


def measured(n_items: int) -> list[Stage]:
    """The stages of a size; its graph is written to a temporary file first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.kg"
        in_own_process(write_graph, path, n_items)
        return in_own_process(stages, path, n_items)


def table(sizes: Sequence[int], found: Sequence[Sequence[Stage]]) -> str:
    """Stages by sizes; growth is how many times a unit costs at the largest size what it costs at the smallest."""
    lines = [
        f"{'':20}{'per':>8}" + "".join(f"{f'{size:,} items':>24}" for size in sizes) + f"{'growth':>16}",
        f"{'':28}" + f"{'us':>12}{'bytes':>12}" * len(sizes) + f"{'us':>8}{'bytes':>8}",
    ]
    by_name = [{stage.name: stage for stage in size} for size in found]
    for name, first in by_name[0].items():
        there = [size.get(name) for size in by_name]
        shown = "".join(f"{'':24}" if one is None else f"{one.microseconds:>12.3f}{one.bytes:>12,.0f}" for one in there)
        last = [one for one in there if one is not None][-1]
        growth = (last.microseconds / first.microseconds, last.bytes / first.bytes if first.bytes else float("nan"))
        lines.append(f"{name:20}{first.unit:>8}{shown}" + "".join(f"{times:>8.1f}" for times in growth))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.retrieval_growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest graph, of ten million triples")
    given = parser.parse_args(arguments)
    sizes = ITEMS[:-1] if given.quick else ITEMS
    print(table(sizes, [measured(size) for size in sizes]))
    print(
        f"{TRIPLES_PER_ITEM} triples an item, {ITEMS_PER_USER} items a user, {WIDTH} dimensions; exact search compares "
        f"each item with every centre, faiss with a fixed share of them, so that what an item costs grows with the "
        f"graph; at most {MOST_ASKED:,} items are searched for"
    )


if __name__ == "__main__":
    main()

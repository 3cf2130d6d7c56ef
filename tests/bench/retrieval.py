"""Retrieval for all users of ml-100k against the released code's way: `python -m tests.bench.retrieval`.

`--kg-file` and `--link-file` are those of `retrieve_subgraph`. Both ways get the same index, histories and encoder, and
take turns in one process on one thread: the reference with a few users, RecBridge with all. How costs grow with the
graph, `tests.bench.retrieval_growth` tells.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from models.graph.batches import batch_of
from models.graph.subgraphs import Subgraphs
from models.llm import text_encoder
from models.llm.encoder_spec import EncoderSpec
from tests.bench.encoding import timed
from tests.bench.memory import in_own_process, peak_bytes
from tests.bench.reference_retrieval import Reference, all_cosines, products
from utils.retrieval.base import Index, Queries, Retrieved
from utils.retrieval.policy import selected
from utils.retrieval.retrievers.similarity import Similarity

TURNS, USERS_A_TURN, USERS_CHECKED = 5, 4, 50
THRESHOLD, TOP_N, MAX_NEIGHBORS, BATCH_SIZE = 0.5, 5, 64, 64
GOAL_TIMES, GOAL_S, GOAL_MIB = 500, 0.5, 1_024
# The reference's parts.
CHOOSING, MAKING = ("policy", "titles", "cosines", "histories", "re-ranking"), ("table of edges", "stars")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A graph's index, and users with what they ask: histories [S, L] as rows of items, texts and vectors of these."""

    index: Index
    item_names: list[str]
    histories: np.ndarray
    texts: list[str]
    vectors: torch.Tensor
    spec: EncoderSpec


def prepare(folder: Path, kg_file: str, link_file: str | None) -> None:
    """Encode what a `retrieve_subgraph` of ml-100k needs, and keep it in `folder`."""
    from tests.workspace import Workspace
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.knowledge import subgraphs
    from utils.knowledge.history_texts import history_texts

    torch.set_num_threads(1)
    # Vector files lie beside where a user stands.
    os.chdir(folder)
    ctx = Workspace(folder).context(dataset="ml-100k")
    asked = RetrieveSubgraph(kg_file=kg_file, link_file=link_file, graph_hops=1)
    ready = subgraphs.prepare(ctx, asked)
    names, items = list(ready.opened.item_names), ready.histories.items
    titles = [subgraphs.titles_of(ready, history) for history in items]
    texts, _ = history_texts(ctx, titles, asked.rerank_query, ready.spec)
    asking, _ = subgraphs.queries(ctx, asked, ready)
    vectors = asking.vectors
    _path(folder).write_bytes(pickle.dumps(Case(ready.index, names, items, texts, vectors, ready.spec)))


def load(folder: Path) -> Case:
    """What `prepare` kept."""
    case: Case = pickle.loads(_path(folder).read_bytes())
    return case


def _path(folder: Path) -> Path:
    return folder / "case.pickle"


def retrieve(case: Case) -> Retrieved:
    """The centres of all users."""
    items = case.index.items
    asking = selected(case.histories, items.popularity, items.token_order, "per_user", THRESHOLD)
    return Similarity()(case.index, Queries(asking, case.vectors), TOP_N)


def peak(folder: Path) -> int:
    """Bytes of a whole process that loads an index and retrieves for all users."""
    torch.set_num_threads(1)
    retrieve(load(folder))
    return peak_bytes()


def stars(case: Case, retrieved: Retrieved) -> Any:
    """The stars of all users, each centre's once."""
    index = case.index
    around = index.graph.adjacency
    graph = Subgraphs(around.indptr, around.neighbours, around.relations, index.nodes, index.relations, MAX_NEIGHBORS)
    return batch_of(graph, torch.from_numpy(retrieved.centres))


def agreement(case: Case) -> int:
    """How many users have the same centres in both orders by either way, with every node a centre.

    Texts that are equal have equal vectors, and of those it is chance whose place the reference gives first; a little
    noise on all vectors decides it.
    """
    generator = torch.Generator().manual_seed(0)

    def untied(vectors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(vectors + 0.01 * torch.randn(vectors.shape, generator=generator), dim=1)

    index = case.index
    assert index.propagated is not None
    nodes, propagated = untied(index.nodes), untied(index.propagated)
    index = replace(index, nodes=nodes, propagated=propagated, centres=np.arange(len(index.graph), dtype=np.int32))
    ours = retrieve(replace(case, index=index)).centres
    reference = Reference(index, index.items.vectors.__getitem__, THRESHOLD, n=TOP_N)
    return sum(
        [[node for node in slot if node >= 0] for slot in ours[user].tolist()]
        == reference.centres(_history(case, user), partial(case.vectors.__getitem__, user))
        for user in range(USERS_CHECKED)
    )


def _history(case: Case, user: int) -> list[int]:
    rows: list[int] = case.histories[user][case.histories[user] >= 0].tolist()
    return rows


def turn(case: Case, number: int) -> tuple[Counter[str], Counter[str], dict[str, float]]:
    """Seconds a user: of each part of the reference, of one with faster cosines, and of RecBridge, whose users are all.

    The reference's users are others in every turn.
    """
    users = range(number * USERS_A_TURN, (number + 1) * USERS_A_TURN)

    def by_reference(similarity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Counter[str]:
        reference = Reference(
            case.index, case.index.items.vectors.__getitem__, THRESHOLD, n=TOP_N, similarity=similarity
        )
        for user in users:
            reference(_history(case, user), partial(case.vectors.__getitem__, user))
        return Counter({part: seconds / len(users) for part, seconds in reference.seconds.items()})

    found: list[Retrieved] = []
    ours = {
        "centres": timed(lambda: found.append(retrieve(case))) / len(case.histories),
        "stars": timed(lambda: stars(case, found[0])) / len(case.histories),
    }
    return by_reference(all_cosines), by_reference(products), ours


def encoding(case: Case) -> tuple[float, float]:
    """Seconds a user of encoding titles and histories, one text at a time for each user, and each item once."""
    model = text_encoder.load(case.spec, CPU)

    def encode(texts: Sequence[str], batch_size: int = 1) -> torch.Tensor:
        with mock.patch.object(text_encoder, "load", return_value=model):
            return text_encoder.encode(texts, case.spec, batch_size, CPU)

    items = case.index.items
    asking = selected(case.histories, items.popularity, items.token_order, "per_user", THRESHOLD)
    texts = [
        text
        for user in range(TURNS * USERS_A_TURN)
        for text in [*(case.item_names[row] for row in asking[user] if row >= 0), case.texts[user]]
    ]
    encode(texts[:1])
    theirs = timed(lambda: [encode([text]) for text in texts]) / (TURNS * USERS_A_TURN)
    ours = timed(lambda: encode([*case.item_names, *case.texts], BATCH_SIZE)) / len(case.histories)
    return theirs, ours


def _sum(seconds: Counter[str], parts: Sequence[str]) -> float:
    return sum(seconds[part] for part in parts)


def report(case: Case) -> list[str]:
    """Both ways' milliseconds a user and how many times faster RecBridge is: the median turn, and the extremes."""
    turns = [turn(case, number) for number in range(TURNS)]
    read = encoding(case)
    pairs = {
        "centres": [(_sum(theirs, CHOOSING), ours["centres"]) for theirs, _, ours in turns],
        "  its cosines as products": [(_sum(faster, CHOOSING), ours["centres"]) for _, faster, ours in turns],
        "stars": [(_sum(theirs, MAKING), ours["stars"]) for theirs, _, ours in turns],
        "  its table made once": [(theirs["stars"], ours["stars"]) for theirs, _, ours in turns],
        "centres and stars": [(theirs.total(), sum(ours.values())) for theirs, _, ours in turns],
        "encoding": [read],
        "all three": [(theirs.total() + read[0], sum(ours.values()) + read[1]) for theirs, _, ours in turns],
    }
    lines = [f"{'':27}{'reference ms':>14}{'RecBridge ms':>14}{'times faster':>14}"]
    for name, both in pairs.items():
        theirs, ours = (1e3 * statistics.median(side) for side in zip(*both, strict=True))
        times = [theirs / ours for theirs, ours in both]
        spread = f"  ({min(times):,.0f} to {max(times):,.0f})" if len(times) > 1 else ""
        lines.append(f"{name:27}{theirs:14.2f}{ours:14.4f}{statistics.median(times):14,.0f}{spread}")
    parts = (f"{part} {1e3 * statistics.median(theirs[part] for theirs, *_ in turns):.2f}" for part in turns[0][0])
    took = [len(case.histories) * ours["centres"] for *_, ours in turns]
    return [
        *lines,
        f"the reference's parts: {', '.join(parts)} ms; goal {GOAL_TIMES} times faster",
        f"centres of all {len(case.histories)} users: {statistics.median(took):.3f} s ({min(took):.3f} to "
        f"{max(took):.3f}); goal {GOAL_S} s",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.retrieval", description=__doc__)
    parser.add_argument("--kg-file", default="film-facts")
    parser.add_argument("--link-file")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        link_file = None if given.link_file is None else str(Path(given.link_file).resolve())
        in_own_process(prepare, folder, given.kg_file, link_file)
        case, most = load(folder), in_own_process(peak, folder)
        graph = case.index.graph
        print(
            f"{given.kg_file}: {len(graph):,} nodes, {len(graph.triples):,} triples, "
            f"{len(case.index.centres):,} centres"
        )
        print(f"users with the same centres by either way: {agreement(case)} of {USERS_CHECKED}")
        print("\n".join(report(case)))
        print(f"peak of a process that loads the index and retrieves: {most / 2**20:,.0f} MiB; goal {GOAL_MIB} MiB")


if __name__ == "__main__":
    main()

"""From a scenario's `retrieve_subgraph` to its files: a run's graph, index and histories, and who gets which nodes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.commands.base import StepResult
from utils.context import RunContext
from utils.knowledge.encoding import encode_texts
from utils.knowledge.graphs import OpenGraph, open_graph
from utils.knowledge.histories import Histories, histories
from utils.knowledge.subgraph_vectors import write_vectors_of
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    import torch

    from models.llm.encoder_spec import EncoderSpec
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.knowledge.kg_index import Unencoded
    from utils.retrieval.base import Index, Queries, Retrieved
    from utils.retrieval.store import SubgraphFile

# K-RagRec re-ranks by the task and the history together.
_TASK = "Given the history of a user, select the item that this user is most likely to be interested in next. History: "
# What of the parameters decides on the centres, beside the index and the train part.
_DECIDES = (
    "history_length", "min_rating", "popularity_policy", "popularity_threshold", "retriever", "retriever_options",
    "index_orders", "top_k", "search", "rerank_top_n", "rerank_query", "max_neighbors",
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """All that a retrieval needs: who asks, the graph that is asked, and its index.

    texts [n_nodes]: what each node says, empty for nothing. facts: for the record.
    """

    histories: Histories
    opened: OpenGraph
    index: Index
    texts: Sequence[str]
    spec: EncoderSpec
    facts: dict[str, Any]


def prepare(ctx: RunContext, asked: RetrieveSubgraph) -> Prepared:
    """Read histories and graph, and open the index or make it; StepError at the parameter that is at fault."""
    from models.llm.encoder_spec import EncoderError, EncoderSpec, locate
    from utils.knowledge.kg_index import open_index

    try:
        spec = EncoderSpec(locate(asked.text_encoder))
    except EncoderError as error:
        raise StepError("text_encoder", str(error)) from error
    own = histories(ctx, asked.history_length, asked.min_rating)
    if not own.users:
        raise StepError("min_rating", f"no user has an item rated {asked.min_rating:g} or more in the train part")
    opened = open_graph(ctx, own.item_tokens, asked.graph_files, asked.link_check)
    unencoded = _unencoded(asked, own, opened)
    decide = (
        "kg_file",
        "link_file",
        "link_ids_from",
        "graph_hops",
        "named_text",
        "missing_text",
        "describe_max_titles",
    )
    index, facts = open_index(
        ctx, unencoded, spec, asked.batch_size, asked.index_orders, asked.propagation, asked.index_file,
        asked.overwrite, {name: getattr(asked, name) for name in (*decide, "entity_names", "title_field")},
    )  # fmt: skip
    return Prepared(own, opened, index, unencoded.texts.texts, spec, facts)


def _unencoded(asked: RetrieveSubgraph, own: Histories, opened: OpenGraph) -> Unencoded:
    from utils.data.kg.files import KgError
    from utils.data.kg.texts import node_texts
    from utils.knowledge.kg_index import Unencoded
    from utils.retrieval.centres import centres

    graph, links = opened.graph, opened.links
    # The place of each token among all in sorted order, by which ties are broken.
    token_order = np.argsort(np.argsort(np.array(own.item_tokens)))
    try:
        texts = node_texts(
            graph, links.link_indptr, links.link_nodes, opened.item_names, own.popularity, token_order, opened.names,
            asked.named_text, asked.missing_text, asked.describe_max_titles,
        )  # fmt: skip
    except KgError as error:
        raise StepError("missing_text", str(error)) from error
    return Unencoded(
        graph, own.item_tokens, opened.item_names, own.popularity, token_order, links.link_indptr, links.link_nodes,
        texts, centres(graph, links.link_nodes, texts.texts, asked.min_center_items),
    )  # fmt: skip


def retrieve(ctx: RunContext, asked: RetrieveSubgraph) -> StepResult:
    """Make sure that the files of a `retrieve_subgraph` hold what it asks for."""
    from utils.retrieval.store import SubgraphFile, write_subgraphs

    ready = prepare(ctx, asked)
    kept = None if asked.overwrite else retrieved_before(ctx, asked, ready)
    seconds: dict[str, float] = {}
    if kept is None:
        retrieved, seconds = _retrieved(ctx, asked, ready)
        meta = {
            "dataset": ctx.settings["dataset"],
            "train_fingerprint": ctx.train_fingerprint,
            "parameters": asked.model_dump(mode="json"),
        }
        fingerprint = _fingerprint(ctx, asked, ready)
        file = SubgraphFile(ready.histories.users, retrieved, asked.max_neighbors, fingerprint, meta)
        write_subgraphs(ctx.vector_path(asked.file_out), file)
    else:
        file = kept
    facts = {
        **ready.opened.facts,
        **ready.facts,
        **_counts(ready, file),
        "rows": write_vectors_of(ctx, asked, ready.index, file),
        "kept": kept is not None,
        "seconds": seconds,
    }
    return StepResult(facts=facts, summary=_summary(asked, facts))


def queries(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> Queries:
    """What the users ask for: the items that the policy keeps, and their whole history as a vector."""
    from utils.retrieval.base import Queries
    from utils.retrieval.policy import selected

    items = ready.index.items
    rows = selected(
        ready.histories.items, items.popularity, items.token_order, asked.popularity_policy, asked.popularity_threshold
    )
    return Queries(rows, _query_vectors(ctx, asked, ready))


def query_text(asked: RetrieveSubgraph, names: list[str]) -> str:
    """What a user's centres are ranked by; empty where no item of the history has a title."""
    titles = ", ".join(name for name in names if name)
    return f"{_TASK}{titles}." if titles and asked.rerank_query == "prompt" else titles


def _query_vectors(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> torch.Tensor:
    import torch

    names = ready.opened.item_names
    texts = [query_text(asked, [names[row] for row in history if row >= 0]) for history in ready.histories.items]
    distinct = list(dict.fromkeys(text for text in texts if text))
    vectors = torch.zeros(len(texts), ready.index.nodes.shape[1])
    if distinct:
        encoded = encode_texts(ctx, distinct, ready.spec, asked.batch_size, "histories", "text_encoder")
        place = {text: row for row, text in enumerate(distinct)}
        there = [row for row, text in enumerate(texts) if text]
        vectors[there] = encoded[[place[texts[row]] for row in there]]
    return torch.nn.functional.normalize(vectors, dim=1)


def _retrieved(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> tuple[Retrieved, dict[str, float]]:
    started = time.perf_counter()
    asking = queries(ctx, asked, ready)
    encoded = time.perf_counter()
    retrieved = asked.chosen(ready.index, asking, asked.rerank_top_n)
    return retrieved, {
        "encoding_histories": round(encoded - started, 3),
        "retrieval": round(time.perf_counter() - encoded, 3),
    }


def retrieved_before(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> SubgraphFile | None:
    """What `file_out` holds, None where it is not there; StepError where it holds anything but what is asked for."""
    from utils.retrieval.store import SubgraphError, read_subgraphs

    path = ctx.vector_path(asked.file_out)
    if not path.exists():
        return None
    try:
        there = read_subgraphs(path, len(ready.index.graph))
    except SubgraphError as error:
        raise StepError("file_out", f"{error}; set overwrite: True, or name another file") from error
    if there.fingerprint != _fingerprint(ctx, asked, ready):
        why = _difference(asked, there, ctx.train_fingerprint)
        raise StepError("file_out", f"{path} holds other subgraphs ({why}); set overwrite: True, or name another file")
    return there


def _fingerprint(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> str:
    """A short hash of all that decides on the centres."""
    decides = {name: getattr(asked, name) for name in _DECIDES}
    return _hash(ready.index.fingerprint, ready.spec.fingerprint(), ctx.train_fingerprint, decides)


def _difference(asked: RetrieveSubgraph, there: SubgraphFile, train_fingerprint: str) -> str:
    """What a file was made with that this run has otherwise, in words."""
    if there.meta.get("train_fingerprint") != train_fingerprint:
        return "written from another train part"
    before, now = there.meta.get("parameters", {}), asked.model_dump(mode="json")
    for name in now:
        if name in before and before[name] != now[name] and name not in ("overwrite", "file_out", "batch_size"):
            return f"{name} is {_shown(before[name])} there and {_shown(now[name])} here"
    return "of another graph, other links or other texts"


def _shown(value: Any) -> str:
    """`4` rather than `4.0`, as a scenario has it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _counts(ready: Prepared, file: SubgraphFile) -> dict[str, int]:
    centres = file.retrieved.centres
    return {
        "users": ready.histories.n_users,
        "users_with_history": len(ready.histories.users),
        "users_with_subgraphs": int((centres >= 0).any(axis=(1, 2)).sum()),
        "distinct_centres": len(np.unique(centres[centres >= 0])),
    }


def _summary(asked: RetrieveSubgraph, facts: Mapping[str, Any]) -> str:
    graph = (
        f"{facts['linked_items']:,} of {facts['items']:,} items linked (by {facts['linked_by']}) to a graph of "
        f"{facts['triples']:,} triples"
    )
    lost = facts["users"] - facts["users_with_subgraphs"]
    without = f", {lost:,} {'user has' if lost == 1 else 'users have'} none" if lost else ""
    how = "kept" if facts["kept"] else f"in {facts['seconds']['retrieval']:.2f} s"
    centres = (
        f"{asked.file_out}: {facts['users_with_subgraphs']:,} users have subgraphs around "
        f"{facts['distinct_centres']:,} centres{without} ({how})"
    )
    files = [
        f"{getattr(asked, f'{side}_emb_file')}: {facts['rows'][f'{side}_emb_file']:,} {side}"
        for side in ("users", "items")
        if f"{side}_emb_file" in facts["rows"]
    ]
    return "; ".join([graph, centres, *files])

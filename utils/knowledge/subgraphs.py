"""From a scenario's `retrieve_subgraph` to its files: a run's graph, index and histories, and who gets which nodes."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.commands.base import StepResult
from utils.context import RunContext
from utils.knowledge.graphs import OpenGraph, open_graph
from utils.knowledge.histories import Histories, histories
from utils.knowledge.history_texts import encoded, history_texts
from utils.knowledge.samples import Samples, Split, samples_of
from utils.knowledge.subgraph_reuse import fingerprint, retrieved_before, told, users_fingerprint
from utils.knowledge.subgraph_vectors import write_vectors_of
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from models.llm.encoder_spec import EncoderSpec
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.knowledge.kg_index import Unencoded
    from utils.retrieval.base import Index, Queries, Retrieved
    from utils.retrieval.store import SampleSubgraphs, SubgraphFile


@dataclass(frozen=True)
class Prepared:
    """All that a retrieval needs: who asks, the graph that is asked, and its index.

    samples: of each split where samples are asked for, else none. texts [n_nodes]: what each node says, empty for
    nothing. facts: for the record.
    """

    histories: Histories
    samples: Mapping[Split, Samples]
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
        rated = "any item" if asked.min_rating is None else f"an item rated {asked.min_rating:g} or more"
        raise StepError("min_rating", f"no user has {rated} in the train part")
    if asked.min_rating is not None and not own.rated and "min_rating" in asked.model_fields_set:
        raise StepError("min_rating", "the interactions have no ratings, so nothing would read it; remove it")
    opened = open_graph(ctx, own.item_tokens, asked.graph_files, asked.link_check)
    samples: Mapping[Split, Samples] = {}
    counts: dict[str, Any] = {}
    if asked.train_windows:
        samples, counts["samples"] = samples_of(
            ctx, asked.history_length, asked.min_rating, asked.train_windows, opened.item_names, asked.windows
        )
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
    return Prepared(own, samples, opened, index, unencoded.texts.texts, spec, {**facts, **counts})


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
    cost: dict[str, Any] = {}
    if kept is None:
        retrieved, of_samples, cost = _retrieved(ctx, asked, ready)
        meta = {
            "dataset": ctx.settings["dataset"],
            "train_fingerprint": ctx.train_fingerprint,
            "parameters": told(asked),
            # By these the command is made again where the file is read.
            "given": sorted(asked.model_fields_set & told(asked).keys()),
            "index_file": asked.index_file,
        }
        marked = fingerprint(asked, ready)
        file = SubgraphFile(ready.histories.users, retrieved, asked.max_neighbors, marked, meta, of_samples)
        write_subgraphs(ctx.vector_path(asked.file_out), file)
    else:
        file = kept
    # Vectors are of the users' own subgraphs, whether or not there are samples beside them.
    of_users = replace(file, fingerprint=users_fingerprint(asked, ready), samples={})
    facts = {
        **ready.opened.facts,
        **ready.facts,
        **_counts(ready, file),
        "rows": write_vectors_of(ctx, asked, ready.index, of_users),
        "kept": kept is not None,
        **cost,
    }
    return StepResult(facts=facts, summary=_summary(asked, facts))


def queries(
    ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared, histories: np.ndarray | None = None
) -> tuple[Queries, int]:
    """What histories ask for: the items that the policy keeps, and the whole history as a vector.

    histories [S, length]: those of the users where none are given. With it how many are too long for the encoder, so
    that their oldest titles are left out.
    """
    import torch

    from utils.retrieval.base import Queries
    from utils.retrieval.policy import selected

    asking = ready.histories.items if histories is None else histories
    items = ready.index.items
    rows = selected(asking, items.popularity, items.token_order, asked.popularity_policy, asked.popularity_threshold)
    dimension = ready.index.nodes.shape[1]
    if "rerank_query" not in type(asked.chosen).reads:
        return Queries(rows, torch.zeros(len(rows), dimension)), 0
    titles = [titles_of(ready, history) for history in asking]
    texts, left_out = history_texts(ctx, titles, asked.rerank_query, ready.spec)
    vectors = encoded(ctx, texts, ready.spec, asked.batch_size, dimension)
    return Queries(rows, vectors), sum(count > 0 for count in left_out)


def titles_of(ready: Prepared, history: np.ndarray) -> list[str]:
    """The titles of a row of `histories.items`, the latest last; empty where an item has none."""
    return [ready.opened.item_names[item] for item in history.tolist() if item >= 0]


def _retrieved(
    ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared
) -> tuple[Retrieved, dict[str, SampleSubgraphs], dict[str, Any]]:
    """Everybody's centres, those of all samples, and for the record what they took."""
    from utils.retrieval.store import SampleSubgraphs

    started = time.perf_counter()
    # What a user's valid sample asks from is their history; each distinct history is retrieved for once.
    distinct, rows = _distinct([ready.histories.items, *(own.histories for own in ready.samples.values())])
    asking, shortened = queries(ctx, asked, ready, distinct)
    ended = time.perf_counter()
    found = asked.chosen(ready.index, asking, asked.rerank_top_n)
    of_users, *of_samples = (replace(found, centres=found.centres[own], scores=found.scores[own]) for own in rows)
    if not (of_users.centres >= 0).any():
        linked = f"{ready.opened.facts['linked_items']:,} of {ready.opened.facts['items']:,} items are linked"
        titled = sum(map(bool, ready.opened.item_names))
        raise StepError(None, f"nothing was found for any user: {linked}, {titled:,} have a title")
    samples: dict[str, SampleSubgraphs] = {
        split: SampleSubgraphs(own.users, own.targets, own.histories, retrieved)
        for (split, own), retrieved in zip(ready.samples.items(), of_samples, strict=True)
    }
    seconds = {"encoding_histories": round(ended - started, 3), "retrieval": round(time.perf_counter() - ended, 3)}
    return of_users, samples, {"histories_shortened": shortened, "seconds": seconds}


def _distinct(tables: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct rows of all tables [S, length], in the order in which they come first, and where each row is."""
    stacked = np.concatenate(tables)
    _, first, place = np.unique(stacked, axis=0, return_index=True, return_inverse=True)
    in_order = np.argsort(first)
    where = np.argsort(in_order)[place.reshape(-1)]
    return stacked[first[in_order]], np.split(where, np.cumsum([len(table) for table in tables])[:-1])


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
    asked_for = facts.get("samples", {})
    samples = [
        f"samples: {', '.join(f'{_kept(counts):,} {split}' for split, counts in asked_for.items())}"
        f"{_left_out(asked_for.values())}"
    ]
    shortened = facts.get("histories_shortened", 0)
    cut = [f"the encoder does not read all of {shortened:,} histories, whose oldest titles are left out"]
    return "; ".join([graph, centres, *(samples if asked_for else []), *(cut if shortened else []), *files])


def _kept(counts: Mapping[str, int]) -> int:
    return counts["asked"] - counts["skipped"] - counts["untitled"]


def _left_out(counts: Collection[Mapping[str, int]]) -> str:
    """Samples that were asked for and are not there, by why."""
    why = {"skipped": "on an empty history", "untitled": "whose item has no title"}
    lost = {name: sum(one[name] for one in counts) for name in why}
    told = [f"{count:,} {why[name]}" for name, count in lost.items() if count]
    return f", without {' and '.join(told)}" if told else ""

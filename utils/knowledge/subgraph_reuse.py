"""Whether a file of subgraphs holds just what a scenario asks for, and what is different where it does not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from utils.context import RunContext
from utils.data.fingerprint import short_hash
from utils.knowledge.history_texts import TASK
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.knowledge.subgraphs import Prepared
    from utils.retrieval.store import SubgraphFile

# To be raised when the same parameters begin to find other centres.
_VERSION = 1
# What a person has asked for otherwise, in the order in which it is told.
_TOLD = (
    "kg_file", "link_file", "link_ids_from", "graph_hops", "entity_names", "title_field", "named_text", "missing_text",
    "describe_max_titles", "min_center_items", "text_encoder", "index_orders", "propagation", "history_length",
    "min_rating", "popularity_policy", "popularity_threshold", "retriever", "retriever_options", "top_k", "search",
    "rerank_top_n", "rerank_query", "max_neighbors", "train_windows", "windows",
)  # fmt: skip


def told(asked: RetrieveSubgraph) -> dict[str, Any]:
    """The parameters that decide on the centres, as a file remembers them."""
    values = asked.model_dump(mode="json")
    return {name: values[name] for name in _TOLD}


def users_fingerprint(asked: RetrieveSubgraph, ready: Prepared) -> str:
    """A short hash of all that decides on the users' centres: the index, who asks for what, and how it is answered."""
    own = ready.histories
    asks = short_hash(own.users, own.item_tokens, own.items.tolist(), own.popularity.tolist())
    policy = (asked.popularity_policy, asked.popularity_threshold, asked.rerank_query, TASK)
    chosen = asked.chosen
    answers = (type(chosen).__name__, asdict(chosen), asked.rerank_top_n, asked.max_neighbors)  # type: ignore[call-overload]
    return short_hash(_VERSION, ready.index.fingerprint, ready.spec.fingerprint(), asks, policy, answers)


def fingerprint(asked: RetrieveSubgraph, ready: Prepared) -> str:
    """A short hash of all that decides on a file's centres, those of samples included; without samples the users'."""
    of_users = users_fingerprint(asked, ready)
    of_samples = [
        (split, own.users, own.targets.tolist(), own.histories.tolist()) for split, own in ready.samples.items()
    ]
    return short_hash(of_users, of_samples) if of_samples else of_users


def retrieved_before(ctx: RunContext, asked: RetrieveSubgraph, ready: Prepared) -> SubgraphFile | None:
    """What `file_out` holds, None where it is not there; StepError where it holds anything but what is asked for."""
    from utils.retrieval.store import SubgraphError, read_subgraphs

    path = ctx.vector_path(asked.file_out)
    if not path.exists():
        return None
    try:
        there = read_subgraphs(path)
        if there.fingerprint == fingerprint(asked, ready):
            # Once more, against the graph: what was damaged since has the same fingerprint.
            return read_subgraphs(path, len(ready.index.graph), len(ready.histories.item_tokens))
    except SubgraphError as error:
        raise StepError("file_out", f"{error}; set overwrite: True, or name another file") from error
    why = difference(ctx, asked, there)
    raise StepError("file_out", f"{path} holds other subgraphs ({why}); set overwrite: True, or name another file")


def difference(ctx: RunContext, asked: RetrieveSubgraph, there: SubgraphFile) -> str:
    """What a file was made with that this run has otherwise, in words."""
    if there.meta.get("train_fingerprint") != ctx.train_fingerprint:
        return "written from another train part"
    # A file from before there were samples does not say that it has none.
    before, now = {"train_windows": 0, "windows": "latest", **there.meta.get("parameters", {})}, told(asked)
    for name, value in now.items():
        if before.get(name) != value:
            return f"{name} is {_shown(before.get(name))} there and {_shown(value)} here"
    held_out = ", another valid or test part" if asked.train_windows else ""
    return f"of another graph, other texts{held_out}, or ratings and times that have changed"


def _shown(value: Any) -> str:
    """`4` rather than `4.0`, as a scenario has it."""
    return f"{value:g}" if isinstance(value, float) else str(value)

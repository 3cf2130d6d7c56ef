"""A file of subgraphs, opened by a command that reads its samples: the same index again, and whether it still fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from utils.context import RunContext
from utils.knowledge.subgraph_reuse import difference, fingerprint
from utils.knowledge.subgraphs import Prepared, prepare
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.retrieval.store import SubgraphFile

_AGAIN = "run retrieve_subgraph again (overwrite: True)"


def open_subgraphs(ctx: RunContext, file_name: str) -> tuple[Prepared, SubgraphFile]:
    """The subgraphs of users and samples in a file, and the graph, index and histories that they were retrieved from.

    What the file was made of is read again by the parameters that it remembers; vectors of texts come from its
    `index_file`, and are encoded again only where that is gone. StepError at `subgraphs` for a file that is missing or
    damaged, that holds no samples, or that this run would retrieve otherwise; it says what is different.
    """
    from utils.retrieval.store import SubgraphError, read_subgraphs

    path = ctx.vector_path(file_name)
    try:
        file = read_subgraphs(path)
        if not file.samples:
            raise StepError("subgraphs", f"{path} holds no samples; set train_windows in retrieve_subgraph")
        asked = _asked(file, file_name)
    except SubgraphError as error:
        raise StepError("subgraphs", str(error)) from error
    except ValidationError as error:
        raise StepError(
            "subgraphs", f"{path} was retrieved with other parameters than there are now; {_AGAIN}"
        ) from error
    other = f"{path} was retrieved from another graph, encoder, split, or dataset"
    if file.meta.get("train_fingerprint") != ctx.train_fingerprint:
        # Told first: an index of other texts only follows from it.
        raise StepError("subgraphs", f"{other} ({difference(ctx, asked, file)}); {_AGAIN}")
    try:
        ready = prepare(ctx, asked)
    except StepError as error:
        # What could be set there is no parameter of the command that asks.
        what = error.message.partition("; set overwrite")[0]
        why = f"{error.parameter}: {what}" if error.parameter else what
        raise StepError("subgraphs", f"{other} ({why}); {_AGAIN}") from error
    if file.fingerprint != fingerprint(asked, ready):
        raise StepError("subgraphs", f"{other} ({difference(ctx, asked, file)}); {_AGAIN}")
    try:
        # Once more, against the graph: what was damaged since has the same fingerprint.
        return ready, read_subgraphs(path, len(ready.index.graph), len(ready.histories.item_tokens))
    except SubgraphError as error:
        raise StepError("subgraphs", f"{error}; {_AGAIN}") from error


def _asked(file: SubgraphFile, file_name: str) -> RetrieveSubgraph:
    """The command that made a file. Its links were checked then, and are the same or the fingerprint differs."""
    from utils.commands.retrieve_subgraph import RetrieveSubgraph

    parameters, given = file.meta["parameters"], file.meta["given"]
    return RetrieveSubgraph(
        **{name: parameters[name] for name in given},
        link_check="skip",
        index_file=file.meta["index_file"],
        file_out=file_name,
    )

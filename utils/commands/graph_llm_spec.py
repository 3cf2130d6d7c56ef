"""What `graph_llm_train` and `graph_llm_generate` share: parts of their parameters, and what can be said of files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from utils.commands.base import Complaint, PlanView
from utils.commands.loss_spec import Part
from utils.commands.retrieve_subgraph import RetrieveSubgraph

NegativeSampling = Literal["uniform", "popularity"]
# The alphabet has so many letters.
Candidates = Annotated[int, Field(ge=2, le=26)]


class Lora(Part):
    """Low-rank adapters of the language model."""

    r: PositiveInt = Field(8, description="Their rank.")
    alpha: PositiveInt = Field(16, description="Their output is scaled by alpha / r.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Of their input, in training.")
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Of adapters and the head of read_at: options; that of all when absent. They bear a higher one.",
    )
    target_modules: Annotated[list[str], Field(min_length=1)] = Field(
        ["q_proj", "v_proj"], description="The linear layers that have one, by the last part of their names."
    )


class Gnn(Part):
    """The graph encoder."""

    type: str = Field("gt", description="gt (Graph Transformer, reads relations), gcn, gat or graphsage.")
    num_layers: PositiveInt = 3
    hidden_dim: PositiveInt = 1024
    num_heads: PositiveInt = Field(4, description="gt and gat: attention heads.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Between layers, in training.")
    norm: Literal["layer", "batch", "none"] = Field("layer", description="Between layers.")


def bad_gnn(gnn: Gnn) -> Iterator[Complaint]:
    """A graph encoder that cannot be built, and heads that nothing reads."""
    from models.graph.convolutions.base import GRAPH_CONVOLUTIONS
    from models.graph.encoder import why_impossible

    wrong = why_impossible(**gnn.model_dump())
    yield from (Complaint(("gnn", parameter), message) for parameter, message in wrong)
    if not wrong and "num_heads" in gnn.model_fields_set and not GRAPH_CONVOLUTIONS.get(gnn.type).has_heads:
        yield Complaint(("gnn", "num_heads"), f"{gnn.type} has no attention heads; remove it")


def bad_subgraphs(view: PlanView, name: str) -> Iterator[Complaint]:
    """A file of subgraphs that is not there, or that the scenario writes without samples."""
    writers = [one for one in view.earlier if isinstance(one, RetrieveSubgraph) and one.file_out == name]
    if writers:
        if not writers[-1].train_windows:
            yield Complaint(
                ("subgraphs",), f"retrieve_subgraph writes {name} without samples; set train_windows: 1 or more there"
            )
        return
    path = view.vectors_dir / name
    if path in view.vector_files:
        # An earlier scenario writes it, and how will be seen then.
        return
    if not path.is_file():
        written = [one.file_out for one in view.earlier if isinstance(one, RetrieveSubgraph)]
        beside = f" (retrieve_subgraph writes {', '.join(written)})" if written else "; put retrieve_subgraph before it"
        yield Complaint(("subgraphs",), f"no file {path}, and no earlier step writes it{beside}")
        return
    from utils.retrieval.store import SubgraphError, read_subgraphs

    try:
        if not read_subgraphs(path).samples:
            yield Complaint(("subgraphs",), f"{path} holds no samples; set train_windows in retrieve_subgraph")
    except SubgraphError as error:
        yield Complaint(("subgraphs",), str(error))


def bad_prompt(path: str | None, facts: bool, ends: bool) -> Iterator[Complaint]:
    """A template that cannot be read, or that does not ask.

    facts: whether there will be facts in words. ends: whether options are read where they end.
    """
    from utils.data.prompts import PromptError
    from utils.knowledge.graph_prompts import choose_template, complaints

    try:
        template = choose_template(path)
    except PromptError as error:
        yield Complaint(("prompt",), str(error))
        return
    yield from (Complaint(("prompt",), message) for message in complaints(template, facts, ends))


def of_each_seed(view: PlanView, parameter: str, advice: str) -> Iterator[Complaint]:
    """A file that several seeds would write, each with other contents."""
    seeds = view.settings.get("seeds")
    if isinstance(seeds, list) and len(seeds) > 1:
        yield Complaint((parameter,), f"each of {len(seeds)} seeds trains a model of its own, and {advice}")


def unread(given: Collection[str], names: Sequence[str], why: str) -> Iterator[Complaint]:
    """Parameters that were given and that nothing would read."""
    yield from (Complaint((name,), f"nothing reads it {why}; remove it") for name in names if name in given)

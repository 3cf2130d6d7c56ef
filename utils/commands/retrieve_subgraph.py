"""`retrieve_subgraph`: the parts of a knowledge graph that each user's history asks for.

`utils.knowledge.graphs` reads the graph and links it to the items, `utils.knowledge.kg_index` encodes what its nodes
say, `utils.retrieval` chooses, and `utils.knowledge.subgraphs` puts these together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.vector_names import VectorFileName

if TYPE_CHECKING:
    from utils.knowledge.graphs import GraphFiles
    from utils.retrieval.base import Retriever


@command("retrieve_subgraph")
class RetrieveSubgraph(Command):
    """Retrieve for each user the subgraphs of a knowledge graph that their history asks for (K-RagRec).

    Of a user's latest items in the train part, the least popular ask for the nodes that read most like their titles;
    those that fit the whole history best are the centres of the user's subgraphs (Wang et al., ACL 2025,
    arXiv 2501.02226). `file_out` holds the centres; the vectors of users and items can be transferred into any model.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    explained: ClassVar[Mapping[str, str]] = {
        "adaptive_ratio": "use popularity_threshold (an adaptive_ratio of 5, of histories of 10, means 0.5)",
        "sub_graph_numbers": "use top_k",
        "reranking_numbers": "use rerank_top_n",
        "encoder": "use text_encoder",
        "seed": "nothing is drawn here; remove it",
    }
    kg_file: str = Field(
        description="A .kg file of the dataset's folder or a path; `film-facts` is the graph of films that is shipped."
    )
    link_file: str | None = Field(
        None, description="A .link file of items and entities; by the entities' names, title and year, when absent."
    )
    link_ids_from: str | None = Field(
        None, description="The .item file (or movies.dat) of the dataset whose item ids link_file has, if not this one."
    )
    link_check: Literal["error", "warn", "skip"] = Field(
        "error", description="What follows where the graph and the items' classes agree no better than by chance."
    )
    graph_hops: PositiveInt | None = Field(
        None,
        description="Keep the triples within so many steps of the items; 1: those that touch one. All when absent.",
    )
    entity_names: str | None = Field(None, description="A file with the columns entity_id and name.")
    title_field: str | None = Field(None, description="The column of the .item file that holds titles.")
    named_text: Literal["describe", "name"] = Field(
        "describe", description="What entities with a name say: role and titles as well, or the name alone."
    )
    missing_text: Literal["describe", "relation", "drop", "error"] = Field(
        "describe",
        description="What entities without a name say: role and titles, their role, nothing; or error.",
    )
    describe_max_titles: PositiveInt = Field(5, description="How many titles a description has for each role.")
    min_center_items: PositiveInt = Field(
        2, description="How many linked items an entity touches at least to be retrieved; items' own always may be."
    )
    text_encoder: str = Field(
        "all-MiniLM-L6-v2",
        description="A packaged encoder, a folder with a sentence-transformers or transformers model, or a hub's name.",
    )
    batch_size: PositiveInt = Field(64, description="How many texts are encoded at once.")
    index_file: VectorFileName = Field("kg_index.pt", description="Vectors of what nodes, relations and titles say.")
    index_orders: Annotated[list[Literal[1, 2]], Field(min_length=1, max_length=2)] = Field(
        [1, 2], description="1: by a node's own text; 2: by its neighbours' as well."
    )
    propagation: Literal["mean", "ppr", "none"] = Field(
        "mean", description="Order 2: half of a node and half of its neighbours' mean, or personalised PageRank."
    )
    history_length: PositiveInt = Field(10, description="How many items, the latest, a history has.")
    min_rating: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        4, description="A rating from which on an item counts; all do with None."
    )
    popularity_policy: Literal["per_user", "global"] = Field(
        "per_user", description="Whether rareness is measured within a user's history or among all items."
    )
    popularity_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="The share of the history, or of all items, that counts as rare: the rare ones ask."
    )
    retriever: str = Field("similarity", description="How nodes are found: similarity, khop, ppr or pcst.")
    retriever_options: dict[str, Any] = Field({}, description="The retriever's own numbers, such as hops or alpha.")
    top_k: PositiveInt = Field(3, description="How many nodes an item asks for in each order.")
    search: Literal["exact", "faiss"] = Field(
        "exact", description="faiss: approximate; it pays from about 20,000 centres and some thousand items on."
    )
    rerank_top_n: PositiveInt = Field(5, description="How many centres a user keeps of each order.")
    rerank_query: Literal["prompt", "history"] = Field(
        "prompt", description="What they are ranked by: the history's titles, with or without the task."
    )
    max_neighbors: PositiveInt = Field(64, description="How many neighbours of a centre its subgraph has at most.")
    train_windows: NonNegativeInt = Field(
        0,
        description="How many of a user's train items are targets of samples, as graph_llm_train needs them; "
        "with their valid and test items. 0: no samples.",
    )
    windows: Literal["latest", "random"] = Field(
        "latest", description="Which train items these are: the latest, or drawn by the seed."
    )
    file_out: VectorFileName = Field(
        "subgraphs.pt", description="Each user's centres and their scores, and those of each sample."
    )
    users_emb_file: VectorFileName | None = Field(
        None, description="Vector file to write: for each user the mean of their centres' vectors."
    )
    items_emb_file: VectorFileName | None = Field(
        None, description="Vector file to write: for each linked item its entity with what its neighbours say."
    )
    overwrite: bool = Field(False, description="Replace files that were made from anything else.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        from utils.knowledge.subgraph_checks import (
            bad_files,
            bad_orders,
            bad_outputs,
            bad_retriever,
            bad_texts,
            bad_windows,
        )

        yield from bad_files(view, self.graph_files)
        yield from bad_orders(self.index_orders, self.propagation, self.items_emb_file, self.model_fields_set)
        yield from bad_retriever(self.retriever, self.retriever_options, self.model_fields_set, self.search)
        yield from bad_texts(self.named_text, self.missing_text, self.model_fields_set)
        yield from bad_windows(view, self.train_windows)
        if "windows" in self.model_fields_set and not self.train_windows:
            yield Complaint(("windows",), "nothing reads it without train_windows; remove it")
        yield from bad_outputs({name: getattr(self, name) for name in _FILES})

    def vector_files_written(self) -> Iterable[str]:
        return [name for name in (getattr(self, field) for field in _FILES) if name]

    def files_read(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, Path]]:
        from utils.knowledge.graphs import files_elsewhere

        return files_elsewhere(settings, self.graph_files)

    @property
    def graph_files(self) -> GraphFiles:
        """Which files the graph is made of."""
        from utils.knowledge.graphs import GraphFiles

        return GraphFiles(
            self.kg_file, self.link_file, self.link_ids_from, self.entity_names, self.title_field, self.graph_hops
        )

    @property
    def chosen(self) -> Retriever:
        """The retriever with its options: its own, and those parameters of this command that it reads."""
        from utils.knowledge.subgraph_checks import fields_of
        from utils.retrieval.base import RETRIEVERS

        cls = RETRIEVERS.get(self.retriever)
        shared = {"index_orders": tuple(self.index_orders), "top_k": self.top_k, "search": self.search}
        read = {name: value for name, value in shared.items() if name in fields_of(cls)}
        # pcst counts other things, so its own default holds where nothing is said.
        if "top_k" in read and "top_k" not in self.model_fields_set and self.retriever != "similarity":
            del read["top_k"]
        return cls(**read, **self.retriever_options)

    def run(self, ctx: RunContext) -> StepResult:
        from utils.knowledge.subgraphs import retrieve

        return retrieve(ctx, self)


_FILES = ("index_file", "file_out", "users_emb_file", "items_emb_file")

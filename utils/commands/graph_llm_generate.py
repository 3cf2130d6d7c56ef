"""`graph_llm_generate`: what a language model that reads subgraphs picks for each user, next to what is simpler.

`utils.knowledge.graph_questions` asks, `models.llm.graph_llm` answers, `utils.report.choice_table` compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.commands.graph_llm_spec import Candidates, NegativeSampling, bad_subgraphs, of_each_seed, unread
from utils.commands.graph_llm_train import GraphLlmTrain
from utils.context import RunContext
from utils.scenario.vector_names import ProfileLinesName, VectorFileName

if TYPE_CHECKING:
    from utils.data.prompts import PromptTemplate

Baseline = Literal["random", "popularity", "recommender", "llm", "llm_text", "no_graph"]
_METRICS = ["accuracy", "recall@1", "recall@3", "recall@5", "recall@10", "ndcg@10"]
_FROM_CHECKPOINT = "the checkpoint decides on it; remove it"


@command("graph_llm_generate")
class GraphLlmGenerate(Command):
    """Let a language model that `graph_llm_train` taught rank candidates for each user, and measure it (K-RagRec).

    One pass over each question; raw logits of the options are the scores: of their letters at its end or, as trained
    with `read_at: options`, where each option ends. Beside it stand chance, popularity, the same model untouched
    (`llm`), untouched with the facts in words (`llm_text`), and trained with its graph tokens left out (`no_graph`),
    each with a paired test.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    explained: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                "llm",
                "llm_mode",
                "lora",
                "gnn",
                "projector_hidden",
                "graph_tokens",
                "token_length",
                "read_at",
                "prompt",
                "facts_as",
            ),
            _FROM_CHECKPOINT,
        ),
        "scoring": "raw logits are the only way; remove it",
        "eval_batch_size": "use batch_size",
        "adaptive_ratio": "use popularity_threshold of retrieve_subgraph",
        "seed": "the scenario's setting seed is taken",
    }
    subgraphs: VectorFileName = Field("subgraphs.pt", description="What retrieve_subgraph wrote with train_windows.")
    checkpoint: str | None = Field(
        None, description="What graph_llm_train kept; that of the step before in this scenario when absent."
    )
    split: Literal["test", "valid"] = "test"
    candidates: Literal["sampled", "model"] = Field(
        "sampled", description="The item that follows among sampled ones, or the best items of the trained recommender."
    )
    num_candidates: Candidates | None = Field(None, description="How many; as in the training when absent.")
    negative_sampling: NegativeSampling = Field(
        "uniform", description="How the others are drawn: all alike, or by how many users of the train part have them."
    )
    metrics: Annotated[list[str], Field(min_length=1)] = Field(
        _METRICS, description="accuracy, recall@K, ndcg@K and mrr; rows are compared in the first."
    )
    baselines: list[Baseline] = Field(
        ["random", "popularity"], description="Rows beside the model's; with candidates: model also recommender."
    )
    no_graph: bool = Field(False, description="Leave the graph tokens out, as an ablation.")
    max_new_tokens: NonNegativeInt = Field(0, description="Also let the model write so much; never read for ranking.")
    batch_size: PositiveInt = 16
    file_out: ProfileLinesName = Field(
        "generations.jsonl", description="In the run's folder: user, options, gold, ranking, probs, centres."
    )
    users_emb_file: VectorFileName | None = Field(
        None, description="Vector file to write: the model's last state after a user's graph and history."
    )
    items_emb_file: VectorFileName | None = Field(
        None, description="Vector file to write: the model's last state after an item's subgraph and title."
    )
    truncate_history: bool = Field(False, description="Leave out the oldest items of a history that is too long.")
    limit: PositiveInt | None = Field(None, description="Only the first so many users, for a try.")
    overwrite: bool = Field(False, description="Replace vector files that were made from anything else.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        given = self.model_fields_set
        yield from bad_subgraphs(view, self.subgraphs)
        yield from self._bad_checkpoint(view)
        yield from self._bad_metrics(view)
        for side in ("users", "items"):
            if (
                getattr(self, f"{side}_emb_file") is not None
                and not self.overwrite
                and self._training(view) is not None
            ):
                advice = "its vectors differ; set overwrite: True here and in the steps that write others from them"
                yield from of_each_seed(view, f"{side}_emb_file", advice)
        if self.candidates == "model":
            yield from unread(given, ["negative_sampling"], "with candidates: model")
            if not _has_trained(view.earlier):
                yield Complaint(("candidates",), "there is no trained recommender here; put train before it")
        for place, name in enumerate(self.baselines):
            if self.baselines.count(name) > 1 and self.baselines.index(name) < place:
                yield Complaint(("baselines", place), f"{name} is there already")
            elif name == "recommender" and self.candidates != "model":
                yield Complaint(("baselines", place), "recommender needs candidates: model")
            elif name == "no_graph" and self.no_graph:
                yield Complaint(("baselines", place), "with no_graph: True the model itself is that")
        if self.users_emb_file is not None and self.users_emb_file == self.items_emb_file:
            yield Complaint(("items_emb_file",), f"'{self.items_emb_file}' is users_emb_file as well; name another one")
        earlier = Counter(one.file_out for one in view.earlier if isinstance(one, GraphLlmGenerate))
        if self.file_out in earlier:
            yield Complaint(("file_out",), f"an earlier graph_llm_generate writes {self.file_out}; name another one")

    def _bad_checkpoint(self, view: PlanView) -> Iterable[Complaint]:
        from models.llm.causal_lm import why_missing
        from utils.data.prompts import PromptError, compile_template
        from utils.knowledge.graph_checkpoint import CheckpointError, read_checkpoint
        from utils.knowledge.graph_config import GraphConfig
        from utils.knowledge.graph_prompts import choose_template

        own = self._training(view)
        if own is not None:
            # A template that cannot be read is told where it is named.
            with suppress(PromptError):
                yield from self._bad_rows(own.facts_as, choose_template(own.prompt))
        elif self.checkpoint is None:
            yield Complaint((), "there is no graph_llm_train before it; put one there, or give checkpoint")
        elif (path := Path(self.checkpoint)) not in view.vector_files:
            try:
                config = GraphConfig.read(path, read_checkpoint(path).config)
                if (missing := why_missing(config.llm)) is not None:
                    yield Complaint(("checkpoint",), missing)
                yield from self._bad_rows(config.facts_as, compile_template(config.prompt, path))
            except (CheckpointError, PromptError) as error:
                yield Complaint(("checkpoint",), str(error))

    def _bad_rows(self, facts_as: str, template: PromptTemplate) -> Iterable[Complaint]:
        """Rows that the model of the checkpoint cannot have."""
        why = "the model was trained with facts_as: none and reads no graph; remove it"
        if self.no_graph and facts_as == "none":
            yield Complaint(("no_graph",), why)
        for place, name in enumerate(self.baselines):
            if name == "no_graph" and facts_as == "none":
                yield Complaint(("baselines", place), why)
            elif name == "llm_text" and not template.reads_facts:
                yield Complaint(
                    ("baselines", place), "the prompt of the training does not read 'facts'; llm_text would tell none"
                )

    def _bad_metrics(self, view: PlanView) -> Iterable[Complaint]:
        from utils.report.choice_metrics import parse_metric

        training = self._training(view)
        n = self.num_candidates or (20 if training is None else training.num_candidates)
        for place, name in enumerate(self.metrics if "metrics" in self.model_fields_set else ()):
            if name in self.metrics[:place]:
                yield Complaint(("metrics", place), f"{name} is there already")
                continue
            try:
                parse_metric(name, n)
            except ValueError as error:
                yield Complaint(("metrics", place), str(error))

    def _training(self, view: PlanView) -> GraphLlmTrain | None:
        """The step of this scenario that trains what is asked here."""
        own = [one for one in view.earlier if isinstance(one, GraphLlmTrain)]
        return next(
            (one for one in reversed(own) if self.checkpoint is None or _same(self.checkpoint, one.checkpoint)), None
        )

    def metrics_of(self, n: int) -> list[str]:
        """What is measured among `n` candidates: as given, and of the default what that many have."""
        if "metrics" in self.model_fields_set:
            return self.metrics
        return [name for name in self.metrics if int(name.partition("@")[2] or 1) <= n]

    @property
    def rows(self) -> list[str]:
        """The rows beside the model's: as given, and what a reranking has to be compared with where none are."""
        reranks = self.candidates == "model" and "baselines" not in self.model_fields_set
        return [*(["recommender"] if reranks else []), *self.baselines]

    def vector_files_written(self) -> Iterable[str]:
        return [name for name in (self.users_emb_file, self.items_emb_file) if name]

    def files_read(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, Path]]:
        path = Path(self.checkpoint) if self.checkpoint is not None else None
        return [("checkpoint", path)] if path is not None and path.is_file() else []

    def run(self, ctx: RunContext) -> StepResult:
        from utils.knowledge.graph_generation import generate

        return generate(ctx, self)


def _has_trained(earlier: Sequence[Command]) -> bool:
    """Whether the recommender is trained, and its trainer still there, after these steps."""
    state: set[str] = set()
    for one in earlier:
        state = (state - type(one).drops) | type(one).gives
    return {"trainer", "trained"} <= state


def _same(path: str, other: str | None) -> bool:
    return other is not None and Path(path) == Path(other)

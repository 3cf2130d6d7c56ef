"""`graph_llm_train`: teach a graph encoder, a projector and adapters what a language model should know of subgraphs.

`utils.knowledge.graph_questions` asks, `models.llm.graph_llm` answers, `models.training.fitting` trains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.commands.graph_llm_spec import (
    Candidates,
    Gnn,
    Lora,
    NegativeSampling,
    bad_gnn,
    bad_prompt,
    bad_subgraphs,
    of_each_seed,
    unread,
)
from utils.context import RunContext
from utils.scenario.vector_names import VectorFileName

_OF_TOKENS = ("gnn", "projector_hidden", "graph_tokens", "token_length")
Share = Annotated[float, Field(ge=0, lt=1)]
AtLeast0 = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@command("graph_llm_train")
class GraphLlmTrain(Command):
    """Train what lets a causal language model read retrieved subgraphs (K-RagRec).

    It is asked which of `num_candidates` items follows on a user's history and answers with a letter. A graph encoder
    and a projector turn the user's subgraphs into soft tokens ahead of the question (Wang et al., ACL 2025,
    arXiv 2501.02226); they are trained, and adapters with `llm_mode: lora`; the model itself is not.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    explained: ClassVar[Mapping[str, str]] = {
        "num_epochs": "use epochs",
        "lr": "use learning_rate",
        "wd": "use weight_decay",
        "grad_steps": "use grad_accum_steps",
        "patience": "use early_stopping_patience",
        "llm_model_name": "use llm",
        "llm_frozen": "use llm_mode: frozen or lora",
        "gnn_model_name": "use gnn: {type: gt}",
        "gnn_num_layers": "use gnn: {num_layers: 3}",
        "adaptive_ratio": "use popularity_threshold of retrieve_subgraph",
        "seed": "the scenario's setting seed is taken",
    }
    subgraphs: VectorFileName = Field("subgraphs.pt", description="What retrieve_subgraph wrote with train_windows.")
    llm: str = Field(
        "SmolLM2-135M-Instruct",
        description="A causal language model: a folder, a hub's name, or SmolLM2-135M-Instruct of its package.",
    )
    llm_mode: Literal["frozen", "lora"] = Field("frozen", description="Whether the model gets adapters.")
    lora: Lora = Field(Lora.model_validate({}), description="The adapters of llm_mode: lora.")
    facts_as: Literal["tokens", "text", "none"] = Field(
        "tokens", description="How subgraphs enter: as soft tokens, in words (KG-Text), or not at all."
    )
    gnn: Gnn = Field(Gnn.model_validate({}), description="The graph encoder of facts_as: tokens.")
    projector_hidden: PositiveInt = Field(2048, description="The width between graph encoder and language model.")
    graph_tokens: Literal["per_subgraph", "mean"] = Field(
        "per_subgraph", description="One token a subgraph (the paper), or one for all (the released code)."
    )
    token_length: Literal["embeddings", "free"] = Field(
        "embeddings", description="How long these are: as the model's words on average, or as projected."
    )
    prompt: str | None = Field(None, description="A jinja2 file with the question; default ours.")
    num_candidates: Candidates = Field(20, description="The item that follows and so many less one that do not.")
    negative_sampling: NegativeSampling = Field(
        "uniform", description="How the others are drawn: all alike, or by how many users of the train part have them."
    )
    shuffle_options: bool = Field(True, description="Put the options in another order in every epoch.")
    loss_on: Literal["answer", "options"] = Field(
        "answer", description="The letter and the end in the whole vocabulary, or the letter among the letters."
    )
    read_at: Literal["last", "options"] = Field(
        "last", description="The answer's letter at the last position (K-RagRec), or each option where it ends."
    )
    epochs: PositiveInt = 3
    batch_size: PositiveInt = 5
    grad_accum_steps: PositiveInt = Field(2, description="Batches of one step of the optimizer.")
    learning_rate: Above0 = Field(1e-5, description="K-RagRec's; adapters of a small model want more, see lora.")
    weight_decay: AtLeast0 = 0.05
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = Field([0.9, 0.95])
    clip_grad_norm: Above0 | None = 0.1
    lr_scheduler: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: AtLeast0 = Field(1, description="The rate rises step by step over so many epochs.")
    min_lr: AtLeast0 = Field(5e-6, description="The rate at the end of a cosine.")
    early_stopping_patience: PositiveInt | None = Field(
        2, description="Stop after so many epochs without a lower validation loss; never with None."
    )
    checkpoint: str | None = Field(
        None, description="Where to keep what was trained; in the run's folder when absent, for the steps after it."
    )
    truncate_history: bool = Field(False, description="Leave out the oldest items of a history that is too long.")
    limit: PositiveInt | None = Field(None, description="Only the first so many users, for a try.")
    valid_limit: PositiveInt | None = Field(
        None, description="Only so many of them are asked after each epoch; all when absent."
    )
    overwrite: bool = Field(False, description="Replace a checkpoint of anything else.")

    def check(self, view: PlanView) -> Iterable[Complaint]:
        from models.llm.causal_lm import why_missing

        given = self.model_fields_set
        yield from bad_subgraphs(view, self.subgraphs)
        if (missing := why_missing(self.llm)) is not None:
            yield Complaint(("llm",), missing)
        if self.llm_mode == "frozen":
            yield from unread(given, ["lora"], "with llm_mode: frozen")
            if self.facts_as != "tokens" and self.read_at == "last":
                yield Complaint(("facts_as",), f"with {self.facts_as} and llm_mode: frozen nothing is trained")
        if self.facts_as == "tokens":
            yield from bad_gnn(self.gnn)
        else:
            yield from unread(given, _OF_TOKENS, f"with facts_as: {self.facts_as}")
        if self.read_at == "options" and self.loss_on == "answer":
            yield Complaint(
                ("loss_on",) if "loss_on" in given else ("read_at",),
                "read_at: options does not read the letter that loss_on: answer trains; set loss_on: options",
            )
        yield from bad_prompt(self.prompt, self.facts_as == "text", self.read_at == "options")
        yield from self._bad_rates(given)
        if self.checkpoint is not None and Path(self.checkpoint).is_dir():
            yield Complaint(("checkpoint",), f"{self.checkpoint} is a folder; give the name of a file")
        if self.checkpoint is not None and not self.overwrite:
            yield from of_each_seed(view, "checkpoint", "one file cannot keep them all; leave it out")

    def _bad_rates(self, given: Iterable[str]) -> Iterable[Complaint]:
        if self.lr_scheduler == "constant":
            yield from unread(set(given), ["min_lr"], "with lr_scheduler: constant")
        elif self.min_lr > self.learning_rate:
            yield Complaint(
                ("min_lr",) if "min_lr" in given else ("learning_rate",),
                f"min_lr is {self.min_lr:g} and learning_rate {self.learning_rate:g}; the rate would rise to its end",
            )
        if self.warmup_epochs > self.epochs:
            at = "warmup_epochs" if "warmup_epochs" in given else "epochs"
            yield Complaint((at,), f"{self.warmup_epochs:g} epochs of warm-up are more than all {self.epochs}")

    def files_written(self) -> Iterable[Path]:
        return [] if self.checkpoint is None else [Path(self.checkpoint)]

    def files_read(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, Path]]:
        return [] if self.prompt is None else [("prompt", Path(self.prompt))]

    def run(self, ctx: RunContext) -> StepResult:
        from utils.knowledge.graph_training import train

        return train(ctx, self)

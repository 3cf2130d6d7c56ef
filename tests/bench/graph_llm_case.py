"""What the benchmark of graph language models works on: ml-100k's questions, their subgraphs, and a model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch

from models.llm.causal_lm import CausalLM
from models.llm.chat_layout import ChatLayout
from models.llm.graph_llm import GraphLLM
from utils.commands.graph_llm_train import GraphLlmTrain
from utils.context import RunContext
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.graph_task import Chosen
from utils.knowledge.samples import Split

T = TypeVar("T")
Mode = Literal["frozen", "lora"]


@dataclass(frozen=True)
class Settings:
    """The benchmark's arguments; `tests.bench.graph_llm --help` says what they are."""

    llm: str
    models_dir: Path | None
    kg_file: str
    users: int | None
    reference_users: int
    repeats: int
    threads: int
    batch_size: int
    new_tokens: int
    steps: int
    train_batch_size: int
    candidates: int
    max_neighbors: int
    gnn_layers: int
    gnn_hidden: int
    projector_hidden: int


@dataclass(frozen=True)
class Case:
    """A model that is not trained yet, and who asks it. lm: the language model in it. around: its fixed texts."""

    asked: GraphLlmTrain
    asker: Asker
    lm: CausalLM
    around: ChatLayout
    model: GraphLLM

    def chosen(self, split: Split, limit: int | None) -> Chosen:
        """The samples of a split, of the first `limit` users, with their candidates."""
        return chosen(self.asker, self.asked, split, limit)


def prepare(folder: Path, settings: Settings) -> None:
    """Retrieve the subgraphs of all samples into `folder`; those that it has already must be of the same settings.

    A packaged language model is converted here as well, so that no later process is measured with that.
    """
    from models.llm.causal_lm import converted, needs_conversion
    from utils.commands.retrieve_subgraph import RetrieveSubgraph
    from utils.paths import LLM_MODELS_DIR

    ctx = _context(folder, settings)
    if needs_conversion(settings.llm, LLM_MODELS_DIR):
        converted(settings.llm, LLM_MODELS_DIR)
    asked = {"kg_file": settings.kg_file, "graph_hops": 1, "max_neighbors": settings.max_neighbors, "train_windows": 1}
    RetrieveSubgraph.model_validate(asked).run(ctx)


def open_case(folder: Path, settings: Settings, mode: Mode) -> Case:
    """What `graph_llm_train` builds before it trains, on the CPU."""
    from models.llm.causal_lm import fingerprint
    from utils.knowledge.graph_config import GraphConfig
    from utils.knowledge.graph_model import build, layout, load_llm
    from utils.knowledge.graph_prompts import choose_template
    from utils.knowledge.opened_subgraphs import open_subgraphs

    ctx = _context(folder, settings)
    asked = GraphLlmTrain.model_validate(
        {
            "llm": settings.llm,
            "llm_mode": mode,
            "gnn": {"num_layers": settings.gnn_layers, "hidden_dim": settings.gnn_hidden},
            "projector_hidden": settings.projector_hidden,
            "num_candidates": settings.candidates,
            "batch_size": settings.train_batch_size,
        }
    )
    opened = open_subgraphs(ctx, asked.subgraphs)
    template, lm = choose_template(), load_llm(ctx, settings.llm, "llm")
    asker = Asker.of(ctx, opened, template, lm, truncate_history=False)
    first = chosen(asker, asked, "test", 1)
    around = layout(lm, asker.instruction(first.asked, first.candidates))
    config = GraphConfig.of(asked, template.source, fingerprint(lm), opened[0].index.nodes.shape[1])
    return Case(asked, asker, lm, around, build(ctx, config, lm, around, settings.candidates))


def chosen(asker: Asker, asked: GraphLlmTrain, split: Split, limit: int | None) -> Chosen:
    """The samples of a split, of the first `limit` users, with their candidates."""
    found: Sampled = asker.sampled(split, limit, in_words=False)
    return Chosen(found, asker.candidates(found.samples, asked.num_candidates, asked.negative_sampling))


def cpu_seconds(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of all threads of this process, and what came of the work; others' work does not count."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def _context(folder: Path, settings: Settings) -> RunContext:
    from tests.workspace import Workspace

    torch.set_num_threads(settings.threads)
    # Vector files and language models lie beside where a user stands.
    os.chdir(folder)
    models_dir = folder / "datasets" / "llm_models"
    if settings.models_dir is not None and not models_dir.exists():
        models_dir.parent.mkdir(exist_ok=True)
        models_dir.symlink_to(settings.models_dir, target_is_directory=True)
    context: RunContext = Workspace(folder).context(
        dataset="ml-100k", use_gpu=False, threads=settings.threads, seed=2020
    )
    return context

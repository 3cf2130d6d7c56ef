"""Runs of `graph_llm_train` and `graph_llm_generate` on the tiny dataset with a language model of random weights."""

from __future__ import annotations

import functools
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from models.llm.causal_lm import CausalLM, load
from models.llm.chat_layout import ChatLayout
from models.llm.graph_llm import GraphLLM
from tests.models.llm.tiny_lm import write_tiny_lm
from tests.workspace import Run, Workspace, standing_in
from utils.commands.graph_llm_train import GraphLlmTrain
from utils.knowledge.graph_config import GraphConfig
from utils.knowledge.graph_model import build, layout
from utils.knowledge.graph_prompts import choose_template
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.opened_subgraphs import open_subgraphs
from utils.knowledge.samples import Split
from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

# The tiny graph is drawn at random, so that its links agree with no class.
RETRIEVED: dict[str, Any] = {
    "kg_file": "tiny.kg",
    "link_file": "tiny.link",
    "link_check": "skip",
    "train_windows": 2,
}
GNN: dict[str, Any] = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2}
TRAINED: dict[str, Any] = {"llm": "lm", "num_candidates": 5, "epochs": 2, "learning_rate": 1e-3}


def retrieve(**changes: Any) -> dict[str, Any]:
    return {"retrieve_subgraph": {**RETRIEVED, **changes}}


def train(**changes: Any) -> dict[str, Any]:
    """30 users with two questions each, and five candidates of each; a small encoder where a graph is read."""
    reads = changes.get("facts_as", "tokens") == "tokens"
    small = {"gnn": GNN, "projector_hidden": 8} if reads else {}
    return {"graph_llm_train": {**TRAINED, **small, **changes}}


def generate(**changes: Any) -> dict[str, Any]:
    return {"graph_llm_generate": {"num_candidates": 5, "metrics": ["accuracy", "recall@3"], **changes}}


def ready(workspace: Workspace) -> Workspace:
    """With a language model in the folder `lm`, and with subgraphs of users and samples."""
    shutil.copytree(_retrieved().name, workspace.folder, dirs_exist_ok=True)
    return workspace


@functools.cache
def _retrieved() -> TemporaryDirectory[str]:
    """What `ready` copies: the text encoder takes seconds, and its files are the same each time."""
    folder = TemporaryDirectory()
    workspace = Workspace(Path(folder.name))
    write_tiny_lm(workspace.folder / "lm")
    done(workspace.run([retrieve()], "retrieved"))
    for left in ("saved", "log"):
        shutil.rmtree(workspace.folder / left)
    (workspace.folder / "journal.csv").unlink()
    return folder


def done(run: Run) -> Run:
    assert run.record.status == "done", run.console.text
    return run


def error_of(run: Run) -> str:
    assert run.record.status == "failed", run.console.text
    return str((run.record.error or {})["message"])


def problems_of(workspace: Workspace, steps: list[Any], **settings: Any) -> list[str]:
    """What is said against a scenario before anything runs."""
    path = workspace.write(steps, "checked", **settings)
    if "seeds" in settings:
        # The workspace's own seed would be one too many.
        path.write_text(re.sub(r"^seed:.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    with standing_in(workspace.folder):
        try:
            plan.build(source.read(path.relative_to(workspace.folder)))
        except ScenarioError as error:
            return [problem.message for problem in error.problems]
    return []


def rewrite(path: Path, **parts: dict[str, Any]) -> None:
    """Change a checkpoint by hand: values of its config or its meta."""
    content = torch.load(path, weights_only=True)
    torch.save({**content, **{part: {**content[part], **values} for part, values in parts.items()}}, path)


@dataclass(frozen=True)
class World:
    """A language model around a run's questions, below the commands: 30 users, all of whom have subgraphs."""

    asker: Asker
    lm: CausalLM

    def asked(self, split: Split = "test", in_words: bool = False) -> Sampled:
        return self.asker.sampled(split, None, in_words)

    def ragged(self, split: Split = "test") -> Sampled:
        """The first sample without any subgraph, the second with one of each slot, and so on up to all."""
        asked = self.asked(split)
        centres = asked.retrieved.centres.copy()
        for row in range(centres.shape[2]):
            centres[row, :, row:] = -1
        return replace(asked, retrieved=replace(asked.retrieved, centres=centres))

    def candidates(self, split: Split = "test", n: int = 5) -> np.ndarray:
        return self.asker.candidates(self.asked(split).samples, n, "uniform")

    @property
    def around(self) -> ChatLayout:
        return layout(self.lm, self.asker.instruction(self.asked(), self.candidates()))

    def model(self, **changes: Any) -> GraphLLM:
        """With a small graph encoder; untrained, but subgraphs and options are told apart as after a training."""
        asked = GraphLlmTrain(**train(**changes)["graph_llm_train"])
        config = GraphConfig.of(asked, self.asker.template.source, "", self.asker.ready.index.nodes.shape[1])
        built = build(self.asker.ctx, config, self.lm, self.around, 5)
        if built.reader is not None:
            torch.nn.init.normal_(built.reader.projector.output.weight, generator=torch.Generator().manual_seed(0))
        if built.option_head is not None:
            torch.nn.init.normal_(built.option_head.weight, generator=torch.Generator().manual_seed(0))
        return built


def world(workspace: Workspace, seed: int = 7) -> World:
    """Of a workspace that is `ready`; float32, so that sums in another order are the same but for the last digits."""
    ctx = workspace.context(llm_config={"embeddings_path": str(workspace.vectors.parent)}, seed=seed)
    lm = load(str(workspace.folder / "lm"), torch.device("cpu"), workspace.folder)
    lm = CausalLM(lm.model.float(), lm.tokenizer)
    return World(Asker.of(ctx, open_subgraphs(ctx, "subgraphs.pt"), choose_template(), lm, False), lm)

"""Training steps of a graph language model next to the language model's part in them, for `tests.bench.graph_llm`."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.graph.batches import SubgraphBatch, batch_of
from models.graph.subgraphs import Subgraphs
from models.training.fitting import FitOptions, fit
from tests.bench.graph_llm_case import Case, Mode, Settings, cpu_seconds, open_case
from tests.bench.memory import peak_bytes
from utils.knowledge.graph_task import Batch, GraphTask

ACCUMULATED = 2
# The first steps load what later ones find loaded.
WARM_UP = 1


@dataclass(frozen=True)
class Step:
    """CPU seconds of a step of training, and of its parts when each is done alone."""

    whole: float
    lm: float
    encoder: float
    subgraphs: float
    texts: float

    @property
    def rest(self) -> float:
        return self.whole - self.lm - self.encoder - self.subgraphs - self.texts


@dataclass
class Observed:
    """A `models.training.fitting.Task` of a few batches of another, whose parts are done again alone after each step.

    texts: seconds of making a batch's questions and their token ids.
    """

    task: GraphTask
    case: Case
    subgraphs: Subgraphs
    n_batches: int
    steps: list[Step] = field(default_factory=list)
    texts: float = 0.0
    _batches: list[Batch] = field(default_factory=list)
    _inputs: list[dict[str, Any]] = field(default_factory=list)
    _started: float = 0.0

    def batches(self, epoch: int) -> Sequence[Batch]:
        took, found = cpu_seconds(partial(self.task.batches, epoch))
        self.texts = took / len(found)
        self._started = time.process_time()
        return list(islice(cycle(found), self.n_batches))

    def size(self, batch: Batch) -> int:
        return self.task.size(batch)

    def describe(self, batch: Batch) -> str:
        return self.task.describe(batch)

    def validate(self) -> None:
        return None

    def loss(self, batch: Batch) -> torch.Tensor:
        self._batches.append(batch)
        watch = _inner(self.case).register_forward_pre_hook(self._note, with_kwargs=True)
        try:
            return self.task.loss(batch)
        finally:
            watch.remove()

    def on_step(self, _: int) -> None:
        whole = time.process_time() - self._started
        made = [cpu_seconds(partial(self._make, batch)) for batch in self._batches]
        adapters = self.case.asked.llm_mode == "lora"
        with self.case.model.untouched() if adapters else nullcontext():
            lm = sum(cpu_seconds(partial(self._answer, inputs))[0] for inputs in self._inputs)
        encoder = sum(cpu_seconds(partial(self._encode, batch))[0] for _, batch in made)
        texts = self.texts * len(made)
        self.steps.append(Step(whole + texts, lm, encoder, sum(took for took, _ in made), texts))
        self._batches.clear()
        self._inputs.clear()
        self._started = time.process_time()

    def _note(self, _: nn.Module, __: Any, given: dict[str, Any]) -> None:
        """Keep what the language model is given, with the cache as it is before the pass; not the head's own pass."""
        if "inputs_embeds" in given:
            plain = dict(given, inputs_embeds=given["inputs_embeds"].detach())
            self._inputs.append(copy.deepcopy(plain))

    def _answer(self, given: dict[str, Any]) -> None:
        """The language model alone, forward and backward to its inputs, the output layer at the last two positions."""
        inputs = dict(given, inputs_embeds=given["inputs_embeds"].requires_grad_())
        self.case.lm.model(**inputs, logits_to_keep=2).logits.float().logsumexp(dim=-1).sum().backward()

    def _make(self, batch: Batch) -> SubgraphBatch:
        got = self.task.train.asked.retrieved
        return batch_of(self.subgraphs, torch.from_numpy(got.centres[batch.rows]), got.expansion, got.hops)

    def _encode(self, batch: SubgraphBatch) -> None:
        """Graph encoder and projector alone, forward and backward to their parameters."""
        reader = self.case.model.reader
        assert reader is not None
        torch.autograd.grad(reader(batch).table.sum(), list(reader.parameters()))


def measure(folder: Path, settings: Settings, mode: Mode) -> tuple[list[Step], int]:
    """Steps of a training with the command's own settings, and the most bytes that its process held."""
    case = open_case(folder, settings, mode)
    n_batches = ACCUMULATED * (WARM_UP + settings.steps)
    # Of more users than are trained on, so that a batch's prompts are as alike in length as they are in a training.
    chosen = case.chosen("train", settings.users)
    task = GraphTask(
        case.model, case.asker, case.around, chosen, None, case.asked.loss_on, settings.train_batch_size, True
    )
    observed = Observed(task, case, case.asker.subgraphs(case.model.device), n_batches)
    fit(case.model, observed, FitOptions(epochs=1, grad_accum_steps=ACCUMULATED), on_step=observed.on_step)
    return observed.steps[WARM_UP:], peak_bytes()


def _inner(case: Case) -> nn.Module:
    """The language model's layers, without its output layer."""
    inner: nn.Module = case.lm.model.base_model
    return inner

"""A language model that reads subgraphs, on ml-100k: `python -m tests.bench.graph_llm [--users N] [--only PART]`.

Scoring against the released code's way, which lets the model write up to 64 tokens for each user and looks at the
first; what share of the machine's own products it reaches; and what a step of training costs next to the language
model's forward and backward pass alone. Figures are CPU seconds; ways that are compared take turns in one process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.llm.causal_lm import SMOLLM2
from tests.bench import graph_llm_steps
from tests.bench.graph_llm_case import Case, Mode, Settings, cpu_seconds, open_case, prepare
from tests.bench.memory import in_own_process, peak_bytes
from tests.bench.reference_generation import Generated, Reference
from utils.knowledge.candidates import option_order
from utils.knowledge.graph_prompts import Questions
from utils.knowledge.graph_scoring import Scorer
from utils.knowledge.graph_task import Chosen

GOAL_TIMES = 5
PARTS = ("scoring", "rate", "training")
SIDE, PRODUCTS = 2048, 3
# What a model that was taught to answer writes: a letter and the end.
TAUGHT = 2


@dataclass(frozen=True)
class Way:
    """How the reference is run. in_full: whether it writes on where the model would end."""

    attention: str
    at_once: int
    new_tokens: int
    in_full: bool

    def __str__(self) -> str:
        what = f"{'' if self.in_full else 'up to '}{self.new_tokens} tokens"
        return f"`generate`, {what}, {self.attention}, {self.at_once} at once"


@dataclass
class Passes:
    """What went through a language model's layers: calls, places for tokens in all and in the largest, tokens.

    seconds: of the CPU.
    """

    calls: int = 0
    places: int = 0
    largest: int = 0
    tokens: int = 0
    seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    if given.models_dir is not None:
        given.models_dir = given.models_dir.resolve()
    settings = Settings(**{one.name: getattr(given, one.name) for one in fields(Settings)})
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        in_own_process(prepare, folder, settings)
        if "scoring" in given.only:
            print("\n".join(in_own_process(scoring, folder, settings)), end="\n\n", flush=True)
        if "rate" in given.only:
            print("\n".join(in_own_process(rate, folder, settings)), end="\n\n", flush=True)
        if "training" in given.only:
            print("\n".join(training(folder, settings)), flush=True)


def scoring(folder: Path, settings: Settings) -> list[str]:
    """A few users by each way in turn."""
    case = open_case(folder, settings, "frozen")
    chosen, scorer = case.chosen("test", settings.reference_users), _scorer(case, settings)
    ways = [
        Way(attention, at_once, most, in_full)
        for most, in_full in ((settings.new_tokens, True), (settings.new_tokens, False), (TAUGHT, True))
        for attention, at_once in (("sdpa", 1), ("eager", 1), ("sdpa", 5))
    ]
    assert case.model.reader is not None
    parts = case.lm, case.model.frame, case.model.reader, case.asker.subgraphs(case.model.device)
    ours: list[float] = []
    theirs: dict[Way, list[float]] = {way: [] for way in ways}
    steps: dict[Way, float] = {}
    same: dict[Way, float] = {}
    n = len(chosen.asked)
    for _ in range(settings.repeats):
        took, scores = cpu_seconds(partial(_score, scorer, chosen))
        ours.append(took / n)
        for way in ways:
            reference = Reference(*parts, way.new_tokens, way.in_full)
            with _attention(case, way.attention):
                took, (picked, steps[way]) = cpu_seconds(partial(_generate, reference, scorer, chosen, way.at_once))
            theirs[way].append(took / n)
            same[way] = float((picked.argmax(axis=1) == scores.argmax(axis=1)).mean())
    lines = [
        f"{n} users, {settings.repeats} times in turn; {_machine(case)}; goal {GOAL_TIMES} times less",
        "",
        "| scoring | s a user | times ours | steps of writing | same first choice |",
        "|---|---|---|---|---|",
        f"| one forward pass, batches of {settings.batch_size} of like length | {statistics.median(ours):.3f} | | | |",
    ]
    for way, seconds in theirs.items():
        times = [one / own for one, own in zip(seconds, ours, strict=True)]
        lines.append(
            f"| {way} | {statistics.median(seconds):.3f} | {statistics.median(times):.1f} ({min(times):.1f} to "
            f"{max(times):.1f}) | {steps[way]:.1f} | {same[way]:.0%} |"
        )
    return lines


def rate(folder: Path, settings: Settings) -> list[str]:
    """All users, and what share that is of this machine's own products, measured before and after."""
    case = open_case(folder, settings, "frozen")
    chosen, scorer = case.chosen("test", settings.users), _scorer(case, settings)
    inner = case.lm.model.base_model
    linears = [module for module in inner.modules() if isinstance(module, nn.Linear)]
    # A batch of which nothing is measured but its size.
    with _watched(inner) as first:
        _score(scorer, case.chosen("test", settings.batch_size))
    own, square = _own_products(linears, first.largest), _square_products(case.lm.model.dtype)
    started = time.perf_counter()
    with _watched(inner) as passes:
        took, _ = cpu_seconds(partial(_score, scorer, chosen))
    wall, most, n = time.perf_counter() - started, peak_bytes(), len(chosen.asked)
    own += _own_products(linears, first.largest)
    square += _square_products(case.lm.model.dtype)
    everything = sum(parameter.numel() for parameter in case.lm.model.parameters())
    everywhere = sum(module.weight.numel() for module in linears)
    lines = [
        f"{n} users with a history: {took:.1f} CPU seconds ({wall:.1f} by the clock), {1e3 * took / n:.0f} ms a user; "
        f"{passes.seconds / took:.1%} of them in the language model's layers; peak of the process "
        f"{most / 2**20:,.0f} MiB",
        f"{passes.tokens:,} tokens, {passes.places:,} with padding, in {passes.calls} passes; {_machine(case)}",
        f"products alone, in GFLOP/s: {_spread(own)} in the layers' own shapes with {first.largest:,} rows, "
        f"{_spread(square)} in squares of {SIDE}",
        "",
        "| floor: 2 x parameters x tokens | GFLOP/s | of the rate in own shapes | in squares |",
        "|---|---|---|---|",
    ]
    for which, parameters in (("all", everything), ("those at work at every position", everywhere)):
        for what, tokens in (("tokens", passes.tokens), ("with padding", passes.places)):
            reached = 2e-9 * parameters * tokens / took
            lines.append(
                f"| {parameters / 1e6:.1f}M ({which}), {what} | {reached:,.0f} | "
                f"{reached / statistics.median(own):.0%} | {reached / statistics.median(square):.0%} |"
            )
    return lines


def training(folder: Path, settings: Settings) -> list[str]:
    """A step of either mode next to the language model's passes alone, on the same inputs."""
    lines = [
        f"{settings.steps} steps of {graph_llm_steps.ACCUMULATED} batches of {settings.train_batch_size}, each next to "
        "its parts done alone, forward and backward; the rest: adapters, embeddings, loss, optimizer",
        "",
        "| llm_mode | s a step | language model alone | times it | encoder and projector | subgraphs | texts "
        "| the rest | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    modes: tuple[Mode, ...] = ("frozen", "lora")
    for mode in modes:
        steps, most = in_own_process(graph_llm_steps.measure, folder, settings, mode)
        times = [step.whole / step.lm for step in steps]
        shares = [
            statistics.median(getattr(step, part) / step.whole for step in steps)
            for part in ("encoder", "subgraphs", "texts", "rest")
        ]
        lines.append(
            f"| {mode} | {statistics.median(step.whole for step in steps):.2f} | "
            f"{statistics.median(step.lm for step in steps):.2f} | {statistics.median(times):.2f} ({min(times):.2f} to "
            f"{max(times):.2f}) | {' | '.join(f'{share:.1%}' for share in shares)} | {most / 2**20:,.0f} |"
        )
    return lines


def _scorer(case: Case, settings: Settings) -> Scorer:
    return Scorer(case.model, case.asker, case.around, settings.batch_size)


def _score(scorer: Scorer, chosen: Chosen) -> np.ndarray:
    """[S, n] by our way, the head's keys and values computed anew."""
    scorer.model.eval()
    return scorer.scores(chosen.asked, chosen.candidates, True, "bench")


def _generate(reference: Reference, scorer: Scorer, chosen: Chosen, at_once: int) -> tuple[np.ndarray, float]:
    """[S, n] by the reference's way, and how many steps of writing a user took; texts are made as they are asked."""
    asked, asker = chosen.asked, scorer.asker
    order = option_order(asked.samples, chosen.candidates.shape[1], asker.seed, None)
    options, centres = chosen.options(order), torch.from_numpy(asked.retrieved.centres)
    questions = asker.questions(asked, options)
    bodies = lambda rows: asker.tokens(_some(questions, rows), scorer.around, 0).ids  # noqa: E731
    found: list[Generated] = []
    for rows in torch.arange(len(asked)).split(at_once):
        found.append(reference(bodies(rows.tolist()), centres[rows]))
    by_option = torch.cat([one.probabilities for one in found]).numpy()
    scores = np.empty_like(by_option)
    np.put_along_axis(scores, order, by_option, axis=1)
    return scores, statistics.mean(one.steps for one in found)


def _some(questions: Questions, rows: Sequence[int]) -> Questions:
    assert questions.options is not None
    users = [questions.users[row] for row in rows]
    return replace(questions, users=users, histories=questions.histories[rows], options=questions.options[rows])


@contextmanager
def _attention(case: Case, kind: str) -> Iterator[None]:
    """transformers' own default is `sdpa`; what the language model is left with is ours."""
    before = case.lm.model.config._attn_implementation
    case.lm.model.set_attn_implementation(kind)
    try:
        yield
    finally:
        case.lm.model.set_attn_implementation(before)


@contextmanager
def _watched(inner: nn.Module) -> Iterator[Passes]:
    """Count what goes through a language model's layers inside the block."""
    passes, started = Passes(), [0.0]

    def before(_: nn.Module, __: Any, given: dict[str, Any]) -> None:
        ids = given.get("inputs_embeds", given.get("input_ids"))
        assert ids is not None
        mask = given.get("attention_mask")
        n_places = ids.shape[0] * ids.shape[1]
        passes.calls += 1
        passes.places += n_places
        passes.largest = max(passes.largest, n_places)
        # The mask covers what lies in the cache as well, ahead of these.
        passes.tokens += n_places if mask is None else int(mask[:, -ids.shape[1] :].sum())
        started[0] = time.process_time()

    def after(*_: Any) -> None:
        passes.seconds += time.process_time() - started[0]

    hooks = [inner.register_forward_pre_hook(before, with_kwargs=True), inner.register_forward_hook(after)]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def _own_products(linears: Sequence[nn.Linear], rows: int) -> list[float]:
    """GFLOP/s of the layers' linear parts one after another, as often as they are there, without all between them."""
    inputs = {one.in_features: torch.randn(rows, one.in_features).to(one.weight.dtype) for one in linears}
    flops = 2e-9 * rows * sum(one.weight.numel() for one in linears)
    return _rates(flops, lambda: [one(inputs[one.in_features]) for one in linears])


def _square_products(dtype: torch.dtype) -> list[float]:
    left, right = torch.randn(2, SIDE, SIDE).to(dtype)
    return _rates(2e-9 * SIDE**3, lambda: left @ right)


def _rates(gflops: float, work: Callable[[], Any]) -> list[float]:
    work()
    return [gflops / cpu_seconds(work)[0] for _ in range(PRODUCTS)]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def _machine(case: Case) -> str:
    threads = torch.get_num_threads()
    return f"{case.asked.llm}, {case.lm.model.dtype}, {threads} thread{'s' if threads > 1 else ''}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.graph_llm", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", choices=PARTS, default=PARTS)
    add("--users", type=int, help="of all, where all are asked; default all")
    add("--reference-users", type=int, default=24, help="whom both ways ask")
    add("--repeats", type=int, default=3, help="how often these are asked")
    add("--steps", type=int, default=6, help="of training in either mode")
    add("--new-tokens", type=int, default=64, help="what the reference writes at most")
    add("--threads", type=int, default=1)
    add("--llm", default=SMOLLM2)
    add("--models-dir", type=Path, help="where packaged models lie converted; else this one is, at first")
    add("--folder", type=Path, help="kept for the next run: what texts and subgraphs are encoded to, in minutes")
    add("--kg-file", default="film-facts")
    add("--max-neighbors", type=int, default=64)
    add("--candidates", type=int, default=20)
    add("--batch-size", type=int, default=16, help="of our scoring")
    add("--train-batch-size", type=int, default=5)
    add("--gnn-layers", type=int, default=3)
    add("--gnn-hidden", type=int, default=1024)
    add("--projector-hidden", type=int, default=2048)
    return parser


if __name__ == "__main__":
    main()

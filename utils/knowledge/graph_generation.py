"""From a scenario's `graph_llm_generate` to its table, its files and its place in the record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.commands.base import StepResult
from utils.context import RunContext
from utils.knowledge.graph_checkpoint import CheckpointError, GraphCheckpoint, load_into, read_checkpoint
from utils.knowledge.graph_choices import Choices, choices_of
from utils.knowledge.graph_config import GraphConfig
from utils.knowledge.graph_lines import write_lines
from utils.knowledge.graph_questions import Asker, Sampled
from utils.knowledge.graph_record import note_choices
from utils.knowledge.graph_scoring import Scorer
from utils.knowledge.graph_vectors import Vectors
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.commands.graph_llm_generate import GraphLlmGenerate
    from utils.report.choice_table import ChoiceTable

# What the model's own row is called, by how subgraphs enter.
_ROWS = {"tokens": "graph_llm", "text": "text_llm", "none": "tuned_llm"}


@dataclass(frozen=True)
class Opened:
    """A trained model, ready to be asked."""

    path: Path
    checkpoint: GraphCheckpoint
    config: GraphConfig
    scorer: Scorer
    choices: Choices

    def asked(self, graph: bool, in_words: bool) -> Sampled:
        """The samples, with facts as sentences where these are to be read."""
        return self._in_words if graph and in_words else self.choices.asked

    @cached_property
    def _in_words(self) -> Sampled:
        own = self.choices.asked
        return self.scorer.asker.with_facts(own.samples, own.retrieved)


def generate(ctx: RunContext, asked: GraphLlmGenerate) -> StepResult:
    """Let the trained model choose, compare it, and write what is asked for."""
    try:
        return _generate(ctx, asked)
    except StepError as error:
        if error.parameter is None or error.parameter.split(".")[0] in type(asked).model_fields:
            raise
        # What could be set in the training is no parameter here.
        raise StepError("checkpoint", error.message) from error


def _generate(ctx: RunContext, asked: GraphLlmGenerate) -> StepResult:
    from utils.report.choice_rows import write_rows
    from utils.report.choice_table import choice_table

    opened = _open(ctx, asked)
    vectors = Vectors(ctx, asked, opened.checkpoint, opened.scorer)
    # What is there and does not fit is told before minutes are spent on scoring.
    vectors.look()
    if "llm_text" in asked.rows:
        # No other row's questions are longer than the model's own.
        opened.scorer.look(opened.asked(True, True), opened.choices.candidates)
    in_words = opened.config.facts_as == "text"
    reads_graph = opened.config.facts_as != "none" and not asked.no_graph
    main = _ROWS[opened.config.facts_as] + ("_no_graph" if asked.no_graph else "")
    started = time.perf_counter()
    scores = _scores(opened, reads_graph, in_words, main)
    took = time.perf_counter() - started
    by_row = {main: scores} | {name: _baseline(opened, name, in_words) for name in asked.rows}
    metrics = asked.metrics_of(opened.choices.candidates.shape[1])
    rows = {name: opened.choices.metrics(found, metrics) for name, found in by_row.items()}
    table = choice_table(main, rows, _chance(opened, asked, metrics[0]))
    written: list[str] | None = None
    if asked.max_new_tokens:
        subjects = opened.asked(reads_graph, in_words)
        as_tokens = reads_graph and not in_words
        written = opened.scorer.written(subjects, opened.choices.candidates, as_tokens, asked.max_new_tokens)
    write_lines(ctx.run_dir / asked.file_out, opened.scorer.asker, opened.choices, scores, written)
    number = len(ctx.record.steps)
    users = opened.choices.asked.samples.users
    files = write_rows(ctx.run_dir, number, users, _n_train(ctx, users), rows)
    note_choices(ctx, opened.config, opened.checkpoint, table.facts, opened.choices, files[main])
    rows_of = vectors.write(in_words)
    facts = {
        "table": table.facts,
        "files": files,
        "file_out": asked.file_out,
        "checkpoint": str(opened.path),
        "right_among_candidates": float(opened.choices.right.any(axis=1).mean()),
        "histories_shortened": opened.scorer.shortened,
        "rows": rows_of,
        "seconds": {"scoring": round(took, 3)},
    }
    lines = [*_shown(table), *_notes(opened)]
    return StepResult(facts=facts, summary=_summary(asked, table, took, rows_of), show="\n".join(lines))


def _open(ctx: RunContext, asked: GraphLlmGenerate) -> Opened:
    """Read the checkpoint and build its model around this run's graph; StepError where they do not fit."""
    from models.llm.causal_lm import fingerprint
    from utils.data.prompts import compile_template
    from utils.knowledge.graph_model import build, layout, load_llm
    from utils.knowledge.opened_subgraphs import open_subgraphs
    from utils.report.choice_metrics import parse_metric

    path = _trained_here(ctx) if asked.checkpoint is None else Path(asked.checkpoint)
    try:
        checkpoint = read_checkpoint(path)
        config = GraphConfig.read(path, checkpoint.config)
    except CheckpointError as error:
        raise StepError("checkpoint", str(error)) from error
    opened = open_subgraphs(ctx, asked.subgraphs)
    _refuse_other_training(ctx, path, checkpoint)
    here = {"dataset": ctx.settings["dataset"], "train_fingerprint": ctx.train_fingerprint}
    for key, what in (("dataset", "another dataset"), ("train_fingerprint", "another train part")):
        if checkpoint.meta.get(key) != here[key]:
            raise StepError("checkpoint", f"{path} was trained on {what}, which may hold this run's test items")
    if config.facts_as != "none" and checkpoint.meta.get("subgraphs") != opened[1].fingerprint:
        raise StepError("checkpoint", f"{path} was trained on other subgraphs than those of {asked.subgraphs}")
    lm = load_llm(ctx, config.llm, "checkpoint")
    if fingerprint(lm) != config.llm_fingerprint:
        raise StepError("checkpoint", f"{path} was trained with other weights of {config.llm} than those that are here")
    template, reads_ends = compile_template(config.prompt, path), config.read_at == "options"
    asker = Asker.of(ctx, opened, template, lm, asked.truncate_history, reads_ends)
    n = asked.num_candidates or checkpoint.meta.get("parameters", {}).get("num_candidates", 20)
    for name in asked.metrics_of(n):
        try:
            parse_metric(name, n)
        except ValueError as error:
            # Of a checkpoint from elsewhere the number of candidates is known only here.
            raise StepError("metrics", str(error)) from error
    choices = choices_of(ctx, asked, asker, n)
    try:
        around = layout(lm, asker.instruction(choices.asked, choices.candidates))
        model = build(ctx, config, lm, around, choices.candidates.shape[1])
        load_into(path, model, checkpoint.tensors)
    except CheckpointError as error:
        raise StepError("checkpoint", str(error)) from error
    model.eval()
    scorer = Scorer(model, asker, around, asked.batch_size, max(1, asked.max_new_tokens))
    return Opened(path, checkpoint, config, scorer, choices)


def _refuse_other_training(ctx: RunContext, path: Path, checkpoint: GraphCheckpoint) -> None:
    """StepError where this run has trained under that name, and another run has replaced it since."""
    trainings = [step["facts"] for step in ctx.record.steps if step["command"] == "graph_llm_train"]
    trained = [facts for facts in trainings if facts["checkpoint"] == str(path)]
    if trained and trained[-1]["fingerprint"] != checkpoint.meta.get("fingerprint"):
        raise StepError("checkpoint", f"{path} is no longer what this run has trained; give each run a file of its own")


def _trained_here(ctx: RunContext) -> Path:
    """The checkpoint of this run's latest training."""
    trainings = [step for step in ctx.record.steps if step["command"] == "graph_llm_train"]
    return Path(trainings[-1]["facts"]["checkpoint"])


def _scores(opened: Opened, reads_graph: bool, in_words: bool, what: str) -> np.ndarray:
    """[S, n]: of the trained model."""
    subjects = opened.asked(reads_graph, in_words)
    return opened.scorer.scores(subjects, opened.choices.candidates, reads_graph and not in_words, what)


def _baseline(opened: Opened, name: str, in_words: bool) -> np.ndarray:
    """[S, n]: scores of a row beside the model's own."""
    from utils.report.choice_baselines import popularity_scores, random_scores

    choices = opened.choices
    if name == "random":
        return random_scores(choices.candidates)
    if name == "popularity":
        return popularity_scores(choices.candidates, opened.scorer.asker.ready.index.items.popularity)
    if name == "recommender":
        assert choices.ranked is not None
        return choices.ranked
    if name == "no_graph":
        return _scores(opened, False, in_words, name)
    subjects = opened.asked(True, True) if name == "llm_text" else choices.asked
    with opened.scorer.untouched():
        return opened.scorer.scores(subjects, choices.candidates, False, name)


def _chance(opened: Opened, asked: GraphLlmGenerate, metric: str) -> dict[str, np.ndarray]:
    """The row of chance, and how far chance scatters in each sample [S]: not where nothing right can be chosen."""
    from utils.report.choice_metrics import chance_variance

    variance = chance_variance(metric, opened.choices.candidates.shape[1])
    there = opened.choices.right.any(axis=1)
    return {"random": np.where(there, variance, 0.0)} if "random" in asked.rows else {}


def _n_train(ctx: RunContext, users: tuple[str, ...]) -> np.ndarray:
    """[S]: how many items of the train part each user has."""
    from utils.recbole_port import session
    from utils.recbole_port.train_part import train_counts

    config = ctx.recbole_config()
    counts = train_counts(config, ctx.data)[0]
    tokens = session.id_map(ctx.data, config["USER_ID_FIELD"]).real_tokens
    of = dict(zip(tokens, counts[1:].tolist(), strict=True))
    return np.array([of[user] for user in users])


def _shown(table: ChoiceTable) -> list[str]:
    return [f"        {line}".rstrip() for line in table.lines]


def _notes(opened: Opened) -> list[str]:
    """What has to be known beside the table: what no row could find, and whose histories were cut."""
    notes = []
    if (share := opened.choices.right.any(axis=1).mean()) < 1:
        notes.append(
            f"the right item is among the candidates of {share:.1%} of the users; the others count 0 in all rows"
        )
    for what, count in opened.scorer.shortened.items():
        notes.append(f"{what}: {count:,} histories are too long for the model and lost their oldest items")
    return [f"        {note}" for note in notes]


def _summary(asked: GraphLlmGenerate, table: ChoiceTable, took: float, vectors: Mapping[str, int]) -> str:
    main = table.facts["main"]
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in table.facts["rows"][main].items())
    files = [f"{getattr(asked, parameter)}: {rows:,} {parameter.split('_')[0]}" for parameter, rows in vectors.items()]
    n = table.facts["samples"]
    return "; ".join([f"{main}: {metrics}; {n:,} users scored in {took:.1f} s", asked.file_out, *files])

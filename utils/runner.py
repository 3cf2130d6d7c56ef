"""The loop: run the steps of one plan, time them, and leave a record whatever happens."""

from __future__ import annotations

import datetime
import logging
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from utils.commands.base import StepResult
from utils.console import Console
from utils.context import RunContext
from utils.journal import csv_journal
from utils.journal.environment import environment
from utils.journal.records import RunRecord, make_run_dir
from utils.scenario.errors import Problem, StepError
from utils.scenario.paths import saved_dir
from utils.scenario.plan import Plan, Step
from utils.scenario.settings import effective

LOG_DIR = Path("log")
# Steps faster than this are shown without their time.
_SHOWN_FROM_S = 0.05


class CannotRecord(OSError):
    """There is no place to keep what a run finds out."""


def run_plan(plan: Plan, console: Console) -> RunRecord:
    """Run one scenario; its record says how it ended. KeyboardInterrupt is passed on, after the record."""
    now = datetime.datetime.now()
    model = str(plan.settings["model"])
    saved = saved_dir(plan.settings)
    try:
        run_id, run_dir = make_run_dir(saved, model, now)
        (run_dir / "resolved.yaml").write_text(_resolved(plan), encoding="utf-8")
    except OSError as error:
        raise CannotRecord(f"cannot write to {saved}: {error.strerror or error}") from error
    settings = dict(plan.settings)
    record = RunRecord(
        run_id,
        str(plan.path),
        {**settings, "seed": effective(settings)["seed"]},
        started=now.isoformat(timespec="seconds"),
        environment=environment(),
    )
    ctx = RunContext(settings, record, run_dir, plan.path, console)
    started = time.perf_counter()
    try:
        record.write(run_dir)
        _run_steps(plan, ctx)
        record.status = "done"
    except KeyboardInterrupt:
        record.status, record.error = "cancelled", {"message": "cancelled by the user"}
        raise
    except OSError as error:
        record.status, record.error = "failed", {"message": f"{type(error).__name__}: {error}"}
        console.line(f"    failed: {error}")
    except _Failed as failure:
        record.status, record.error = "failed", failure.facts
    finally:
        record.ended = datetime.datetime.now().isoformat(timespec="seconds")
        record.seconds = round(time.perf_counter() - started, 3)
        _finish(ctx, settings.get("journal_name", "journal.csv"))
    return record


class _Failed(Exception):
    """A step failed; `facts` are the record's."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        super().__init__(facts["message"])


def _run_steps(plan: Plan, ctx: RunContext) -> None:
    from utils.recbole_port.logs import run_log

    level = str(plan.settings.get("logger_level") or plan.settings.get("state") or "INFO")
    log_path = LOG_DIR / str(plan.settings["model"]) / f"{ctx.run_id}.log"
    with run_log(log_path, level, ctx.console):
        _set_threads(plan.settings.get("threads"))
        _preprocess(ctx)
        for number, step in enumerate(plan.steps, start=1):
            ctx.console.line(f"    {number}/{len(plan.steps)} {step.command.name}")
            if _run_step(plan, step, ctx).stop:
                break


def _run_step(plan: Plan, step: Step, ctx: RunContext) -> StepResult:
    from utils.recbole_port.session import kept_random_state

    name, started = step.command.name, time.perf_counter()
    entry: dict[str, Any] = {"command": name, "params": step.command.model_dump(exclude_unset=True)}
    try:
        if step.command.draws:
            result = step.command.run(ctx)
        else:
            with kept_random_state():
                result = step.command.run(ctx)
    except StepError as error:
        raise _Failed(_blame(plan, step, error, ctx)) from error
    except (KeyboardInterrupt, OSError):
        raise
    except Exception as error:
        # RecBole and torch raise anything; one failing experiment must not stop the folder.
        logging.getLogger().error("%s", traceback.format_exc())
        wrapped = StepError(None, f"{name} failed: {type(error).__name__}: {error}")
        raise _Failed(_blame(plan, step, wrapped, ctx)) from error
    seconds = time.perf_counter() - started
    if result.show:
        ctx.console.line(result.show)
    if result.summary:
        took = f", {seconds:.1f} s" if seconds >= _SHOWN_FROM_S else ""
        ctx.console.line(f"        {result.summary}{took}")
    logging.getLogger().info("%s: %s", name, dict(result.facts))
    ctx.record.steps.append({**entry, "seconds": round(seconds, 3), "facts": dict(result.facts)})
    ctx.record.write(ctx.run_dir)
    return result


def _blame(plan: Plan, step: Step, error: StepError, ctx: RunContext) -> dict[str, Any]:
    """Show where in the file the fault lies, and say it as the record does."""
    if error.command is not None:
        before = plan.steps[: plan.steps.index(step)]
        step = next((earlier for earlier in reversed(before) if earlier.command.name == error.command), step)
    path = step.locate((error.parameter,) if error.parameter else ())
    dotted = f"{step.command.name}.{error.parameter}" if error.parameter else step.command.name
    problem: Problem = plan.source.problem(path, f"{dotted}: {error.message}")
    ctx.console.line(problem.render())
    logging.getLogger().error("%s", problem.render())
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "command": step.command.name,
    }


def _finish(ctx: RunContext, journal_name: str) -> None:
    """Write the record and the journal row; say so where the disk does not take them."""
    if ctx.wrapper is not None:
        ctx.wrapper.remove_outputs()
    if ctx.settings.get("save") is False:
        for checkpoint in ctx.run_dir.glob("model*.pth"):
            checkpoint.unlink()
    for what, write in (
        ("the record", lambda: ctx.record.write(ctx.run_dir)),
        ("the journal", lambda: csv_journal.append(ctx.experiment_dir / journal_name, ctx.record)),
    ):
        try:
            write()
        except OSError as error:
            ctx.console.line(f"    warning: {what} could not be written: {error}")


def _preprocess(ctx: RunContext) -> None:
    """LLM-KT's preprocess sections, before the first step."""
    from utils.data.embeddings import VectorFileError, write_vectors
    from utils.data.preprocess import random_vectors, write_from_json

    from_json = ctx.llm_config.get("preprocess_from_json") or {}
    if from_json and ctx.vector_path(from_json["from"]).is_file():
        try:
            done = write_from_json(ctx.vectors_dir, from_json["from"], from_json["to"])
        except VectorFileError as error:
            raise _Failed({"message": f"llm_config.preprocess_from_json: {error}"}) from error
        ctx.console.line(f"    preprocess_from_json: {done}")
    at_random: Mapping[str, Any] = ctx.llm_config.get("preprocess_random") or {}
    if at_random.get("random"):
        from utils.recbole_port import session
        from utils.scenario.settings_schema import PreprocessRandom

        chosen = PreprocessRandom.model_validate(dict(at_random))
        config = ctx.recbole_config()
        for field, name in (
            ("USER_ID_FIELD", chosen.random_users_emb_file),
            ("ITEM_ID_FIELD", chosen.random_items_emb_file),
        ):
            tokens = session.id_map(ctx.data, config[field]).real_tokens
            write_vectors(ctx.vector_path(name), random_vectors(tokens, chosen.embedding_size, config["seed"]))
            ctx.console.line(f"    preprocess_random: {name}, {len(tokens):,} random vectors")


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _resolved(plan: Plan) -> str:
    """The scenario as it runs: all settings with RecBole's defaults, and the steps with theirs."""
    steps = [{step.command.name: step.command.model_dump() or None} for step in plan.steps]
    content = {**effective(plan.settings), "scenario": steps}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

"""The page of one user's subgraphs, from a scenario that has retrieved them."""

from __future__ import annotations

import copy
import re
import tempfile
import warnings
from pathlib import Path

from utils.commands.retrieve_subgraph import RetrieveSubgraph
from utils.commands.set import Set
from utils.commands.set_config import SetConfig
from utils.console import Console
from utils.context import RunContext
from utils.journal.records import RunRecord
from utils.registry import did_you_mean
from utils.scenario.errors import StepError
from utils.scenario.plan import Plan


class CannotShow(ValueError):
    """A user whose subgraphs cannot be shown, and why."""


def write_page(plan: Plan, user: str, folder: Path, console: Console) -> Path:
    """Write `subgraphs-<user>.html` into `folder`; CannotShow where the scenario has not retrieved this user's."""
    from utils.knowledge.shown import shown
    from utils.knowledge.subgraphs import prepare, retrieved_before
    from utils.recbole_port.session import kept_process_state
    from utils.report.subgraph_page import render_subgraphs

    steps = [step.command for step in plan.steps]
    asked = next((one for one in reversed(steps) if isinstance(one, RetrieveSubgraph)), None)
    if asked is None:
        raise CannotShow(f"{plan.path} has no retrieve_subgraph, so there is nothing to show")
    with tempfile.TemporaryDirectory() as scratch, kept_process_state(plan.settings.get("threads")):
        record = RunRecord("show", str(plan.path), dict(plan.settings))
        ctx = RunContext(copy.deepcopy(plan.settings), record, Path(scratch), plan.path, console)
        for name in (asked.file_out, asked.index_file):
            if not ctx.vector_path(name).is_file():
                raise CannotShow(f"no file {ctx.vector_path(name)} yet; run {plan.path} first")
        # RecBole's and torch's warnings are for developers; a run keeps them in its log.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                for command in steps[: steps.index(asked)]:
                    if isinstance(command, (Set, SetConfig)):
                        command.run(ctx)
                # What is there is shown: nothing is made anew.
                asked = asked.model_copy(update={"overwrite": False})
                ready = prepare(ctx, asked)
                file = retrieved_before(ctx, asked, ready)
            except StepError as error:
                raise CannotShow(f"{plan.path}: {error.message}") from error
            if file is None:
                raise CannotShow(f"no file {ctx.vector_path(asked.file_out)} yet; run {plan.path} first")
            if user not in file.users:
                why = f"the {len(file.users):,} users with a history are {', '.join(file.users[:5])}, ..."
                raise CannotShow(f"no user '{user}' with a history{did_you_mean(user, file.users)}; {why}")
            html = render_subgraphs(shown(ctx, asked, ready, file, user))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"subgraphs-{re.sub(r'[^0-9A-Za-z_.-]', '_', user)}.html"
    path.write_text(html, encoding="utf-8")
    return path

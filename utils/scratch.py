"""A run context without a run: for what is looked at and leaves no record."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from utils.commands.base import Command
from utils.console import Console
from utils.context import RunContext
from utils.journal.records import RunRecord
from utils.scenario.plan import Plan


@contextmanager
def scratch_context(plan: Plan, console: Console) -> Iterator[RunContext]:
    """A context with the plan's settings and threads; its folder goes with it.

    RecBole's and torch's warnings are for developers, and are not shown; a run keeps them in its log.
    """
    from utils.recbole_port.session import kept_process_state

    with tempfile.TemporaryDirectory() as folder, kept_process_state(plan.settings.get("threads")):
        record = RunRecord("scratch", str(plan.path), dict(plan.settings))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield RunContext(copy.deepcopy(plan.settings), record, Path(folder), plan.path, console)


def changes_of_settings(commands: Sequence[Command]) -> list[Command]:
    """Those of the commands that change settings."""
    from utils.commands.set import Set
    from utils.commands.set_config import SetConfig

    return [one for one in commands if isinstance(one, (Set, SetConfig))]

"""The layer tree of a scenario's model, without training anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

from utils.console import Console
from utils.context import RunContext
from utils.journal.records import RunRecord
from utils.scenario.plan import Plan


def tree_of(plan: Plan, console: Console) -> str:
    """Load the data, build the model, and show its layers with the numbers that `set_outputs` takes."""
    from models.transfer.layers import tree_text
    from utils.recbole_port import session

    with tempfile.TemporaryDirectory() as folder:
        record = RunRecord("info", str(plan.path), dict(plan.settings))
        ctx = RunContext(dict(plan.settings), record, Path(folder), plan.path, console)
        return tree_text(session.build_model(ctx.recbole_config(), ctx.data))

"""The page of one user's subgraphs, from a scenario that has retrieved them."""

from __future__ import annotations

import re
from pathlib import Path

from utils.commands.retrieve_subgraph import RetrieveSubgraph
from utils.console import Console
from utils.data.fingerprint import short_hash
from utils.registry import did_you_mean
from utils.scenario.errors import StepError
from utils.scenario.plan import Plan
from utils.scratch import changes_of_settings, scratch_context


class CannotShow(ValueError):
    """A user whose subgraphs cannot be shown, and why."""


def write_page(plan: Plan, user: str, folder: Path, console: Console) -> Path:
    """Write `subgraphs-<scenario>-<user>.html` into `folder`; CannotShow where nothing was retrieved for this user.

    Of several `retrieve_subgraph` the last is shown. Nothing is made anew.
    """
    steps = [step.command for step in plan.steps]
    places = [place for place, one in enumerate(steps) if isinstance(one, RetrieveSubgraph)]
    if not places:
        raise CannotShow(f"{plan.path} has no retrieve_subgraph, so there is nothing to show")
    asked = steps[places[-1]]
    assert isinstance(asked, RetrieveSubgraph)
    html = _page(plan, asked.model_copy(update={"overwrite": False}), places[-1], user, console)
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^0-9A-Za-z_.-]", "_", user)
    # Two users whose names differ only in what no file name has are two pages.
    path = folder / f"subgraphs-{plan.path.stem}-{name if name == user else f'{name}-{short_hash(user)[:6]}'}.html"
    path.write_text(html, encoding="utf-8")
    return path


def _page(plan: Plan, asked: RetrieveSubgraph, place: int, user: str, console: Console) -> str:
    from utils.knowledge.shown import shown
    from utils.knowledge.subgraph_reuse import retrieved_before
    from utils.knowledge.subgraphs import prepare
    from utils.recbole_port import session
    from utils.report.subgraph_page import render_subgraphs

    with scratch_context(plan, console) as ctx:
        for name in (asked.file_out, asked.index_file):
            if not ctx.vector_path(name).is_file():
                raise CannotShow(f"no file {ctx.vector_path(name)} yet; run {plan.path} first")
        try:
            for command in changes_of_settings([step.command for step in plan.steps[:place]]):
                command.run(ctx)
            ready = prepare(ctx, asked)
            file = retrieved_before(ctx, asked, ready)
            assert file is not None
            if user not in file.users:
                if user in session.id_map(ctx.data, ctx.recbole_config()["USER_ID_FIELD"]).real_tokens:
                    raise CannotShow(f"user '{user}' has no history: nothing in the train part that counts as liked")
                why = f"the {len(file.users):,} users with a history are {', '.join(file.users[:5])}, ..."
                raise CannotShow(f"no user '{user}' with a history{did_you_mean(user, file.users)}; {why}")
            return render_subgraphs(shown(ctx, asked, ready, file, user))
        except StepError as error:
            raise CannotShow(f"{plan.path}: {error.message}") from error

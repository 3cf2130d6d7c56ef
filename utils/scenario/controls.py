"""`controls: [plain, random, shuffled]`: a scenario as it is, and as each control of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from utils.scenario.plan import Plan


def for_each_control(plans: Sequence[Plan]) -> list[Plan]:
    """Each plan, and after it a plan of each control that it asks for: the same steps, settings and seed."""
    return [made for plan in plans for made in _controlled(plan)]


def _controlled(plan: Plan) -> Iterator[Plan]:
    settings = {name: value for name, value in plan.settings.items() if name != "controls"}
    yield dataclasses.replace(plan, settings=settings)
    for control in plan.settings.get("controls") or ():
        yield dataclasses.replace(plan, settings={**settings, "control": control})

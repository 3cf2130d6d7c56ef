"""Whether a scenario can have the controls that it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from utils.commands.base import Command
from utils.scenario.findings import Finding


def find_control_misfits(settings: Mapping[str, Any], commands: Sequence[Command]) -> Iterator[Finding]:
    """What is wrong with `control` and `controls` in a scenario of these steps."""
    controls = settings.get("controls") or []
    named = "controls" if controls else "control"
    asked = [settings["control"]] if settings.get("control") else list(controls)
    if not asked:
        return
    if controls and settings.get("control"):
        yield Finding(("control",), "control: the scenario has controls as well; keep one of them", at_key=True)
    twice = next((name for name in controls if controls.count(name) > 1), None)
    if twice is not None:
        yield Finding(("controls",), f"controls: '{twice}' stands there twice")
    if controls and settings.get("search"):
        message = "controls: a search tries values of one scenario; ask for controls of what it finds"
        yield Finding(("controls",), message, at_key=True)
    taking = [command for command in commands if command.takes_vectors(settings)]
    if not taking:
        message = (
            f"{named}: no step carries vectors into the model (wrap_model, init_embeddings), so none can be replaced; "
            "add such a step, or remove this line"
        )
        yield Finding((named,), message, at_key=True)
    elif "plain" in asked and any(command.name == "init_model" for command in taking):
        message = (
            f"{named}: {settings.get('model')} is made of its vectors and has no plain twin; compare it with its "
            "backbone as a scenario of its own (baseline)"
        )
        yield Finding((named,), message, at_key=True)

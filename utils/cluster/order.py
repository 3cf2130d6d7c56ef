"""Which experiments have to wait for others: those that need vector files which an earlier one writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.paths import vectors_dir
from utils.scenario.plan import Plan


def prerequisites(plan: Plan, earlier: Sequence[Plan]) -> list[int]:
    """Indices of the earlier plans that have to end before this one starts, as they would one after the other.

    A file that exists, and that nobody replaces, may be used by all at once. One that is still to be written has to
    wait for its first writer. One that somebody replaces (`overwrite`) makes all its users go in order.
    """
    wanted = files_of(plan)
    found = set()
    for file in wanted:
        users = [index for index, other in enumerate(earlier) if file in files_of(other)]
        replaced = any(_replaces(other, file) for other in [plan, *(earlier[index] for index in users)])
        if replaced:
            found.update(users)
        elif not file.exists():
            found.update([index for index in users if file in written_by(earlier[index])][:1])
    return sorted(found)


def written_by(plan: Plan) -> set[Path]:
    """Vector files that the scenario makes sure of."""
    folder = vectors_dir(plan.settings)
    return {folder / name for step in plan.steps for name in step.command.vector_files_written()} | {
        folder / name for name in _preprocessed(plan.settings)
    }


def files_of(plan: Plan) -> set[Path]:
    """Vector files that the scenario names anywhere."""
    folder = vectors_dir(plan.settings)
    names = [text for step in plan.steps for text in _texts(step.command.model_dump())]
    names += list(_texts(plan.settings.get("llm_config")))
    return {folder / name for name in names if name.endswith((".pt", ".json", ".npy"))} | written_by(plan)


def _replaces(plan: Plan, file: Path) -> bool:
    folder = vectors_dir(plan.settings)
    if file in {folder / name for name in _preprocessed(plan.settings)}:
        return True
    return any(
        getattr(step.command, "overwrite", False)
        and file in {folder / name for name in step.command.vector_files_written()}
        for step in plan.steps
    )


def _preprocessed(settings: Mapping[str, Any]) -> list[str]:
    """What the sections of `llm_config` write, each time anew."""
    llm_config = settings.get("llm_config") or {}
    from_json = llm_config.get("preprocess_from_json") or {}
    at_random = llm_config.get("preprocess_random") or {}
    names = [from_json["to"]] if "to" in from_json else []
    if at_random.get("random"):
        names += [
            at_random.get("random_users_emb_file", "user_random.pt"),
            at_random.get("random_items_emb_file", "item_random.pt"),
        ]
    return names


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)

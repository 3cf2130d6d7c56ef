"""Which experiments have to wait for others: those that need files which an earlier one writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from utils.commands.base import Command
from utils.paths import vectors_dir
from utils.scenario.model_vectors import model_vectors
from utils.scenario.plan import Plan


class Order:
    """Which of the plans that were added before one has to wait for, as if they were run one after the other.

    A file that exists, and that nobody replaces, may be used by all at once. One that is still to be written has to
    wait for its first writer. One that somebody replaces (`overwrite`) makes all its users go in order.
    """

    def __init__(self) -> None:
        self._count = 0
        self._users: dict[Path, list[int]] = {}
        self._first_writer: dict[Path, int] = {}
        self._replaced: set[Path] = set()

    def add(self, plan: Plan) -> set[int]:
        """Numbers of the plans, in the order in which they were added, that have to end before this one starts."""
        number, written = self._count, written_by(plan)
        self._count += 1
        waits: set[int] = set()
        for file in files_of(plan):
            users = self._users.setdefault(file, [])
            if _replaces(plan, file):
                self._replaced.add(file)
            if file in self._replaced:
                # Who comes next waits for this one, and so for all before it.
                waits.update(users)
                users.clear()
            elif not file.exists() and file in self._first_writer:
                waits.add(self._first_writer[file])
            users.append(number)
            if file in written:
                self._first_writer.setdefault(file, number)
        return waits


def written_by(plan: Plan) -> set[Path]:
    """Vector files, and others beside the run's folder, that the scenario makes sure of."""
    folder = vectors_dir(plan.settings)
    made = {path for step in plan.steps for path in _made_by(step.command, folder)}
    return made | {folder / name for name in _preprocessed(plan.settings)}


def _made_by(command: Command, folder: Path) -> set[Path]:
    return {folder / name for name in command.vector_files_written()} | set(command.files_written())


def files_of(plan: Plan) -> set[Path]:
    """Vector files and checkpoints that the scenario names anywhere."""
    folder = vectors_dir(plan.settings)
    names = [text for step in plan.steps for text in _texts(step.command.model_dump())]
    names += list(_texts(plan.settings.get("llm_config")))
    names += [named.file for named in model_vectors(plan.settings).values()]
    vectors = {folder / name for name in names if name.endswith((".pt", ".json", ".jsonl", ".npy"))}
    # Checkpoints are given by their paths.
    return vectors | {Path(name) for name in names if name.endswith(".pth")} | written_by(plan)


def _replaces(plan: Plan, file: Path) -> bool:
    folder = vectors_dir(plan.settings)
    if file in {folder / name for name in _preprocessed(plan.settings)}:
        return True
    return any(
        getattr(step.command, "overwrite", False) and file in _made_by(step.command, folder) for step in plan.steps
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

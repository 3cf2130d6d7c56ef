"""From a scenario file to typed, order-checked steps, or to every problem it has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from utils.commands.base import COMMANDS, Command, PlanView
from utils.paths import vectors_dir
from utils.scenario.control_fit import find_control_misfits
from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.settings import check_settings, place_findings
from utils.scenario.settings_schema import PreprocessRandom
from utils.scenario.source import ScenarioFile
from utils.scenario.steps import Draft, Step, Written, read_steps

__all__ = ["Plan", "Step", "build"]

# What to put before a command that lacks something, in the words of the scenario.
_SLOT_NAMES = {
    "model": "a model",
    "wrapper": "a wrapped model",
    "trainer": "a trainer",
    "trained": "a trained model",
    "untrained": "a trainer that has not trained yet",
}


@dataclass(frozen=True)
class Plan:
    """A checked scenario: settings and steps.

    origin: the scenario that this one was made from (a trial of a search, a run that is repeated); what it leaves
        lies beside that one and bears its name.
    """

    source: ScenarioFile
    settings: dict[str, Any]
    steps: tuple[Step, ...]
    origin: Path | None = None

    @property
    def path(self) -> Path:
        return self.origin or self.source.path


def build(
    source: ScenarioFile, overrides: Mapping[str, Any] | None = None, vector_files: set[Path] | None = None
) -> Plan:
    """Check a whole scenario; ScenarioError with every problem.

    overrides: settings from `--set`, stronger than the file's.
    vector_files: files that earlier scenarios of the same folder write, vectors or others; this scenario's are added.
    """
    vector_files = set() if vector_files is None else vector_files
    settings = {key: value for key, value in source.data.items() if key != "scenario"}
    settings.update(overrides or {})
    findings = check_settings(settings)
    draft = read_steps(source)
    draft.problems += place_findings(source, findings, frozenset(overrides or ()))
    _check_order(source, draft)
    wrong = {str(finding.path[0]) for finding in findings if finding.path}
    if str(settings.get("model")).isidentifier():
        # Whether a loss exists can be told without a model of that name.
        wrong -= {"model"}
    _check_commands(source, Sound(settings, wrong), draft, vector_files)
    if not wrong:
        # A step that is wrong by itself may be the one that takes vectors.
        whole = all(written.step is not None for written in draft.written)
        misfits = find_control_misfits(settings, [step.command for step in draft.steps]) if whole else ()
        draft.problems += place_findings(source, list(misfits), frozenset(overrides or ()))
    if draft.problems or source.problems:
        raise ScenarioError([*source.problems, *_not_said_yet(source, draft.problems)])
    return Plan(source, settings, tuple(draft.steps))


class _Wrong(Exception):
    """A command has asked for a setting that is wrong by itself."""


class Sound(Mapping[str, Any]):
    """The settings that are right by themselves.

    Asking for another one ends a command's check: what it complained of after that might only follow from what is
    said already.
    """

    def __init__(self, settings: Mapping[str, Any], wrong: Collection[str]) -> None:
        self._right = {name: value for name, value in settings.items() if name not in wrong}
        self._wrong = wrong

    def __getitem__(self, name: str) -> Any:
        if name in self._wrong:
            raise _Wrong(name)
        return self._right[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._right)

    def __len__(self) -> int:
        return len(self._right)


def _not_said_yet(source: ScenarioFile, problems: Sequence[Problem]) -> list[Problem]:
    """Without what is wrong with a value only because the YAML there could not be read."""
    said = {(problem.line, problem.column) for problem in source.problems}
    return [problem for problem in problems if (problem.line, problem.column) not in said]


def _check_order(source: ScenarioFile, draft: Draft) -> None:
    """Each command's needs are given by an earlier one and not dropped in between."""
    givers = {slot: name for name, cls in COMMANDS.items() for slot in cls.gives}
    have: set[str] = set()
    for written in draft.written:
        if written.command is None:
            continue
        missing: set[str] = set()
        for slot in sorted(written.command.needs - have):
            if slot not in givers:
                continue
            # One command may give several things (a trainer, and that it has not trained); it is asked for once.
            if written.step is not None and givers[slot] not in missing:
                missing.add(givers[slot])
                what = _SLOT_NAMES.get(slot, slot)
                message = f"{written.command.name} needs {what}; put '{givers[slot]}' before it"
                draft.problems.append(source.problem(written.name_path, message, written.at_key))
            # Said once: what would be missing because of this is not worth a second line.
            have.add(slot)
        have = (have - written.command.drops) | written.command.gives


def _check_commands(source: ScenarioFile, settings: Sound, draft: Draft, vector_files: set[Path]) -> None:
    """Each command's own check, in order, with the vector files that exist by then."""
    folder = vectors_dir(dict(settings))
    vector_files.update(_preprocessed(dict(settings), folder))
    for index, written in enumerate(draft.written):
        if written.step is None:
            continue
        view = PlanView(
            settings,
            _commands(draft.written[:index]),
            _commands(draft.written[index + 1 :]),
            frozenset(vector_files),
            folder,
        )
        with suppress(_Wrong):
            _check_step(source, written.step, view, draft)
        vector_files.update(folder / name for name in written.step.command.vector_files_written())
        vector_files.update(written.step.command.files_written())


def _check_step(source: ScenarioFile, step: Step, view: PlanView, draft: Draft) -> None:
    said = set()
    for complaint in step.command.check(view):
        if complaint.path not in said:
            said.add(complaint.path)
            message = f"{step.named(complaint.path)}: {complaint.message}"
            problem = source.problem(step.locate(complaint.path), message)
            draft.problems.append(replace(problem, source_line="") if complaint.secret else problem)


def _commands(written: Sequence[Written]) -> list[Command]:
    """The commands of these steps; one that is only misspelled counts as what was meant, if it needs no parameters."""
    commands = []
    for one in written:
        if one.step is not None:
            commands.append(one.step.command)
        elif one.command is not None and not any(field.is_required() for field in one.command.model_fields.values()):
            commands.append(one.command())
    return commands


def _preprocessed(settings: Mapping[str, Any], folder: Path) -> Sequence[Path]:
    """Vector files that `llm_config`'s preprocess sections write before the first step."""
    llm_config = settings.get("llm_config")
    if not isinstance(llm_config, dict):
        return []
    from_json = llm_config.get("preprocess_from_json") or {}
    at_random = llm_config.get("preprocess_random") or {}
    names: list[str] = []
    if from_json and (folder / from_json["from"]).is_file():
        names.append(from_json["to"])
    if at_random.get("random"):
        chosen = PreprocessRandom.model_validate(at_random)
        names += [chosen.random_users_emb_file, chosen.random_items_emb_file]
    return [folder / name for name in names]

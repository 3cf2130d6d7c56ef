"""From a scenario file to typed, order-checked steps, or to every problem it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utils.commands.base import COMMANDS, Command, ParamPath, PlanView
from utils.registry import UnknownName, did_you_mean
from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.mismatch import describe_mismatch
from utils.scenario.paths import vectors_dir
from utils.scenario.settings import check_settings
from utils.scenario.source import NodePath, ScenarioFile

# What to put before a command that lacks something, in the words of the scenario.
_SLOT_NAMES = {
    "model": "a model",
    "wrapper": "a wrapped model",
    "trainer": "a trainer",
    "trained": "a trained model",
}


@dataclass(frozen=True)
class Step:
    """One command with its parameters and its place in the file."""

    command: Command
    path: NodePath
    shorthand: bool

    def locate(self, parameter: ParamPath) -> NodePath:
        """Where in the file a parameter stands; the step itself when it has none there."""
        return (*self.path, *_in_params(type(self.command), parameter, self.shorthand))


@dataclass(frozen=True)
class Plan:
    """A checked scenario: settings and steps."""

    source: ScenarioFile
    settings: dict[str, Any]
    steps: tuple[Step, ...]

    @property
    def path(self) -> Path:
        return self.source.path


@dataclass
class _Draft:
    """Steps as far as they could be read, and what was wrong."""

    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def build(
    source: ScenarioFile, overrides: Mapping[str, Any] | None = None, vector_files: set[Path] | None = None
) -> Plan:
    """Check a whole scenario; ScenarioError with every problem.

    overrides: settings from `--set`, stronger than the file's.
    vector_files: files that earlier scenarios of the same folder write; this scenario's are added.
    """
    vector_files = set() if vector_files is None else vector_files
    settings = {key: value for key, value in source.data.items() if key != "scenario"}
    settings.update(overrides or {})
    draft = _read_steps(source)
    draft.problems += check_settings(source, settings, frozenset(overrides or ()))
    _check_order(source, draft)
    _check_commands(source, settings, draft, vector_files)
    if draft.problems:
        raise ScenarioError(sorted(set(draft.problems)))
    return Plan(source, settings, tuple(draft.steps))


def _read_steps(source: ScenarioFile) -> _Draft:
    draft = _Draft()
    steps = source.data.get("scenario")
    if not isinstance(steps, list) or not steps:
        what = "the file has no 'scenario'" if "scenario" not in source.data else "'scenario' is not a list of commands"
        if isinstance(steps, list):
            what = "'scenario' is empty"
        draft.problems.append(source.problem(("scenario",), f"{what}; e.g. scenario: [{{command: init_model}}]", True))
        return draft
    for index, raw in enumerate(steps):
        path: NodePath = ("scenario", index)
        named = _name_and_params(source, path, raw, draft)
        if named is None:
            continue
        name, params, name_path, params_path, at_key = named
        try:
            cls = COMMANDS.get(name)
        except UnknownName as error:
            draft.problems.append(source.problem(name_path, str(error), at_key))
            continue
        _read_step(source, cls, params, params_path, draft)
    return draft


def _name_and_params(
    source: ScenarioFile, path: NodePath, raw: Any, draft: _Draft
) -> tuple[str, Any, NodePath, NodePath, bool] | None:
    """Name, params and where both stand, for the forms `name`, {command: x, params: y} and {x: y}."""
    if isinstance(raw, str):
        return raw, None, path, path, False
    if isinstance(raw, dict) and "command" in raw:
        unknown = [key for key in raw if key not in {"command", "params"}]
        for key in unknown:
            message = f"a step has 'command' and 'params', not '{key}'{did_you_mean(key, ['command', 'params'])}"
            draft.problems.append(source.problem((*path, key), message, at_key=True))
        if isinstance(raw["command"], str):
            return raw["command"], raw.get("params"), (*path, "command"), (*path, "params"), False
        draft.problems.append(source.problem((*path, "command"), f"a command is a name, got {raw['command']!r}"))
        return None
    if isinstance(raw, dict) and len(raw) == 1:
        ((name, params),) = raw.items()
        return name, params, (*path, name), (*path, name), True
    draft.problems.append(source.problem(path, "a step is {command: name, params: ...} or {name: ...}"))
    return None


def _read_step(source: ScenarioFile, cls: type[Command], params: Any, path: NodePath, draft: _Draft) -> None:
    by_shorthand = params is not None and cls.shorthand != () and not _names_fields(cls, params)
    if params is None:
        values: Any = {}
    elif not by_shorthand:
        values = params
    elif len(cls.shorthand) == 1:
        values = {cls.shorthand[0]: params}
    elif isinstance(params, list) and len(params) == len(cls.shorthand):
        values = dict(zip(cls.shorthand, params, strict=True))
    else:
        wanted = ", ".join(cls.shorthand)
        draft.problems.append(source.problem(path, f"{cls.name}: got {params!r}; accepted: a list [{wanted}]"))
        return
    if not isinstance(values, dict):
        accepted = "no params" if not cls.model_fields else f"a mapping of {', '.join(cls.model_fields)}"
        draft.problems.append(source.problem(path, f"{cls.name}: got {params!r}; accepted: {accepted}"))
        return
    try:
        draft.steps.append(Step(cls.model_validate(values), path, by_shorthand))
    except ValidationError as error:
        draft.problems += _translate(source, cls, path, by_shorthand, error)


def _names_fields(cls: type[Command], params: Any) -> bool:
    """Whether a mapping gives fields by name; for a command that takes any mapping it is the value itself."""
    free_mapping = any(cls.model_fields[name].annotation in {dict[str, Any]} for name in cls.shorthand)
    return isinstance(params, dict) and not free_mapping


def _in_params(cls: type[Command], parameter: ParamPath, by_shorthand: bool) -> ParamPath:
    if not by_shorthand or not parameter:
        return parameter
    if len(cls.shorthand) == 1:
        return parameter[1:]
    return (cls.shorthand.index(str(parameter[0])), *parameter[1:])


def _translate(
    source: ScenarioFile, cls: type[Command], path: NodePath, by_shorthand: bool, error: ValidationError
) -> list[Problem]:
    """Pydantic's findings in our words, one per place (a union reports each of its branches)."""
    found: dict[NodePath, Problem] = {}
    for detail in error.errors():
        location = tuple(part for part in detail["loc"] if not _is_branch(part, cls))
        place = (*path, *_in_params(cls, location, by_shorthand))
        shown = cls.name if by_shorthand and len(location) == 1 else ".".join([cls.name, *map(str, location)])
        if detail["type"] == "extra_forbidden":
            message = f"{shown}: unknown parameter{did_you_mean(str(location[-1]), cls.model_fields)}"
            found.setdefault(place, source.problem(place, message, at_key=True))
        elif detail["type"] == "missing":
            message = f"{cls.name} needs '{location[-1]}'"
            found.setdefault((*place, "?"), source.problem(place, message))
        else:
            found.setdefault(place, source.problem(place, f"{shown}: {describe_mismatch(detail)}"))
    return list(found.values())


def _is_branch(part: str | int, cls: type[Command]) -> bool:
    """Whether a part of pydantic's location names a branch of a union, not a key of the file."""
    return (
        isinstance(part, str)
        and (part in {"int", "str", "float", "bool"} or "[" in part)
        and part not in cls.model_fields
    )


def _check_order(source: ScenarioFile, draft: _Draft) -> None:
    """Each command's needs are given by an earlier one and not dropped in between."""
    givers = {slot: name for name, cls in COMMANDS.items() for slot in cls.gives}
    have: set[str] = set()
    for step in draft.steps:
        cls = type(step.command)
        for slot in sorted(cls.needs - have):
            if slot not in givers:
                continue
            message = f"{cls.name} needs {_SLOT_NAMES.get(slot, slot)}; put '{givers[slot]}' before it"
            draft.problems.append(_at_step(source, step, message))
            # Said once: what would be missing because of this is not worth a second line.
            have.add(slot)
        have = (have - cls.drops) | cls.gives


def _check_commands(source: ScenarioFile, settings: dict[str, Any], draft: _Draft, vector_files: set[Path]) -> None:
    """Each command's own check, in order, with the vector files that exist by then."""
    folder = vectors_dir(settings)
    vector_files.update(_preprocessed(settings, folder))
    commands = [step.command for step in draft.steps]
    for index, step in enumerate(draft.steps):
        view = PlanView(settings, commands[:index], commands[index + 1 :], frozenset(vector_files), folder)
        for complaint in step.command.check(view):
            dotted = ".".join(map(str, (step.command.name, *complaint.path)))
            message = (
                f"{dotted}: {complaint.message}" if not step.shorthand else f"{step.command.name}: {complaint.message}"
            )
            draft.problems.append(source.problem(step.locate(complaint.path), message))
        vector_files.update(folder / name for name in step.command.vector_files_written())


def _preprocessed(settings: Mapping[str, Any], folder: Path) -> Sequence[Path]:
    """Vector files that `llm_config`'s preprocess sections write before the first step."""
    llm_config = settings.get("llm_config")
    if not isinstance(llm_config, dict):
        return []
    from_json = llm_config.get("preprocess_from_json")
    at_random = llm_config.get("preprocess_random")
    names: list[Any] = []
    if isinstance(from_json, dict) and (folder / str(from_json.get("from"))).is_file():
        names.append(from_json.get("to"))
    if isinstance(at_random, dict) and at_random.get("random"):
        names += [at_random.get("random_users_emb_file"), at_random.get("random_items_emb_file")]
    return [folder / name for name in names if isinstance(name, str)]


def _at_step(source: ScenarioFile, step: Step, message: str) -> Problem:
    """A problem of a step as a whole: at its command's name."""
    parent = step.path[:-1]
    if step.path[-1] == "params":
        return source.problem((*parent, "command"), message)
    return source.problem(step.path, message, at_key=isinstance(step.path[-1], str))

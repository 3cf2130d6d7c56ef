"""The list under `scenario:` as typed commands; both of LLM-KT's forms, bare names, and shorthand for `params`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from utils.commands.base import COMMANDS, Command, ParamPath
from utils.registry import UnknownName, did_you_mean, nearest
from utils.scenario.errors import Problem
from utils.scenario.findings import dotted
from utils.scenario.mismatch import mismatches
from utils.scenario.nodes import NodePath
from utils.scenario.source import ScenarioFile

_FORMS = "{command: name, params: ...} or {name: ...}"
_NO_STEPS = "e.g. scenario: [init_model, init_trainer, train, test_eval]"


@dataclass(frozen=True)
class Step:
    """One command with its parameters and its place in the file."""

    command: Command
    path: NodePath
    shorthand: bool

    def locate(self, parameter: ParamPath) -> NodePath:
        """Where in the file a parameter stands; the step itself when it has none there."""
        return (*self.path, *_in_params(type(self.command), parameter, self.shorthand))

    def named(self, parameter: ParamPath) -> str:
        """The command, with the name of the parameter where the file has it: `set_outputs`, `wrap_model.rows`."""
        keys = takewhile(lambda part: isinstance(part, str), () if self.shorthand else parameter)
        return dotted((self.command.name, *keys))


@dataclass(frozen=True)
class Written:
    """A command as it stands in the file; `step` is None where its name or its parameters are wrong.

    command: what was meant, as far as that can be told: what follows is checked as if it were there.
    """

    command: type[Command] | None
    name_path: NodePath
    at_key: bool
    step: Step | None = None


@dataclass
class Draft:
    """Steps as far as they could be read, and what was wrong."""

    written: list[Written] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        return [written.step for written in self.written if written.step is not None]


@dataclass(frozen=True)
class _Raw:
    """Name, params and where both stand."""

    name: str
    params: Any
    name_path: NodePath
    params_path: NodePath
    at_key: bool


def read_steps(source: ScenarioFile) -> Draft:
    """Every step of the file, and every problem of one by itself."""
    draft = Draft()
    steps = source.data.get("scenario")
    if "scenario" not in source.data:
        draft.problems.append(source.problem((), f"the file has no 'scenario'; {_NO_STEPS}"))
    elif not isinstance(steps, list):
        message = f"scenario: got {_shown(steps)}; accepted: a list of commands, {_NO_STEPS}"
        draft.problems.append(source.problem(("scenario",), message, at_key=True))
    elif not steps:
        draft.problems.append(source.problem(("scenario",), f"the scenario has no commands; {_NO_STEPS}", at_key=True))
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        raw = _raw(source, ("scenario", index), step, draft)
        if raw is not None:
            draft.written.append(_read_step(source, raw, draft))
    return draft


def _raw(source: ScenarioFile, path: NodePath, step: Any, draft: Draft) -> _Raw | None:
    """A step in any of its forms; None, and a problem, when it has none of them."""
    problem: tuple[NodePath, str]
    if isinstance(step, str):
        return _Raw(step, None, path, path, at_key=False)
    if isinstance(step, dict) and "command" in step:
        params_key = "params"
        for key in step:
            if key not in {"command", "params"}:
                message = f"a step has 'command' and 'params', not '{key}'{did_you_mean(key, ['params'])}"
                draft.problems.append(source.problem((*path, key), message, at_key=True))
                # Read as what was meant, so that it is not called missing as well.
                params_key = key if "params" not in step and nearest(key, ["params"]) else params_key
        name = step["command"]
        if isinstance(name, str):
            return _Raw(name, _no_none(step.get(params_key)), (*path, "command"), (*path, params_key), at_key=False)
        problem = (*path, "command"), f"command: got {_shown(name)}; accepted: a name"
    elif isinstance(step, dict) and "params" in step:
        problem = path, f"a step with 'params' needs 'command' as well; accepted: {_FORMS}"
    elif isinstance(step, dict) and len(step) == 1:
        ((name, params),) = step.items()
        return _Raw(name, _no_none(params), (*path, name), (*path, name), at_key=True)
    elif isinstance(step, dict) and len(step) > 1:
        names = ", ".join(step)
        problem = path, f"a step has one command, got {len(step)}: {names:.60}; put each in a step of its own"
    else:
        problem = path, f"got {_shown(step)} for a step; accepted: {_FORMS}"
    draft.problems.append(source.problem(*problem))
    return None


def _no_none(params: Any) -> Any:
    """LLM-KT writes the text 'None' where it means null, with and without quotes."""
    return None if params == "None" else params


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.60}"


def _read_step(source: ScenarioFile, raw: _Raw, draft: Draft) -> Written:
    try:
        cls = COMMANDS.get(raw.name)
    except UnknownName as error:
        draft.problems.append(source.problem(raw.name_path, str(error), raw.at_key))
        meant = nearest(raw.name, COMMANDS.known())
        return Written(COMMANDS.get(meant) if meant else None, raw.name_path, raw.at_key)
    by_shorthand = raw.params is not None and cls.shorthand != () and not _names_fields(cls, raw.params)
    values = _values(cls, raw.params, by_shorthand)
    if values is None:
        message = f"{cls.name}: got {_shown(raw.params)}; accepted: {_accepted(cls)}"
        draft.problems.append(source.problem(raw.params_path, message))
        return Written(cls, raw.name_path, raw.at_key)
    try:
        step = Step(cls.model_validate(values), raw.params_path, by_shorthand)
    except ValidationError as error:
        draft.problems += _translate(source, cls, raw, by_shorthand, error, values)
        return Written(cls, raw.name_path, raw.at_key)
    return Written(cls, raw.name_path, raw.at_key, step)


def _values(cls: type[Command], params: Any, by_shorthand: bool) -> dict[str, Any] | None:
    """Parameters by name, None when `params` has the wrong shape."""
    if params is None:
        return {}
    if not by_shorthand:
        return params if isinstance(params, dict) else None
    if len(cls.shorthand) == 1:
        return {cls.shorthand[0]: params}
    if isinstance(params, list) and len(params) == len(cls.shorthand):
        return dict(zip(cls.shorthand, params, strict=True))
    return None


def _accepted(cls: type[Command]) -> str:
    if not cls.model_fields:
        return "no params"
    if len(cls.shorthand) > 1:
        return f"a list [{', '.join(cls.shorthand)}]"
    return f"a mapping with {', '.join(cls.model_fields)}"


def _names_fields(cls: type[Command], params: Any) -> bool:
    """Whether a mapping gives fields by name; for a command that takes any mapping it is the value itself."""
    free_mapping = any(cls.model_fields[name].annotation == dict[str, Any] for name in cls.shorthand)
    return isinstance(params, dict) and not free_mapping


def _in_params(cls: type[Command], parameter: ParamPath, by_shorthand: bool) -> ParamPath:
    if not by_shorthand or not parameter:
        return parameter
    if len(cls.shorthand) == 1:
        return parameter[1:]
    return (cls.shorthand.index(str(parameter[0])), *parameter[1:])


def _translate(
    source: ScenarioFile,
    cls: type[Command],
    raw: _Raw,
    by_shorthand: bool,
    error: ValidationError,
    values: dict[str, Any],
) -> Iterator[Problem]:
    """Pydantic's findings in our words, where they stand in the file."""
    for found in mismatches(error, cls, values):
        if found.kind == "missing":
            inside = found.path[:-1]
            message = f"{dotted((cls.name, *inside))} needs '{found.text}'"
            if inside:
                yield source.problem((*raw.params_path, *inside), message, at_key=isinstance(inside[-1], str))
            else:
                yield source.problem(raw.name_path, message, raw.at_key)
            continue
        place = (*raw.params_path, *_in_params(cls, found.path, by_shorthand))
        shown = dotted((cls.name, *(found.path[1:] if by_shorthand else found.path)))
        if found.kind == "unknown":
            none = "" if cls.model_fields else f"; {cls.name} takes none"
            instead = cls.explained.get(str(found.path[-1])) if len(found.path) == 1 else None
            text = f"; {instead}" if instead else f"{found.text}{none}"
            yield source.problem(place, f"{shown}: unknown parameter{text}", at_key=True)
        else:
            yield source.problem(place, f"{shown}: {found.text}")

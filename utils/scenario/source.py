"""A scenario file as text, plain data, and the line and column of every key and value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from utils.scenario.errors import Problem, ScenarioError
from utils.scenario.nodes import Mark, NodePath, NodeReader

__all__ = ["NodePath", "ScenarioFile", "parse_value", "read"]


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario as it was read: plain data and where each piece of it stands.

    problems: what is wrong with the YAML although it could be read; `plan.build` reports it with all the rest.
    """

    path: Path
    text: str
    data: dict[str, Any]
    value_marks: dict[NodePath, Mark] = field(repr=False)
    key_marks: dict[NodePath, Mark] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def problem(self, path: NodePath, message: str, at_key: bool = False) -> Problem:
        """A Problem at the value of `path` (or at its key); at the nearest parent where it has no mark.

        The empty path is the file as a whole: it has no line.
        """
        if not path:
            return Problem(str(self.path), 0, 0, message)
        marks = self.key_marks if at_key else self.value_marks
        while path and path not in marks:
            path, marks = path[:-1], self.value_marks
        line, column = marks.get(path, (1, 1))
        return _problem(self.path, self.text, line, column, message)


def read(path: Path) -> ScenarioFile:
    """Read one scenario file; ScenarioError when it holds no settings at all."""
    return from_text(_decode(path), path)


def from_text(text: str, path: Path) -> ScenarioFile:
    """A scenario that lies in no file; problems in it name `path`."""
    reader = NodeReader(text)
    data = reader.read()
    problems = [_problem(path, text, line, column, message) for (line, column), message in reader.findings]
    if isinstance(data, dict):
        return ScenarioFile(path, text, data, reader.value_marks, reader.key_marks, tuple(problems))
    if not problems:
        what = "the file is empty" if data is None else "a scenario is a mapping of settings, e.g. model: NeuMF"
        line = 0 if data is None else 1
        problems.append(_problem(path, text, line, 1, f"{what}; it needs 'model', 'dataset' and 'scenario'"))
    raise ScenarioError(problems)


def parse_value(text: str) -> Any:
    """A value as a scenario would read it, for `--set key=value`; yaml.YAMLError where it is not one."""
    reader = NodeReader(text)
    value = reader.read()
    if reader.findings:
        raise yaml.YAMLError(reader.findings[0][1])
    return value


def _decode(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ScenarioError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        problem = _problem(path, raw.decode("utf-8", errors="replace"), line, column, message)
        raise ScenarioError([problem]) from error


def _problem(path: Path, text: str, line: int, column: int, message: str) -> Problem:
    lines = text.splitlines()
    return Problem(str(path), line, column, message, lines[line - 1] if 0 < line <= len(lines) else "")

"""YAML text to plain data, with the line and column of every key and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from utils.scenario.errors import Problem, ScenarioError

NodePath = tuple[str | int, ...]
Mark = tuple[int, int]

# Aliases can make a short file expand to gigabytes; no scenario comes near this.
MAX_NODES = 100_000


class _Loader(yaml.SafeLoader):
    """YAML's safe loader with RecBole's floats (`1e-5`) and Python's `None`."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":float", ":timestamp"))]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
             |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
             |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
             |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
        re.X,
    ),
    list("-+0123456789."),
)
# LLM-KT files write `params: None`.
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^None$"), ["N"])

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario as it was read: plain data and where each piece of it stands."""

    path: Path
    text: str
    data: dict[str, Any]
    value_marks: dict[NodePath, Mark] = field(repr=False)
    key_marks: dict[NodePath, Mark] = field(repr=False)

    def problem(self, path: NodePath, message: str, at_key: bool = False) -> Problem:
        """A Problem at the value of `path` (or at its key); at the nearest parent where it has no mark."""
        marks = self.key_marks if at_key else self.value_marks
        while path and path not in marks:
            path, marks = path[:-1], self.value_marks
        line, column = marks.get(path, (1, 1))
        return _problem(self.path, self.text, line, column, message)


def read(path: Path) -> ScenarioFile:
    """Read one scenario file; ScenarioError with every problem that the YAML itself has."""
    text = _decode(path)
    reader = _Reader(path, text)
    data = reader.read()
    if not reader.problems and not isinstance(data, dict):
        what = "the file is empty" if data is None else "a scenario is a mapping of settings"
        reader.problems.append(_problem(path, text, 1 if text else 0, 1, f"{what}; it needs at least 'scenario:'"))
    if reader.problems:
        raise ScenarioError(reader.problems)
    return ScenarioFile(path, text, data, reader.value_marks, reader.key_marks)


def parse_value(text: str) -> Any:
    """A value as a scenario would read it, for `--set key=value`; yaml.YAMLError where it is not one."""
    return yaml.load(text, Loader=_Loader)


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
        raise ScenarioError([Problem(str(path), line, column, message)]) from error


def _problem(path: Path, text: str, line: int, column: int, message: str) -> Problem:
    lines = text.splitlines()
    return Problem(str(path), line, column, message, lines[line - 1] if 0 < line <= len(lines) else "")


class _Reader:
    """Walks YAML nodes once: builds plain data, keeps marks, collects problems."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.problems: list[Problem] = []
        self.value_marks: dict[NodePath, Mark] = {}
        self.key_marks: dict[NodePath, Mark] = {}
        self._nodes = 0
        self._open: set[int] = set()
        # (line, column) of characters put in to read on after a bare `*`; columns behind them are shifted back.
        self._inserted: list[Mark] = []
        self._construct: Callable[[yaml.Node], Any] = _Loader("").construct_object

    def read(self) -> Any:
        node = self._compose(self.text)
        return None if node is None else self._plain(node, ())

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            repaired = _quote_bare_star(text, line, column)
            if repaired is None:
                self._say(line, column, _readable(error))
                return None
            star, text = repaired
            self._say(line, star, "a bare * starts a YAML alias; write '*' in quotes")
            self._inserted += [(line, star), (line, star + 1)]
            return self._compose(text)
        except yaml.YAMLError as error:
            self._say(1, 1, f"not YAML: {error}")
            return None

    def _plain(self, node: yaml.Node, path: NodePath) -> Any:
        self._nodes += 1
        self.value_marks[path] = self._mark(node.start_mark)
        if self._nodes > MAX_NODES or id(node) in self._open:
            if self._nodes <= MAX_NODES + 1:
                self._say(*self.value_marks[path], "the YAML aliases of this file expand without end")
                self._nodes = MAX_NODES + 2
            return None
        if node.tag not in _PLAIN_TAGS and node.tag != "tag:yaml.org,2002:merge":
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._say(*self.value_marks[path], f"tag '{tag}' is not accepted; a scenario holds plain values only")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self._plain(child, (*path, index)) for index, child in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._construct(node)
        except (ValueError, yaml.YAMLError):
            self._say(*self._mark(node.start_mark), f"{node.value!r} is not a {node.tag.rsplit(':', 1)[-1]}")
            return None

    def _mapping(self, node: yaml.MappingNode, path: NodePath) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = self._mark(key_node.start_mark)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged.update(self._merge(value_node, path))
                continue
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._say(*mark, f"a key must be a name, got {key_node.value!r}"[:90])
                continue
            if key in plain:
                first = self.key_marks[(*path, key)][0]
                self._say(*mark, f"duplicate key '{key}'; it stands in line {first} already")
                continue
            self.key_marks[(*path, key)] = mark
            plain[key] = self._plain(value_node, (*path, key))
        return {**merged, **plain}

    def _merge(self, node: yaml.Node, path: NodePath) -> dict[str, Any]:
        """The mapping (or list of mappings, the first one strongest) that `<<:` names."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self._say(*self._mark(part.start_mark), "'<<' takes a mapping, or a list of mappings")
                continue
            for key, value in self._mapping(part, path).items():
                merged.setdefault(key, value)
                del self.key_marks[(*path, key)]
        return merged

    def _mark(self, mark: yaml.Mark) -> Mark:
        line, column = mark.line + 1, mark.column + 1
        shift = sum(1 for at_line, at_column in self._inserted if at_line == line and at_column < column)
        return line, column - shift

    def _say(self, line: int, column: int, message: str) -> None:
        self.problems.append(_problem(self.path, self.text, line, column, message))


def _quote_bare_star(text: str, line: int, column: int) -> tuple[int, str] | None:
    """(column of a `*` that names no alias, text with it quoted), or None when that is not what is wrong."""
    lines = text.splitlines(keepends=True)
    if not 0 < line <= len(lines):
        return None
    content = lines[line - 1]
    star = column - 2
    if not (
        0 <= star < len(content) and content[star] == "*" and content[star + 1 : star + 2] in {"]", ",", " ", "\n"}
    ):
        return None
    lines[line - 1] = f"{content[:star]}'*'{content[star + 1 :]}"
    return star + 1, "".join(lines)


def _readable(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "found character '\\t'" in problem:
        return "a tab cannot indent YAML; use spaces"
    context = f" {error.context}" if error.context else ""
    return f"not YAML:{context}: {problem}" if context else f"not YAML: {problem}"

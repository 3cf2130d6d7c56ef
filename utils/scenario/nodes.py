"""YAML nodes to plain data: what a scenario may hold, where each piece stands, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from utils.yaml_loader import Loader

NodePath = tuple[str | int, ...]
Mark = tuple[int, int]

# Aliases can make a short file expand to gigabytes; no scenario comes near this.
MAX_NODES = 100_000

# Beyond it no library below takes an integer, and Python itself refuses to print the longest.
LARGEST_INTEGER = 2**63


_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
# What PyYAML was reading when it gave up, in words of ours.
_UNFINISHED = {
    "while parsing a flow sequence": "list",
    "while parsing a flow mapping": "mapping",
    "while parsing a block mapping": "mapping",
    "while parsing a block collection": "list",
    "while scanning a quoted scalar": "quoted text",
}


class NodeReader:
    """Walks the nodes of a YAML text once: builds plain data, keeps marks, collects (mark, message) findings."""

    def __init__(self, text: str) -> None:
        self.findings: list[tuple[Mark, str]] = []
        self.value_marks: dict[NodePath, Mark] = {}
        self.key_marks: dict[NodePath, Mark] = {}
        self._text = text
        self._nodes = 0
        self._open: set[int] = set()
        # (line, column) of characters put in to read on; columns behind them are shifted back.
        self._inserted: list[Mark] = []
        self._construct: Callable[[yaml.Node], Any] = Loader("").construct_object

    def read(self) -> Any:
        """The plain data, None where there is none; whatever is wrong is in `findings`."""
        try:
            node = self._compose()
            data = None if node is None else self._plain(node, ())
            # Of a file that was not read to its end, nothing else can be said.
            return None if self._nodes > MAX_NODES else data
        except RecursionError:
            self._say((1, 1), "not YAML: nested too deeply")
            return None

    def _compose(self) -> yaml.Node | None:
        while True:
            try:
                return yaml.compose(self._text, Loader=Loader)
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                if self._quote_star(error) or self._indent_flow(error):
                    continue
                self._say(self._mark(mark) if mark else (1, 1), self._readable(error))
            except yaml.reader.ReaderError as error:
                before = self._text[: error.position]
                place = before.count("\n") + 1, len(before) - before.rfind("\n")
                self._say(place, f"the character U+{ord(self._text[error.position]):04X} is not accepted in YAML")
            except (yaml.YAMLError, ValueError, OverflowError):
                # PyYAML lets out what chr() thinks of "\UFFFFFFFF".
                self._say((1, 1), 'not YAML: an escape like "\\U..." names a character that does not exist')
            return None

    def _quote_star(self, error: yaml.MarkedYAMLError) -> bool:
        """Put a `*` that names no alias, as in `[[*], False]`, in quotes, and say so; False when that is not it."""
        undefined = "undefined alias" in (error.problem or "")
        mark = error.problem_mark if undefined else error.context_mark
        if mark is None or not (undefined or error.context == "while scanning an alias"):
            return False
        content = [*self._text.splitlines(), ""][mark.line]
        word = re.match(r"\*[^\s,\]}'\"]*", content[mark.column :])
        if word is None:
            return False
        text, end = word[0], mark.column + len(word[0])
        self._say(self._mark(mark), f"a bare * starts a YAML alias; write '{text}' in quotes")
        self._insert("'", mark.line, end)
        self._insert("'", mark.line, mark.column)
        return True

    def _indent_flow(self, error: yaml.MarkedYAMLError) -> bool:
        """Read on where a key's `[` stands right below the key, as in LLM-KT's README, and say so."""
        mark = error.context_mark
        if mark is None or "could not find expected ':'" not in (error.problem or ""):
            return False
        bracket = self._text.splitlines()[mark.line][mark.column : mark.column + 1]
        if bracket not in {"[", "{"}:
            return False
        self._say(
            self._mark(mark), f"what follows a key must be indented deeper than it; put spaces before the '{bracket}'"
        )
        self._insert(" ", mark.line, mark.column)
        return True

    def _insert(self, text: str, line: int, column: int) -> None:
        """Put a character into the text, so that reading can go on, and remember where."""
        lines = self._text.splitlines(keepends=True)
        lines[line] = lines[line][:column] + text + lines[line][column:]
        self._text = "".join(lines)
        behind = [
            (at, inserted + 1) if at == line + 1 and inserted > column else (at, inserted)
            for at, inserted in self._inserted
        ]
        self._inserted = [*behind, (line + 1, column + 1)]

    def _plain(self, node: yaml.Node, path: NodePath) -> Any:
        mark = self.value_marks[path] = self._mark(node.start_mark)
        if self._too_many() or id(node) in self._open:
            self._expands(mark)
            return None
        if node.tag not in _PLAIN_TAGS:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._say(mark, f"tag '{tag}' is not accepted; a scenario holds plain values only")
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
            value = self._construct(node)
            if isinstance(value, str):
                value.encode("utf-8")
            if not isinstance(value, int) or abs(value) < LARGEST_INTEGER:
                return value
            self._say(self._mark(node.start_mark), "this integer is too large")
            return None
        except (ValueError, KeyError, yaml.YAMLError):
            kind = {"int": "an integer", "float": "a number", "bool": "True or False"}
            accepted = kind.get(node.tag.rsplit(":", 1)[-1], "a plain value")
            self._say(self._mark(node.start_mark), f"{ascii(node.value)[:40]} is not {accepted}")
            return None

    def _mapping(self, node: yaml.MappingNode, path: NodePath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            # Before the keys of this mapping, which are stronger and whose marks must stay.
            if key_node.tag == _MERGE:
                merged = {**self._merge(value_node, path), **merged}
        plain: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            mark = self._mark(key_node.start_mark)
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                got = repr(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "a list or a mapping"
                self._say(mark, f"a key must be a name, got {got:.40}")
                continue
            if key in plain:
                first = self.key_marks[(*path, key)][0]
                self._say(mark, f"duplicate key '{key}'; it stands in line {first} already")
                continue
            self.key_marks[(*path, key)] = mark
            plain[key] = self._plain(value_node, (*path, key))
        return {**merged, **plain}

    def _merge(self, node: yaml.Node, path: NodePath) -> dict[str, Any]:
        """The mapping (or list of mappings, the first one strongest) that `<<:` names."""
        merged: dict[str, Any] = {}
        for part in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            mark = self._mark(part.start_mark)
            if not isinstance(part, yaml.MappingNode):
                self._say(mark, "'<<' takes a mapping, or a list of mappings")
            elif self._too_many() or id(part) in self._open:
                self._expands(mark)
            else:
                self._open.add(id(part))
                merged.update(self._mapping(part, path))
                self._open.discard(id(part))
        return merged

    def _too_many(self) -> bool:
        self._nodes += 1
        return self._nodes > MAX_NODES

    def _expands(self, mark: Mark) -> None:
        message = "the YAML aliases of this file expand without end"
        if not any(said == message for _, said in self.findings):
            self._say(mark, message)

    def _mark(self, mark: yaml.Mark) -> Mark:
        line, column = mark.line + 1, mark.column + 1
        return line, column - sum(1 for at, inserted in self._inserted if at == line and inserted < column)

    def _say(self, mark: Mark, message: str) -> None:
        self.findings.append((mark, message))

    def _readable(self, error: yaml.MarkedYAMLError) -> str:
        problem = error.problem or "cannot be read"
        if "found character '\\t'" in problem:
            return "a tab cannot indent YAML; use spaces"
        what = _UNFINISHED.get(error.context or "")
        if what and error.context_mark:
            line = self._mark(error.context_mark)[0]
            return f"not YAML: in the {what} that starts in line {line}: {_plainly(problem)}"
        return f"not YAML: {_plainly(problem)}"


def _plainly(problem: str) -> str:
    """PyYAML's complaint without its names of tokens."""
    if "'<document start>'" in problem:
        return "this line is indented less than the first key, or something stands before it"
    found = problem.replace("but got", "got").replace("but found", "found")
    for token, words in {
        "<stream end>": "the end of the file",
        "<block end>": "the end of a block",
        "<block mapping start>": "an indented key",
        "<block sequence start>": "an indented list",
        "<scalar>": "a value",
        "found another document": "a scenario is one document, and '---' starts another",
        "found unexpected end of stream": "its closing quote is missing",
        "mapping values are not allowed here": "a ':' cannot stand here; is the indentation right, or a quote missing?",
        "could not find expected ':'": "a ':' is missing after the key",
    }.items():
        found = found.replace(f"'{token}'", words).replace(token, words)
    return found

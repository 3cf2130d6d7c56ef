"""Questions about runs in one line: `model=SASRec ndcg@10>0.1 status!=failed scenario~quickstart`."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from utils.console import table
from utils.journal.index import NULL, VALID, ask
from utils.registry import did_you_mean
from utils.scenario.errors import Problem

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~")
ORDERS = ("<", "<=", ">", ">=")
TIMES = ("started", "ended")

Value = int | float | str | None
Wrong = tuple[int, str]

_ACCEPTED = f"accepted: NAME, one of {' '.join(OPERATORS)}, and VALUE, without spaces between them"
_QUOTED = r"""(?:"[^"]*"|'[^']*')(?!\S)"""
_TERM = re.compile(rf"""\s*([^\s=!<>~]*)([=!<>~]*)({_QUOTED}|["'].*|\S*)""")
# `ndcg@10 > 0.1` and `ndcg@10> 0.1`, which are one fault and not three.
_SPACED = re.compile(rf"""\s*([^\s=!<>~]+)(?:\s+([=!<>~]+)\s*|([=!<>~]+)\s+)({_QUOTED}|[^\s=!<>~"']+(?!\S))""")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?")
# So many values of a name fit into a line.
_TOLD = 6


class QueryError(ValueError):
    """A query that cannot be answered, with everything that is wrong with it."""

    def __init__(self, text: str, wrong: Sequence[Wrong]) -> None:
        problems = [Problem("query", 1, column + 1, message, text).render() for column, message in sorted(wrong)]
        count = [f"{len(wrong)} problems"] if len(wrong) > 1 else []
        super().__init__("\n".join([*problems, *count]))


@dataclass(frozen=True)
class Condition:
    """`name operator value`, and the columns where name and value stand in the query."""

    name: str
    operator: str
    value: str
    name_at: int = 0
    value_at: int = 0

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"

    @property
    def number(self) -> float | None:
        return float(self.value) if _NUMBER.fullmatch(self.value) else None

    def sql(self) -> tuple[str, list[Value]]:
        """(test of a run, its parameters). `!=` is the opposite of `=`: a run without the value meets it."""
        test, parameters = self._test()
        negated = "NOT " if self.operator == "!=" else ""
        return f"run_id {negated}IN (SELECT run_id FROM facts WHERE name = ? AND {test})", [self.name, *parameters]

    def _test(self) -> tuple[str, list[Value]]:
        wanted = self.value.casefold()
        if self.operator == "~":
            return "instr(fold(text), ?) > 0", [wanted]
        operator = self.operator.removeprefix("!")
        if self.name in TIMES:
            # A day is all of its hours, so no more of the time is compared than was given.
            return f"substr(text, 1, ?) {operator} ?", [len(self.value), self.value.replace(" ", "T")]
        if self.operator in ORDERS:
            return f"number {operator} ?", [self.number]
        if self.number is not None:
            return "(number = ? OR number IS NULL AND text = ?)", [self.number, self.value]
        return "fold(text) = ?", [_as_stored(wanted)]


@dataclass(frozen=True)
class Row:
    """One run that meets all conditions: its test metrics, and the values of the names that were asked for."""

    run_id: str
    model: str
    scenario: str
    seed: Value
    status: str
    started: str
    metrics: Mapping[str, float]
    asked: Mapping[str, Value]


class Rows(list[Row]):
    """The runs that were found, newest first; `total` is how many there are, `notes` is what else is to be said."""

    def __init__(self, rows: Sequence[Row], total: int, notes: Sequence[str]) -> None:
        super().__init__(rows)
        self.total, self.notes = total, notes


def run_query(saved: Path, text: str) -> Rows:
    """All runs under `saved` that meet every condition of `text`, newest first; QueryError where it cannot be told.

    An empty text asks for all runs.
    """
    text = re.sub(r"\s", " ", text)
    conditions, wrong = parse(text)
    rows, unreadable = ask(saved, lambda index: _answer(index, text, conditions, wrong))
    rows.notes = [*rows.notes, *(f"{path} cannot be read: {message}" for path, message in unreadable)]
    return rows


def render(rows: Rows) -> str:
    """A table of the runs, what else is to be said, and how many of all runs these are."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    shown = ["run_id", "model", "scenario", "seed", "status", "started"]
    asked = list(dict.fromkeys(name for row in rows for name in row.asked if name not in {*shown, *metrics}))
    cells = [
        [
            *(_cell(getattr(row, name)) for name in shown),
            *(f"{row.metrics[name]:.4f}" if name in row.metrics else "-" for name in metrics),
            *(_cell(row.asked[name]) for name in asked),
        ]
        for row in rows
    ]
    lines = table([*shown, *metrics, *asked], cells) if cells else ()
    return "\n".join([*lines, *rows.notes, f"{len(rows)} of {rows.total} run{'' if rows.total == 1 else 's'}"])


def parse(text: str) -> tuple[list[Condition], list[Wrong]]:
    """The conditions in order, and (column, message) of everything that is none."""
    found, wrong, at = [], [], 0
    while text[at:].strip():
        if spaced := _SPACED.match(text, at):
            name, before, after, value = spaced.groups()
            meant = f"{name}{before or after}{value}"
            wrong.append((spaced.start(1), f"got '{spaced[0].strip()}'; accepted: {meant}, without spaces"))
            at = spaced.end()
            continue
        term = _TERM.match(text, at)
        assert term is not None
        name, operator, value = term.groups()
        at = term.end()
        if not name or not operator:
            missing = "an operator" if name else "a name"
            wrong.append((term.start(1), f"got '{term[0].strip()}' without {missing}; {_ACCEPTED}"))
        elif operator not in OPERATORS:
            wrong.append((term.start(2), f"got the operator '{operator}'; accepted: {' '.join(OPERATORS)}"))
        elif not value:
            accepted = "accepted: a number or text, in quotes where it holds spaces"
            wrong.append((term.end(), f"got '{name}{operator}' without a value; {accepted}"))
        elif value[0] in "\"'" and not re.fullmatch(_QUOTED, value):
            wrong.append((term.start(3), f"got {value}; accepted: text in quotes that are closed before a space"))
        else:
            bare = value[1:-1] if value[0] in "\"'" else value
            found.append(Condition(name, operator, bare, term.start(1), term.start(3)))
    return found, wrong


def _answer(index: sqlite3.Connection, text: str, parsed: Sequence[Condition], wrong: Sequence[Wrong]) -> Rows:
    index.create_function("fold", 1, lambda value: value and value.casefold(), deterministic=True)
    total = index.execute("SELECT count(*) FROM runs").fetchone()[0]
    if not total and not wrong:
        return Rows([], 0, ["there are no runs yet"])
    conditions, faults = [], list(wrong)
    for condition in parsed if total else ():
        named, fault = _checked(index, condition)
        conditions.append(named)
        faults += fault
    if faults:
        raise QueryError(text, faults)
    rows = _rows(index, conditions)
    return Rows(rows, total, [] if rows else _why_none(index, conditions))


def _checked(index: sqlite3.Connection, condition: Condition) -> tuple[Condition, list[Wrong]]:
    """The condition with the name as the runs have it, and what is wrong with it."""
    known = [name for (name,) in index.execute("SELECT DISTINCT name FROM facts")]
    same = [name for name in known if name.casefold() == condition.name.casefold()]
    if condition.name not in same and len(same) != 1:
        meant = did_you_mean(condition.name, known)
        accepted = "; accepted: a field such as model, status or started, a setting, or a metric such as valid:ndcg@10"
        return condition, [(condition.name_at, f"no run has the name '{condition.name}'{meant or accepted}")]
    name = condition.name if condition.name in same else same[0]
    counts = "SELECT count(number), count(CASE WHEN number IS NULL AND text != ? THEN 1 END) FROM facts WHERE name = ?"
    numbers, texts = index.execute(counts, [NULL, name]).fetchone()
    value, operator, fault = condition.value, condition.operator, ""
    if name in TIMES and operator != "~" and not _TIME.fullmatch(value):
        fault = f"got '{value}'; accepted: a time such as 2026-11-26 or 2026-11-26T10:30"
    elif name not in TIMES and operator in ORDERS and texts and not numbers:
        fault = f"'{name}' is text; accepted with it: = != ~"
    elif name not in TIMES and operator in ORDERS and condition.number is None:
        fault = f"got '{value}'; accepted after {operator}: a number"
    elif operator in ("=", "!=") and numbers and not texts and condition.number is None and value.casefold() != NULL:
        fault = f"got '{value}'; '{name}' is a number"
    return replace(condition, name=name), [(condition.value_at, fault)] if fault else []


def _where(conditions: Sequence[Condition]) -> tuple[str, list[Value]]:
    tests = [condition.sql() for condition in conditions]
    return " AND ".join(test for test, _ in tests) or "TRUE", [value for _, values in tests for value in values]


def _rows(index: sqlite3.Connection, conditions: Sequence[Condition]) -> list[Row]:
    where, parameters = _where(conditions)
    asked = list(dict.fromkeys(condition.name for condition in conditions))
    values: dict[str, dict[str, Value]] = {}
    metrics: dict[str, dict[str, float]] = {}
    facts = index.execute(
        "SELECT run_id, name, kind, number, text FROM facts"
        f" WHERE (kind = 'metric' OR name IN ({', '.join('?' * len(asked))})) AND {where} ORDER BY rowid",
        [*asked, *parameters],
    )
    for run_id, name, kind, number, text in facts:
        if kind == "metric" and not name.startswith(VALID) and number is not None:
            metrics.setdefault(run_id, {})[name] = number
        if name in asked:
            values.setdefault(run_id, {})[name] = text if number is None else number
    runs = index.execute(
        f"SELECT run_id, model, scenario, seed, status, started FROM runs WHERE {where} ORDER BY started DESC, run_id",
        parameters,
    )
    return [
        Row(
            run_id,
            model,
            Path(scenario or "").stem,
            seed,
            status,
            started,
            metrics.get(run_id, {}),
            {name: values.get(run_id, {}).get(name) for name in asked},
        )
        for run_id, model, scenario, seed, status, started in runs
    ]


def _why_none(index: sqlite3.Connection, conditions: Sequence[Condition]) -> list[str]:
    """What each condition that no run meets would have to ask for; where there is none, how many runs meet each."""
    counts = []
    for condition in conditions:
        test, parameters = condition.sql()
        counts.append(index.execute(f"SELECT count(*) FROM runs WHERE {test}", parameters).fetchone()[0])
    if all(counts):
        each = ", ".join(f"{condition} by {count}" for condition, count in zip(conditions, counts, strict=True))
        return [f"no run meets all of these: {each}"]
    return [
        f"{condition}: {_instead(index, condition)}"
        for condition, count in zip(conditions, counts, strict=True)
        if not count
    ]


def _instead(index: sqlite3.Connection, condition: Condition) -> str:
    """What the runs have in place of a value that none has."""
    name, operator, number = condition.name, condition.operator, condition.number
    if operator == "!=":
        return "all runs have that"
    if operator in ORDERS:
        least = operator in ("<", "<=")
        of = "text" if name in TIMES else "number"
        found = index.execute(f"SELECT {'min' if least else 'max'}({of}) FROM facts WHERE name = ?", [name])
        return f"no run has that; the {'smallest' if least else 'largest'} is {_cell(found.fetchone()[0])}"
    texts = [text for (text,) in index.execute("SELECT DISTINCT text FROM facts WHERE name = ? ORDER BY text", [name])]
    if operator == "=" and number is not None:
        near = "SELECT number FROM facts WHERE name = ? AND number IS NOT NULL ORDER BY abs(number - ?) LIMIT 1"
        nearest = index.execute(near, [name, number]).fetchone()
        if nearest:
            return f"no run has that; the nearest is {_cell(nearest[0])}"
    # Of a path, one folder may be meant.
    parts = [part for text in texts for part in re.split(r"[/\\\s,]", text)] if operator == "~" else texts
    return f"no run has that{did_you_mean(condition.value, parts) or _told(texts)}"


def _told(texts: Sequence[str]) -> str:
    return f"; there are {', '.join(texts)}" if len(texts) <= _TOLD else f"; there are {len(texts)} others"


def _as_stored(value: str) -> str:
    """A list with the spaces that the index writes it with."""
    try:
        return json.dumps(json.loads(value)) if value.startswith("[") else value
    except json.JSONDecodeError:
        return value


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""Files of a knowledge graph: triples, links from items to entities, and names, as tab-separated columns."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from utils.data.kg.graph import KnowledgeGraph
from utils.registry import did_you_mean


class KgError(ValueError):
    """Files that do not hold a knowledge graph, or that do not belong together."""


def read_graph(path: Path) -> KnowledgeGraph:
    """The triples of a RecBole `.kg` file: columns head_id, relation_id and tail_id in any order; KgError otherwise.

    Every file here is UTF-8 with a header, may have more columns, and is unpacked when its name ends in `.gz`. All of
    it is text: quotes are letters, and `NA` is a token like any other.
    """
    return KnowledgeGraph.of(*read_columns(path, ("head_id", "relation_id", "tail_id")))


def read_link(path: Path, item_field: str = "item_id") -> list[tuple[str, str]]:
    """(item token, entity token) of each row of a RecBole `.link` file: columns `item_field` and entity_id."""
    items, entities = read_columns(path, (item_field, "entity_id"))
    return list(zip(items.to_pylist(), entities.to_pylist(), strict=True))


def read_names(path: Path) -> dict[str, str]:
    """Entity token -> name, of a file with the columns entity_id and name.

    An empty name is none; of several names of one entity the first counts.
    """
    entities, names = read_columns(path, ("entity_id", "name"), may_be_empty=("name",))
    named: dict[str, str] = {}
    for entity, name in zip(entities.to_pylist(), names.to_pylist(), strict=True):
        if name:
            named.setdefault(entity, name)
    return named


def column_names(path: Path) -> list[str]:
    """The columns of a file, without RecBole's types; KgError where there is no such file."""
    if not path.is_file():
        beside = [file.name for file in path.parent.glob("*") if file.is_file()]
        raise KgError(f"there is no file {path}{did_you_mean(path.name, beside)}")
    try:
        header = next(_lines(path), "")
    except (OSError, EOFError) as error:
        raise KgError(f"{path} cannot be read: {error}") from error
    return [column.partition(":")[0] for column in header.split("\t")]


def read_columns(path: Path, names: Sequence[str], may_be_empty: Sequence[str] = ()) -> list[Any]:
    """Those columns of a file as Arrow's chunked arrays of texts; KgError with the line that is at fault.

    may_be_empty: columns in which a row may have nothing.
    """
    there = column_names(path)
    for name in names:
        if name not in there:
            shown = ", ".join(there) or "none"
            raise KgError(f"{path}, line 1: there is no column '{name}'{did_you_mean(name, there)} (columns: {shown})")
    # By place, as a header may have a name twice.
    wanted = [str(there.index(name)) for name in names]
    try:
        table = csv.read_csv(
            str(path),
            read_options=csv.ReadOptions(column_names=[str(place) for place in range(len(there))], skip_rows=1),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise KgError(_fault(path, there, ()) or f"{path} cannot be read: {error}") from error
    columns = [table.column(place) for place in wanted]
    tokens = [name for name in names if name not in may_be_empty]
    if any(pc.any(pc.equal(column, "")).as_py() for name, column in zip(names, columns, strict=True) if name in tokens):
        raise KgError(str(_fault(path, there, tokens)))
    return columns


def _lines(path: Path) -> Iterator[str]:
    """Lines without their ends; bytes that are not UTF-8 come through as surrogates."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            yield line.rstrip("\n")


def _fault(path: Path, there: Sequence[str], tokens: Sequence[str]) -> str | None:
    """What is wrong with the first row that is not as it should be; None where all are fine."""
    try:
        for number, line in enumerate(_lines(path), start=1):
            if (where := _undecodable(line)) is not None:
                return f"{path}, line {number}: byte {where + 1} is not UTF-8; save the file in that encoding"
            fields = line.split("\t")
            if number == 1 or not line:
                continue
            if len(fields) != len(there):
                return f"{path}, line {number}: {len(fields)} fields, the header has {len(there)}"
            for name in tokens:
                if not fields[there.index(name)]:
                    return f"{path}, line {number}: {name} is empty"
    except (OSError, EOFError) as error:
        return f"{path} cannot be read: {error}"
    return None


def _undecodable(line: str) -> int | None:
    """The place of the first byte of a line that is not UTF-8."""
    try:
        line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None

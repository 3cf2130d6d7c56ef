"""Checks that the dataset's files and columns are there, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from utils.recbole_port import known_settings
from utils.registry import did_you_mean
from utils.scenario.paths import dataset_dir
from utils.scenario.source import NodePath

# RecBole ships this dataset; it is copied to data_path at first use.
SHIPPED = "ml-100k"
_SHIPPED_COLUMNS = {
    "inter": ["user_id", "item_id", "rating", "timestamp"],
    "user": ["user_id", "age", "gender", "occupation", "zip_code"],
    "item": ["item_id", "movie_title", "release_year", "class"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}


def check_dataset_files(settings: Mapping[str, Any]) -> Iterator[tuple[NodePath, str]]:
    """(place in the settings, what is missing): files and columns that `load_col` and the field names ask for."""
    folder, name = dataset_dir(settings), str(settings["dataset"])
    values = {**known_settings.defaults(settings.get("model"), name), **settings}
    parts = values.get("benchmark_filename")
    suffixes = [f"{part}.inter" for part in parts] if parts else ["inter"]
    columns: dict[str, list[str] | None] = {}
    for suffix in suffixes:
        found = _columns(folder, name, suffix, values)
        if found is None:
            yield ("dataset",), f"no file {folder / f'{name}.{suffix}'}"
            return
        columns["inter"] = found
    wanted = dict(values.get("load_col") or {})
    if values.get("load_col") is not None:
        wanted.setdefault("inter", [])
    for suffix, names in wanted.items():
        if suffix not in columns:
            columns[suffix] = _columns(folder, name, suffix, values)
        available = columns[suffix]
        at: NodePath = ("load_col", suffix) if "load_col" in settings else ("dataset",)
        if available is None:
            yield at, f"no file {folder / f'{name}.{suffix}'}"
            continue
        for column in [] if names == "*" else names:
            if column not in available:
                where = f"{name}.{suffix} has no column '{column}'{did_you_mean(column, available)}"
                yield at, f"{where} (columns: {', '.join(available)})"
    for setting in ("USER_ID_FIELD", "ITEM_ID_FIELD"):
        available = columns["inter"] or []
        if values[setting] not in available:
            at = (setting,) if setting in settings else ("dataset",)
            yield (
                at,
                f"{name}.inter has no column '{values[setting]}' ({setting}); columns: {', '.join(available)}",
            )


def _columns(folder: Path, name: str, suffix: str, values: Mapping[str, Any]) -> list[str] | None:
    """Column names of one atomic file, None when there is no such file."""
    file = folder / f"{name}.{suffix}"
    if not file.is_file():
        return _SHIPPED_COLUMNS.get(suffix) if name == SHIPPED and not folder.exists() else None
    with file.open(encoding=values.get("encoding") or "utf-8", errors="replace") as lines:
        header = lines.readline().rstrip("\n")
    return [column.partition(":")[0] for column in header.split(str(values["field_separator"]))]

"""Checks that the dataset's files and columns are there, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.paths import dataset_dir
from utils.recbole_port import known_models
from utils.recbole_port.known_models import SHIPPED
from utils.registry import did_you_mean
from utils.scenario.findings import Finding
from utils.scenario.nodes import NodePath


@dataclass(frozen=True)
class _Files:
    """The atomic files of one dataset."""

    folder: Path
    name: str
    values: Mapping[str, Any]

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    def columns(self, suffix: str) -> list[str] | None:
        """Column names of one file, None when it cannot be read."""
        path = self.path(suffix)
        if self.name == SHIPPED and not self.folder.exists():
            path = known_models.shipped_dataset(SHIPPED) / path.name
        try:
            with path.open(encoding=self.values.get("encoding") or "utf-8", errors="replace") as lines:
                header = lines.readline().rstrip("\n")
        except (OSError, ValueError, LookupError):
            return None
        return [column.partition(":")[0] for column in header.split(str(self.values["field_separator"]))]

    def no_column(self, suffix: str, column: str, available: list[str]) -> str:
        hint = did_you_mean(column, available)
        return f"{self.name}.{suffix} has no column '{column}'{hint} (columns: {', '.join(available)})"

    def other_datasets(self) -> str:
        """Which datasets lie beside a missing one."""
        try:
            beside = [path.name for path in self.folder.parent.iterdir() if (path / f"{path.name}.inter").is_file()]
        except OSError:
            beside = []
        there = ", ".join(sorted(beside)) or "no dataset"
        hint = did_you_mean(self.name, {*beside, SHIPPED} - {self.name})
        return f"{hint} (data_path {self.folder.parent} holds {there}; {SHIPPED} comes with RecBole)"


def check_dataset_files(values: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Finding]:
    """Files and columns that are asked for and not there.

    values: the settings with RecBole's defaults; given: what the scenario itself says.
    """
    files = _Files(dataset_dir(given), str(given["dataset"]), values)
    parts = values.get("benchmark_filename")
    header: list[str] = []
    for suffix in [f"{part}.inter" for part in parts] if parts else ["inter"]:
        found = files.columns(suffix)
        if found is None:
            at: NodePath = ("benchmark_filename",) if parts and "benchmark_filename" in given else ("dataset",)
            yield Finding(at, f"no file {files.path(suffix)}{files.other_datasets()}")
            return
        header = found
    yield from _loaded(files, header, values, given)
    suffixes = values.get("additional_feat_suffix") or []
    for suffix in [suffixes] if isinstance(suffixes, str) else suffixes:
        if files.columns(suffix) is None:
            at = ("additional_feat_suffix",) if "additional_feat_suffix" in given else ("dataset",)
            yield Finding(at, f"no file {files.path(suffix)}")


def _loaded(files: _Files, header: list[str], values: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Finding]:
    """Columns that `load_col` names must be in the files, and columns that are needed in `load_col`."""
    load_col = values.get("load_col")
    own = "" if "load_col" in given else " (RecBole's default)"
    columns = {"inter": header}
    for suffix, names in (load_col or {}).items():
        at: NodePath = ("load_col", suffix) if "load_col" in given else ("dataset",)
        available = columns[suffix] if suffix == "inter" else files.columns(suffix)
        if available is None:
            yield Finding(at, f"no file {files.path(suffix)}, which load_col{own} names")
            continue
        columns[suffix] = available
        for index, column in enumerate([] if names == "*" else names):
            if column not in available:
                place = (*at, index) if "load_col" in given else at
                yield Finding(place, f"load_col.{suffix}{own}: {files.no_column(suffix, column, available)}")
    model = known_models.models().get(str(values.get("model")))
    if model is not None and model.kind == "knowledge" and load_col is not None:
        lacking = [suffix for suffix in ("kg", "link") if suffix not in load_col]
        if lacking:
            at = ("load_col",) if "load_col" in given else ("dataset",)
            yield Finding(at, f"load_col{own} lacks {' and '.join(lacking)}, from which {model.name} learns")
    said = set()
    for suffix, setting in _needed(values, columns):
        column, available = values[setting], columns[suffix]
        if column in said:
            continue
        if column not in available:
            said.add(column)
            at = next(((key,) for key in (setting, "load_col") if key in given), ("dataset",))
            yield Finding(at, f"{setting}: {files.no_column(suffix, column, available)}")
        elif load_col is not None and load_col.get(suffix, []) != "*" and column not in load_col.get(suffix, []):
            at = ("load_col", suffix) if "load_col" in given else ("dataset",)
            yield Finding(at, f"load_col.{suffix}{own} lacks '{column}', the {setting}, which this run needs")
    for field in values.get("threshold") or {}:
        names = header if load_col is None or load_col.get("inter") == "*" else load_col.get("inter", [])
        if field not in names:
            at = ("threshold",) if "threshold" in given else ("dataset",)
            yield Finding(at, f"threshold: load_col.inter{own} has no column '{field}'{did_you_mean(field, names)}")


def _needed(values: Mapping[str, Any], loaded: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """(file, setting that names a column) for the columns that RecBole cannot do without."""
    yield "inter", "USER_ID_FIELD"
    yield "inter", "ITEM_ID_FIELD"
    if values["eval_args"].get("order") == "TO":
        yield "inter", "TIME_FIELD"
    for suffix, setting in (("user", "USER_ID_FIELD"), ("item", "ITEM_ID_FIELD")):
        if suffix in loaded:
            yield suffix, setting

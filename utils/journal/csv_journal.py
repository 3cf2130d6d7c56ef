"""The journal: one CSV row per run, a view of the records with LLM-KT's columns, appended under a lock."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from utils.journal.outcome import control_of
from utils.journal.records import RunRecord

_RUN_COLUMNS = [
    "subdir", "config", "start date", "start time", "end date", "end time", "dataset", "user_num", "item_num",
    "inter_num", "seed", "user_filter", "item_filter", "threshold", "model_type", "train_split", "eval_split",
    "eval_valid_mode", "eval_test_mode", "eval_valid_metric", "dist_loss_w", "run_id", "status", "error", "control",
]  # fmt: skip
_STAGE_COLUMNS = [
    "loss_name", "users_emb", "items_emb", "particular", "set_outputs", "set_trainable", "train_ds_ind", "config",
    "best_val_score", "best_val_res", "best_test_res", "bestmodel_file",
]  # fmt: skip

# A row takes milliseconds; who holds the lock for longer has stopped.
_LOCK_TIMEOUT_S = 60


def append(journal: Path, record: RunRecord) -> None:
    """Add this run's row. Rows that are there stay as they are; new columns are added to the header.

    Raises OSError where it cannot be written, or where another process has held the lock for too long, and
    ValueError where the file is no CSV in UTF-8.
    """
    row = row_of(record)
    with FileLock(f"{journal}.lock", timeout=_LOCK_TIMEOUT_S):
        header, rows = _read(journal)
        if header and not set(header) & set(_RUN_COLUMNS):
            raise ValueError(f"{journal} is a CSV of something else; set another journal_name")
        missing = [column for column in row if column not in header]
        wider = [*header, *missing]
        line = [row.get(column, "") for column in wider]
        if missing or not _ends_complete(journal):
            _replace(journal, [wider, *rows, line])
        else:
            with journal.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file).writerow(line)


def has(journal: Path, record: RunRecord) -> bool:
    """Whether there is a row of this run with this end."""
    header, rows = _read(journal)
    found = (dict(zip(header, row, strict=False)) for row in rows)
    return any((row.get("run_id"), row.get("status")) == (record.run_id, record.status) for row in found)


def _ends_complete(journal: Path) -> bool:
    """Whether a row can be appended; a crash may have left half a line, an editor no last line break."""
    return journal.exists() and journal.read_bytes().endswith(b"\n")


def row_of(record: RunRecord) -> dict[str, str]:
    """Column -> text; what is unknown is empty."""
    settings, protocol = record.settings, record.protocol
    eval_args = protocol.get("eval_args") or {}
    mode = eval_args.get("mode") or {}
    start, end = record.started.partition("T"), (record.ended or "").partition("T")
    scenario = Path(record.scenario).absolute()
    values = [
        scenario.parent.name, scenario.name, start[0], start[2][:8], end[0], end[2][:8], settings.get("dataset"),
        record.dataset.get("users"), record.dataset.get("items"), record.dataset.get("interactions"),
        settings.get("seed"), settings.get("user_inter_num_interval"), settings.get("item_inter_num_interval"),
        settings.get("threshold"), protocol.get("model_type"), settings.get("add_train_split"), eval_args.get("split"),
        mode.get("valid"), mode.get("test"), protocol.get("valid_metric"), record.transfer_weight(),
        record.run_id, record.status, (record.error or {}).get("message"), control_of(record),
    ]  # fmt: skip
    row = dict(zip(_RUN_COLUMNS, map(_cell, values), strict=True))
    for name, stage in record.stages.items():
        row.update({f"train_{name}:{column}": _cell(stage.get(column)) for column in _STAGE_COLUMNS})
    return row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _read(journal: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, with what someone has added by hand; cells beyond the header get columns of their own."""
    if not journal.exists():
        return [], []
    try:
        # Spreadsheets put a byte order mark in front.
        with journal.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except csv.Error as error:
        raise ValueError(f"{journal} is not a CSV: {error}") from error
    width = max(map(len, [header, *rows]))
    return [*header, *(f"unnamed {number}" for number in range(len(header) + 1, width + 1))], rows


def _replace(journal: Path, lines: list[list[str]]) -> None:
    """Write a new file in one step; short rows are filled up."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([line + [""] * (len(lines[0]) - len(line)) for line in lines if line])
    temporary = journal.with_name(f".{journal.name}.{os.getpid()}")
    try:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        os.replace(temporary, journal)
    finally:
        temporary.unlink(missing_ok=True)

"""The table at the end of a folder: model, variant, test metrics, change over the plain run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.console import table
from utils.journal.records import RunRecord


def summary_table(records: Sequence[RunRecord]) -> str:
    """One line per run. The change is that of the valid metric's kind on the test part, against the plain run."""
    tested = [record for record in records if record.test_metrics()]
    metrics = list(dict.fromkeys(name for record in tested for name in record.test_metrics()))
    rows, notes = [], []
    for record in records:
        values = record.test_metrics()
        cells = [f"{values[name]:.4f}" if name in values else "-" for name in metrics]
        change, note = _change(record, records)
        if note and note not in notes:
            notes.append(note)
        rows.append([str(record.settings["model"]), _variant(record), *cells, change])
    if not rows:
        return "nothing was run"
    lines = table(["model", "variant", *metrics, "change"], rows)
    return "\n".join([*lines, *notes])


def _variant(record: RunRecord) -> str:
    name = Path(record.scenario).stem
    if record.status != "done":
        return f"{name} ({record.status})"
    if not record.transfers:
        return f"{name} (plain)"
    losses = {str(stage["loss_name"]) for stage in record.stages.values() if stage.get("transferred")}
    return f"{name} ({', '.join(sorted(losses))})"


def _change(record: RunRecord, records: Sequence[RunRecord]) -> tuple[str, str]:
    """(relative change of the valid metric over the plain twin, a note when it cannot be told)."""
    if not record.transfers or not record.test_metrics():
        return "", ""
    metric = str(record.protocol.get("valid_metric", "")).lower()
    twins = [other for other in records if other.test_metrics() and not other.transfers and _comparable(other, record)]
    if len(twins) != 1:
        count = "no plain run" if not twins else f"{len(twins)} plain runs"
        return (
            "-",
            f"change: {count} of {record.settings['model']} with the same data and protocol to compare with",
        )
    before, after = twins[0].test_metrics().get(metric), record.test_metrics().get(metric)
    if not before or after is None:
        return "-", f"change: {metric} is zero or was not measured on the test part"
    return f"{(after - before) / before:+.1%} {metric}", ""


def _comparable(left: RunRecord, right: RunRecord) -> bool:
    def key(record: RunRecord) -> tuple[object, ...]:
        return (record.settings["model"], record.dataset, record.protocol, record.settings.get("seed"))

    return key(left) == key(right)

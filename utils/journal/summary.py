"""The table at the end of a folder: model, variant, test metrics, change over the plain run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.console import table
from utils.journal import slices
from utils.journal.outcome import CONTROL_NAMES, Outcome, differences, model_of, outcome_of
from utils.journal.records import RunRecord
from utils.recbole_port import known_models

ONE_SEED = "change: one run on each side; whether it would hold under another seed is not tested"


def summary_table(records: Sequence[RunRecord]) -> str:
    """One line per run. The change is that of the valid metric on the test part, against the plain run."""
    if not records:
        return "nothing was run"
    outcomes = [outcome_of(record) for record in records]
    metrics = list(dict.fromkeys(name for outcome in outcomes if outcome for name in outcome.metrics))
    cold = slices.columns(outcome for outcome in outcomes if outcome)
    rows, notes = [], []
    for record, outcome in zip(records, outcomes, strict=True):
        values = outcome.metrics if outcome else {}
        cells = [f"{values[name]:.4f}" if name in values else "-" for name in metrics]
        cells += ["-" if (found := slices.value(outcome, name)) is None else f"{found:.4f}" for name in cold]
        change, note = _change(record, outcome, records)
        if note and note not in notes:
            notes.append(note)
        rows.append([model_of(record, outcome), _variant(record, outcome), *cells, change])
    header = ["model", "variant", *metrics, *map(slices.label, cold), "change"]
    pairs = zip(records, outcomes, strict=True)
    meaning = slices.meaning(cold, ((model_of(record, outcome), outcome) for record, outcome in pairs if outcome))
    return "\n".join([*table(header, rows), *_ranking(records, outcomes), *meaning, *notes])


def _ranking(records: Sequence[RunRecord], outcomes: Sequence[Outcome | None]) -> list[str]:
    """What the relevant items were ranked among, and by which models where that differs."""
    models: dict[str, dict[str, None]] = {}
    for record, outcome in zip(records, outcomes, strict=True):
        if outcome and outcome.ranking:
            models.setdefault(outcome.ranking, {})[model_of(record, outcome)] = None
    if len(models) < 2:
        return [f"ranking: {kind}" for kind in models]
    kinds = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in models.items())
    return [f"ranking: {kinds}; do not compare across these"]


def _variant(record: RunRecord, outcome: Outcome | None) -> str:
    name = Path(record.scenario).stem
    if record.status != "done":
        return f"{name} ({record.status})"
    if outcome is None:
        return f"{name} (not tested)"
    labels = [*outcome.losses, *(["loaded"] if outcome.loaded else [])]
    labels += [CONTROL_NAMES[outcome.control]] if outcome.control else []
    return f"{name} ({', '.join(labels) or 'plain'})"


def _change(record: RunRecord, outcome: Outcome | None, records: Sequence[RunRecord]) -> tuple[str, str]:
    """(relative change over the plain twin, what is to be said about it)."""
    if record.status != "done" or outcome is None or not outcome.transferred:
        return "", ""
    name = Path(record.scenario).stem
    if outcome.loaded:
        return "-", f"change: {name} was loaded from a checkpoint, so it is compared with none"
    plain = [(other, found) for other in records if (found := _plain_outcome(other)) and _same_task(other, record)]
    model = model_of(record, outcome)
    if not plain and model in known_models.models() and known_models.takes_vectors(model):
        return "-", f"change: {model} has no plain run; name its backbone's scenario as baseline of {name}"
    if not plain:
        return "-", f"change: no plain run of {model} on the same data and seed to compare {name} with"
    fair = [found for _, found in plain if not differences(found, outcome)]
    if not fair:
        other, found = plain[0]
        what = ", ".join(differences(found, outcome)[:4])
        return "-", f"change: {name} and {Path(other.scenario).stem} differ in {what} as well, so they are not compared"
    if any(found.metrics != fair[0].metrics for found in fair):
        return "-", f"change: {len(fair)} plain runs of {model} were given the same and differ in results"
    metric = outcome.valid_metric
    before, after = fair[0].metrics.get(metric), outcome.metrics.get(metric)
    if not before or after is None:
        return "-", f"change: {metric} is zero or was not measured on the test part"
    return f"{(after - before) / before:+.1%} {metric}", ONE_SEED


def _plain_outcome(record: RunRecord) -> Outcome | None:
    outcome = outcome_of(record) if record.status == "done" else None
    return outcome if outcome and not outcome.transferred and not outcome.loaded else None


def _same_task(left: RunRecord, right: RunRecord) -> bool:
    def key(record: RunRecord) -> tuple[object, ...]:
        return (model_of(record, outcome_of(record)), record.dataset, record.settings.get("seed"))

    return key(left) == key(right)

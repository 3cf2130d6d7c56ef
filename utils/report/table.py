"""The table at the end of a folder with several seeds: mean, deviation and count, the gain and what a test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from utils.console import table
from utils.journal import slices
from utils.report.baselines import compare_all
from utils.report.comparison import ONE_SEED, Comparison
from utils.report.slices import outcomes_alike, part
from utils.report.variants import Run, Variant, variants_of

TESTED = (
    "p: the larger of two paired t-tests, over seeds and over users, corrected (Holm) for all comparisons of the "
    "table; better or worse from p <= .05; --report shows the other tests"
)


def variants_table(runs: Sequence[Run], baseline: str | None = None) -> str:
    """One line per variant. The gain is that of the valid metric on the test part.

    baseline: the scenario that all others are compared with; NoSuchBaseline where it is not among the runs.
    """
    if not runs:
        return "nothing was run"
    variants = variants_of(runs)
    comparisons, reasons = compare_all(variants, baseline, sliced=False)
    metrics = list(dict.fromkeys(name for variant in variants for found in variant.outcomes for name in found.metrics))
    cold = slices.columns(outcome for variant in variants for outcome in variant.outcomes)
    header = ["model", "variant", "seeds", *metrics, *map(slices.label, cold)]
    told = ["gain", "95% interval", "p", "verdict"] if comparisons else []
    rows = [
        [*_numbers(variant, metrics, cold), *(_compared(comparisons.get(variant.key)) if told else [])]
        for variant in variants
    ]
    alike = ((variant.model, outcome) for variant in variants for outcome in outcomes_alike(variant))
    notes = [
        *_failures(variants),
        *_against_controls(comparisons.values()),
        *slices.meaning(cold, alike),
        *_notes(variants, comparisons, reasons),
    ]
    return "\n".join([*table([*header, *told], rows), *notes])


def _numbers(variant: Variant, metrics: Sequence[str], cold: Sequence[str]) -> list[str]:
    parts = [part(variant, name, variant.valid_metric) for name in cold]
    return [
        variant.model,
        variant.name,
        str(len(variant.tested)),
        *(_cell(variant.mean_and_deviation(metric)) for metric in metrics),
        *(_cell((found.mean, found.deviation) if found else None) for found in parts),
    ]


def _cell(found: tuple[float, float | None] | None) -> str:
    if found is None:
        return "-"
    mean, deviation = found
    return f"{mean:.4f}" + (f" ±{deviation:.4f}" if deviation is not None else "")


def _compared(comparison: Comparison | None) -> list[str]:
    # A gain over a control is told below: here it would pass for one over the plain model.
    return ["", "", "", ""] if comparison is None or comparison.baseline.control else _told(comparison)


def _told(comparison: Comparison) -> list[str]:
    """Gain, interval, p and verdict in the valid metric; empty where it was not measured on both sides."""
    metric = comparison.variant.valid_metric
    if (gain := comparison.gains.get(metric)) is None:
        return ["", "", "", ""]
    size = f"{gain.gain:+.4f} {metric}" + (f" ({gain.relative:+.1%})" if gain.relative is not None else "")
    interval = f"{gain.interval[0]:+.4f} to {gain.interval[1]:+.4f}" if gain.interval else ""
    return [size, interval, "" if gain.holm is None else f"{gain.holm:.3f}", comparison.verdict(metric)]


def _against_controls(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """A line for each variant and control of it: what is left of the gain is what the vectors say."""
    for each in (one for found in comparisons for one in (found, *found.against_controls) if one.baseline.control):
        size, interval, p, verdict = _told(each)
        if size:
            tested = f", p {p}" if p else ""
            pair = f"{each.variant.name} against {each.baseline.name}"
            yield f"{pair}: {size}, {interval or 'no interval'}{tested}: {verdict}"


def _failures(variants: Iterable[Variant]) -> Iterator[str]:
    """A line for each variant of which some runs were tested and others failed: the number of seeds does not tell."""
    for variant in variants:
        failed = [run for run in variant.runs if run.record.status != "done" and run.seed not in variant.by_seed]
        if failed and variant.tested:
            seeds = ", ".join(str(run.seed) for run in failed)
            why = str((failed[-1].record.error or {}).get("message", "")).partition("\n")[0]
            yield f"{variant.name}: no result with seed {seeds} ({failed[-1].record.status}{why and f': {why}'})"


def _notes(variants: Sequence[Variant], comparisons: Mapping[str, Comparison], reasons: Mapping[str, str]) -> list[str]:
    notes: dict[str, None] = {}
    rankings = {variant.ranking: None for variant in variants if variant.ranking}
    for kind in rankings:
        models = dict.fromkeys(variant.model for variant in variants if variant.ranking == kind)
        notes[f"ranking: {kind}" + (f" ({', '.join(models)}); do not compare across" if len(rankings) > 1 else "")] = (
            None
        )
    for comparison in comparisons.values():
        against = f"{comparison.variant.name} against {comparison.baseline.name}"
        if comparison.unfair:
            notes[f"unfair: {against}: {', '.join(comparison.unfair[:4])}"] = None
        for note in comparison.notes:
            notes[note if note == ONE_SEED else f"{against}: {note}"] = None
    notes.update(dict.fromkeys(f"gain: {reason}" for reason in reasons.values()))
    if any(gain.holm is not None for found in comparisons.values() for gain in found.gains.values()):
        notes[TESTED] = None
    return list(notes)

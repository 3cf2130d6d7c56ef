"""Which variant each one is compared with: the one that it or the command line names, else its plain twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.journal.outcome import WITHOUT_EFFECT
from utils.journal.records import RunRecord
from utils.recbole_port import known_models
from utils.registry import did_you_mean
from utils.report.comparison import Comparison, compare, correct, unfair
from utils.report.variants import Variant


class NoSuchBaseline(ValueError):
    """A baseline that is not among the runs."""


def compare_all(
    variants: Sequence[Variant], named: str | None = None, sliced: bool = True
) -> tuple[dict[str, Comparison], dict[str, str]]:
    """(comparison by the variant's key, why there is none by the key), with p-values corrected for all of them.

    named: the scenario that every other one is compared with. NoSuchBaseline where it is not there or was not tested.
    """
    if named is not None:
        _named(named, variants)
    plain = [variant for variant in variants if _plain(variant)]
    comparisons: dict[str, Comparison] = {}
    reasons: dict[str, str] = {}
    for variant in variants:
        if not variant.tested or (variant.record.search or {}).get("study"):
            continue
        try:
            baseline, why = _baseline(variant, variants, plain, named)
        except NoSuchBaseline as error:
            baseline, why = None, str(error)
        if baseline is not None:
            comparisons[variant.key] = compare(variant, baseline, variant.valid_metric if sliced else None)
            comparisons[variant.key].against_controls = [
                compare(variant, control) for control in _controls(variant, variants) if control is not baseline
            ]
        elif why:
            reasons[variant.key] = why
    correct(list(comparisons.values()))
    return comparisons, reasons


def _baseline(
    variant: Variant, variants: Sequence[Variant], plain: Sequence[Variant], named: str | None
) -> tuple[Variant | None, str]:
    """The variant to compare with, or None and why there is none."""
    own = variant.record.settings.get("baseline")
    if named is not None:
        return _other_than(variant, _named(named, variants))
    if own is not None:
        return _other_than(variant, _named(str(own), _beside(variant, str(own), variants)))
    if not variant.transferred:
        return None, ""
    if variant.loaded:
        return None, f"{variant.scenario} was loaded from a checkpoint, so it is compared with none"
    own_twin = [other for other in plain if other.plain_twin and _same_scenario(other, variant)]
    if own_twin:
        return own_twin[-1], ""
    twins = [other for other in plain if other.model == variant.model and _same_data(other, variant)]
    if not twins and (controls := _controls(variant, variants)):
        return controls[0], ""
    if not twins and variant.model in known_models.models() and known_models.takes_vectors(variant.model):
        return None, f"{variant.model} has no plain run; name its backbone's scenario as baseline of {variant.scenario}"
    if not twins:
        return None, f"no plain run of {variant.model} on the same data to compare {variant.scenario} with"
    shared = [twin for twin in twins if twin.by_seed.keys() & variant.by_seed.keys()] or twins
    if len(shared) == 1:
        return shared[0], ""
    fair = [twin for twin in shared if not unfair(variant, twin)]
    if len(fair) > 1:
        names = ", ".join(twin.name for twin in fair)
        return None, f"several plain variants fit {variant.scenario} ({names}); name one with --baseline"
    return (fair or shared)[0], ""


def _other_than(variant: Variant, candidates: Sequence[Variant]) -> tuple[Variant | None, str]:
    """The one of several versions of a baseline that is a fair one."""
    if any(found.scenario == variant.scenario for found in candidates):
        return None, ""
    if len(candidates) == 1:
        return candidates[0], ""
    fair = [found for found in candidates if found.by_seed.keys() & variant.by_seed.keys()]
    fair = [found for found in fair if not unfair(variant, found)]
    if len(fair) == 1:
        return fair[0], ""
    names = ", ".join(found.name for found in candidates)
    return None, f"{variant.scenario}: its baseline has several versions ({names}), of which {len(fair)} are fair"


def _beside(variant: Variant, name: str, variants: Sequence[Variant]) -> Sequence[Variant]:
    """Variants of the same folder; of the one above for what a search has found and whose baseline is not beside it."""
    folder = Path(variant.record.scenario).parent
    inside = [other for other in variants if Path(other.record.scenario).parent == folder]
    if variant.record.settings.get("tuned") and all(other.scenario != name for other in inside):
        return [other for other in variants if Path(other.record.scenario).parent == folder.parent]
    return inside


def _named(name: str, variants: Sequence[Variant]) -> list[Variant]:
    found = [variant for variant in variants if name in (variant.scenario, variant.name)]
    tested = [variant for variant in found if variant.tested]
    # The scenario itself is meant by its name, not the controls of it that stand beside it.
    itself = [variant for variant in tested if not variant.record.settings.get("control")]
    if tested:
        return itself or tested
    if found:
        raise NoSuchBaseline(f"the baseline '{name}' has no run that was tested")
    scenarios = sorted({variant.scenario for variant in variants})
    hint = did_you_mean(name, scenarios) or f"; there are {', '.join(scenarios[:8]) or 'no runs'}"
    raise NoSuchBaseline(f"the baseline '{name}' is not among the runs{hint}")


def _plain(variant: Variant) -> bool:
    return bool(variant.tested) and not variant.transferred and not variant.loaded and not variant.record.search


def _controls(variant: Variant, variants: Sequence[Variant]) -> list[Variant]:
    """The controls of a variant's own scenario; a control has none."""
    if variant.control or not variant.transferred:
        return []
    return [other for other in variants if other.control and other.tested and _same_scenario(other, variant)]


def _same_scenario(left: Variant, right: Variant) -> bool:
    """Whether two variants are one scenario, save for what it is a control of."""
    ours, theirs = left.record, right.record
    if ours.scenario != theirs.scenario or ours.experiment is None or theirs.experiment is None:
        # Records from before there were controls of a scenario have settings alone to tell by.
        return ours.scenario == theirs.scenario and _settings(ours) == _settings(theirs)
    return ours.experiment == theirs.experiment


def _settings(record: RunRecord) -> dict[str, object]:
    inert = {"control", "seed", *WITHOUT_EFFECT}
    return {name: value for name, value in record.settings.items() if name not in inert}


def _same_data(left: Variant, right: Variant) -> bool:
    return left.record.settings.get("dataset") == right.record.settings.get("dataset")

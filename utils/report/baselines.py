"""Which variant each one is compared with: the one that it or the command line names, else its plain twin."""

from __future__ import annotations

from collections.abc import Sequence

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
        elif why:
            reasons[variant.key] = why
    correct(list(comparisons.values()))
    return comparisons, reasons


def _baseline(
    variant: Variant, variants: Sequence[Variant], plain: Sequence[Variant], named: str | None
) -> tuple[Variant | None, str]:
    """The variant to compare with, or None and why there is none."""
    wanted = named or variant.record.settings.get("baseline")
    if wanted:
        found = _named(str(wanted), variants)
        return (None, "") if found is variant or found.scenario == variant.scenario else (found, "")
    if not variant.transferred:
        return None, ""
    if variant.loaded:
        return None, f"{variant.scenario} was loaded from a checkpoint, so it is compared with none"
    twins = [other for other in plain if other.model == variant.model and _same_data(other, variant)]
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


def _named(name: str, variants: Sequence[Variant]) -> Variant:
    found = [variant for variant in variants if name in (variant.scenario, variant.name)]
    tested = [variant for variant in found if variant.tested]
    if tested:
        return tested[-1]
    if found:
        raise NoSuchBaseline(f"the baseline '{name}' has no run that was tested")
    scenarios = sorted({variant.scenario for variant in variants})
    hint = did_you_mean(name, scenarios) or f"; there are {', '.join(scenarios[:8]) or 'no runs'}"
    raise NoSuchBaseline(f"the baseline '{name}' is not among the runs{hint}")


def _plain(variant: Variant) -> bool:
    return bool(variant.tested) and not variant.transferred and not variant.loaded and not variant.record.search


def _same_data(left: Variant, right: Variant) -> bool:
    return left.record.settings.get("dataset") == right.record.settings.get("dataset")

"""The table of who chose how well among the same candidates, and whether the first of them is better than the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from utils.console import table
from utils.registry import did_you_mean
from utils.report.choice_baselines import against_chance
from utils.report.significance import LEVEL, Floats, bootstrap_interval, holm, paired_tests, verdict

ONE_MODEL = "one trained model: whether it would hold under another seed is not tested"
_SHOWN_TESTS = ("t", "wilcoxon", "permutation")


@dataclass(frozen=True)
class ChoiceTable:
    """lines: for the console. facts: the same as plain numbers and texts, for the record."""

    lines: list[str]
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Difference:
    """The main row minus another in the first metric, paired by sample; None for what too few samples do not say.

    p: by test, None for tests that do not apply. test: the one that decides. holm: its p, corrected.
    """

    mean: float
    interval: tuple[float, float] | None
    p: dict[str, float | None] | None
    test: str = "t"
    holm: float | None = None


def choice_table(
    main: str, rows: Mapping[str, Mapping[str, Floats]], chance: Mapping[str, Floats] | None = None
) -> ChoiceTable:
    """The means of `rows`, name -> metric -> value by sample [S], and row `main` against every other one.

    Sample i is the same question, to the same user about the same candidates, in every row; one of a user, or the
    samples are not independent. Compared is the first metric: the mean difference with its 95% bootstrap interval and
    the p of a paired t-test, corrected over the rows (Holm).

    chance: rows that are not a model's choices but what chance brings on average, name -> variance of the first metric
    by sample [S] (`chance_variance`; 0 where no candidate is right). The main row is tested against that distribution.

    ValueError where the rows do not fit together.
    """
    metrics, n_samples = _common(main, rows)
    chance = chance or {}
    _check_chance(main, rows, chance, n_samples)
    means = {name: {metric: float(row[metric].mean()) for metric in metrics} for name, row in rows.items()}
    against = _against(main, rows, metrics[0], chance)
    header = ["choices of", "samples", *metrics]
    cells = [[name, f"{n_samples:,}", *(map(_number, row.values()))] for name, row in means.items()]
    lines = [*table(header, cells), *_told(main, metrics[0], against)]
    tested = {name: each.test for name, each in against.items() if each.holm is not None}
    if tested:
        lines += [f"p: {_tests_told(tested, n_samples)}; better or worse from p <= {_number(LEVEL).rstrip('0')}"]
        lines += [ONE_MODEL]
    facts = {
        "main": main,
        "metric": metrics[0],
        "samples": n_samples,
        "rows": means,
        "against": {name: _facts(each) for name, each in against.items()},
    }
    return ChoiceTable(lines, facts)


def _common(main: str, rows: Mapping[str, Mapping[str, Floats]]) -> tuple[list[str], int]:
    """The metrics and the number of samples that all rows have."""
    if main not in rows:
        raise ValueError(f"there is no row '{main}'{did_you_mean(main, rows)}; there are {', '.join(rows) or 'none'}")
    metrics = list(rows[main])
    shapes = {name: {metric: values.shape for metric, values in row.items()} for name, row in rows.items()}
    shape = next(iter(shapes[main].values()), (0,))
    if shape == (0,):
        raise ValueError(f"row '{main}' has no metric of any sample")
    for name, found in shapes.items():
        if found != dict.fromkeys(metrics, shape):
            raise ValueError(f"row '{name}' has {found}, row '{main}' {shapes[main]}; all rows need the same")
    return metrics, shape[0]


def _check_chance(
    main: str, rows: Mapping[str, Mapping[str, Floats]], chance: Mapping[str, Floats], n_samples: int
) -> None:
    others = [name for name in rows if name != main]
    for name, variances in chance.items():
        if name not in others:
            near = did_you_mean(name, others)
            raise ValueError(f"chance of '{name}'{near}; rows beside '{main}' are {', '.join(others) or 'none'}")
        if variances.shape != (n_samples,):
            raise ValueError(f"chance of '{name}' has the shape {list(variances.shape)}, the rows [{n_samples}]")


def _against(
    main: str, rows: Mapping[str, Mapping[str, Floats]], metric: str, chance: Mapping[str, Floats]
) -> dict[str, _Difference]:
    found = {
        name: _from_chance(rows[main][metric], row[metric], chance[name])
        if name in chance
        else _paired(rows[main][metric] - row[metric])
        for name, row in rows.items()
        if name != main
    }
    p_values = {name: p for name, each in found.items() if each.p and (p := each.p[each.test]) is not None}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return {name: replace(each, holm=corrected.get(name)) for name, each in found.items()}


def _paired(differences: Floats) -> _Difference:
    tests = paired_tests(differences)
    p = None if tests is None else {name: getattr(tests, name) for name in _SHOWN_TESTS}
    return _Difference(float(differences.mean()), bootstrap_interval(differences[np.newaxis]), p)


def _from_chance(values: Floats, means: Floats, variances: Floats) -> _Difference:
    differences = values - means
    test = against_chance(values, means, variances)
    if test is None:
        return _Difference(float(differences.mean()), None, None)
    # Redrawn, samples that are all alike would pretend to know the difference exactly.
    interval = bootstrap_interval(differences[np.newaxis]) if test.spread else None
    p = dict.fromkeys(_SHOWN_TESTS) | {test.name: test.p}
    return _Difference(float(differences.mean()), interval, p, test.name)


def _tests_told(tested: Mapping[str, str], n_samples: int) -> str:
    """How the p of each row was come by, row -> test."""
    told = [f"paired t-test over {n_samples:,} samples"] if "t" in tested.values() else []
    told += [f"{name}: against chance itself ({test} test)" for name, test in tested.items() if test != "t"]
    family = [f"corrected (Holm) for {len(tested)} rows"] if len(tested) > 1 else []
    return ", ".join(told + family)


def _told(main: str, metric: str, against: Mapping[str, _Difference]) -> Iterator[str]:
    """A line for each row that `main` is compared with."""
    for name, found in against.items():
        low_high = [_number(end, signed=True) for end in found.interval or ()]
        p = "" if found.holm is None else f", p {_number(found.holm)}" if found.holm >= 0.0005 else ", p < .001"
        size = f"{_number(found.mean, signed=True)} {metric}, {' to '.join(low_high) or 'no interval'}{p}"
        yield f"{main} against {name}: {size}: {verdict(found.mean, found.holm)}"


def _number(value: float, signed: bool = False) -> str:
    """Three decimals without a leading zero, as tables of such metrics have them: .435, -.021, 1.000."""
    # A zero has no sign of its own: what rounds to it is not less than nothing.
    text = f"{round(value, 3) + 0.0:{'+' if signed else ''}.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def _facts(found: _Difference) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    return {
        "difference": found.mean,
        "low": low,
        "high": high,
        "p": found.p,
        "holm": found.holm,
        "verdict": verdict(found.mean, found.holm),
    }

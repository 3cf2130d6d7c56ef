"""Settings that are each fine but cannot work together, found before RecBole would, hours later or never."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Any

from utils.recbole_port import known_defaults, known_models, train_rows
from utils.registry import did_you_mean
from utils.scenario.findings import Finding
from utils.scenario.own_settings import find_own_misfits
from utils.scenario.settings_schema import RANKING_METRICS, VALUE_METRICS
from utils.threads import available_cores, default_threads
from utils.trackers.base import check_installed

Values = Mapping[str, Any]
_METRICS = {metric.lower(): metric for metric in (*RANKING_METRICS, *VALUE_METRICS)}
# Measured once, not for each k.
_WITHOUT_K = {"GAUC", *VALUE_METRICS}
# A smaller one is a better one.
_SMALLER = {"rmse", "mae", "logloss", "averagepopularity", "giniindex"}


def find_misfits(values: Values, given: Values) -> Iterator[Finding]:
    """What does not fit together. values: with RecBole's defaults; given: what the scenario itself says."""
    yield from _metrics(values, given)
    yield from _protocol(values, given)
    yield from _columns(values, given)
    yield from _machine(values, given)
    yield from _seeds(given)
    for index, name in enumerate(given.get("trackers") or []):
        if missing := check_installed(name):
            yield Finding(("trackers", index), f"trackers: {missing}")
    if values.get("model") in known_models.models():
        yield from _model(str(values["model"]), values, given)


def _seeds(given: Values) -> Iterator[Finding]:
    seeds = given.get("seeds") or []
    if seeds and "seed" in given:
        yield Finding(("seeds",), "seeds: 'seed' is given as well; keep one of them", at_key=True)
    for index, seed in enumerate(seeds):
        if seed in seeds[:index]:
            yield Finding(("seeds", index), f"seeds: {seed} stands there twice")


def _at(given: Values, *settings: str) -> tuple[str, ...]:
    """The first of these settings that the scenario gives; the file as a whole when it gives none."""
    return next(((setting,) for setting in settings if setting in given), ())


def _metrics(values: Values, given: Values) -> Iterator[Finding]:
    metrics, topk = _listed(values["metrics"]), _listed(values["topk"])
    unknown = [index for index, metric in enumerate(metrics) if metric.lower() not in _METRICS]
    for index in unknown:
        hint = did_you_mean(metrics[index], _METRICS.values())
        yield Finding(("metrics", index), f"unknown metric '{metrics[index]}'{hint or _known_metrics()}")
    if unknown:
        return
    named = [_METRICS[metric.lower()] for metric in metrics]
    ranking = [metric for metric in named if metric in RANKING_METRICS]
    by_value = [metric for metric in named if metric in VALUE_METRICS]
    if ranking and by_value:
        yield Finding(
            ("metrics",),
            f"{ranking[0]} is a ranking metric and {by_value[0]} is not; RecBole measures one kind in a run",
        )
        return
    mode = values["eval_args"]["mode"]
    modes = list(mode.values()) if isinstance(mode, dict) else [mode]
    if by_value and "full" in modes:
        message = f"{by_value[0]} cannot be measured in full ranking; set mode: labeled, or uni100, in eval_args"
        yield Finding(_at(given, "metrics", "eval_args", "valid_metric"), message)
    yield from _valid_metric(values, given, named, topk)


def _valid_metric(values: Values, given: Values, metrics: list[str], topk: list[int]) -> Iterator[Finding]:
    """RecBole looks the valid metric up among the measured ones only after the first epoch."""
    name = str(values["valid_metric"])
    measured = [
        found for metric in metrics for found in ([metric] if metric in _WITHOUT_K else [f"{metric}@{k}" for k in topk])
    ]
    if name.lower() not in {metric.lower() for metric in measured}:
        own = "" if "valid_metric" in given else " (RecBole's default)"
        what = f"valid_metric '{name}'{own} is not measured; metrics and topk give {', '.join(measured[:6])}"
        yield Finding(_at(given, "valid_metric", "topk", "metrics"), what + did_you_mean(name, measured))
        return
    bigger = name.partition("@")[0].lower() not in _SMALLER
    if given.get("valid_metric_bigger", bigger) is not bigger:
        message = f"RecBole takes {bigger} for {name}, whatever stands here; remove it"
        yield Finding(("valid_metric_bigger",), f"valid_metric_bigger: {message}")


def _protocol(values: Values, given: Values) -> Iterator[Finding]:
    split = values["eval_args"].get("split") or {}
    chosen = list(split)
    if len(chosen) != 1 and not values.get("benchmark_filename"):
        got = " and ".join(chosen) or "none"
        yield Finding(("eval_args", "split"), f"eval_args.split: got {got}; accepted: one of RS, LS, TS")
    for name in chosen:
        ratios = split[name]
        if ratios is None:
            yield Finding(("eval_args", "split", name), f"eval_args.split.{name}: got None; remove it, or give a value")
        elif name != "LS" and (len(ratios) != 3 or sum(ratios) <= 0):
            message = f"eval_args.split.{name}: got {ratios!r}; accepted: three ratios, of train, valid and test"
            yield Finding(("eval_args", "split", name), message)
    if given.get("filter_seen") is not None:
        mode = values["eval_args"]["mode"]
        other = [one for one in (mode.values() if isinstance(mode, dict) else [mode]) if one != "full"]
        if other:
            message = f"got it with eval_args.mode {other[0]!r}; accepted: with mode: full, the ranking of all items"
            yield Finding(("filter_seen",), f"filter_seen: {message}", at_key=True)
    parts = values.get("benchmark_filename")
    if parts is not None and len(parts) != 3:
        message = f"benchmark_filename: got {parts!r}; accepted: three parts, of train, valid and test"
        yield Finding(("benchmark_filename",), message)


def _columns(values: Values, given: Values) -> Iterator[Finding]:
    threshold = values.get("threshold")
    if threshold is not None and len(threshold) != 1:
        yield Finding(("threshold",), f"threshold: got {threshold!r}; accepted: one column, e.g. {{rating: 4}}")
    try:
        codecs.lookup(values.get("encoding") or "utf-8")
    except LookupError:
        yield Finding(
            ("encoding",), f"encoding: got {values['encoding']!r}; accepted: a text such as 'utf-8' or 'latin-1'"
        )
    for suffix in values.get("unload_col") or {}:
        if suffix in (values.get("load_col") or {}):
            own = "" if "load_col" in given else " (RecBole's default)"
            message = f"unload_col.{suffix}: load_col{own} names {suffix} too, and RecBole takes one; set load_col: ~"
            yield Finding(("unload_col", suffix), message, at_key=True)


def _machine(values: Values, given: Values) -> Iterator[Finding]:
    threads, cores = values.get("threads"), available_cores()
    if threads is not None and threads > cores:
        message = f"got {threads}; accepted: 1 to {cores}, the cores of this machine; {default_threads()} when absent"
        yield Finding(("threads",), f"threads: {message}")
    if values.get("precision") == "bfloat16" and values.get("enable_amp"):
        message = "enable_amp is RecBole's own autocast, and precision: bfloat16 is another; remove one"
        yield Finding(_at(given, "enable_amp"), message, at_key=True)


def _rows(name: str, kind: str, values: Values, given: Values) -> Iterator[Finding]:
    """Train rows that this model, split or loss cannot have."""
    asked = given.get("train_rows")
    if asked is None:
        return
    if kind != "sequential":
        yield Finding(("train_rows",), f"train_rows is for sequential models; {name} trains on interactions; remove it")
    elif train_rows.is_windowed(asked) and (reason := train_rows.why_no_windows(name, values)):
        setting, message = reason
        yield Finding(_at(given, setting, "train_rows"), f"train_rows {asked}: {message}")


def _model(name: str, values: Values, given: Values) -> Iterator[Finding]:
    kind = known_models.models()[name].kind
    draws = values.get("train_neg_sample_args") is not None
    loss = values.get("loss_type")
    at = _at(given, "train_neg_sample_args", "loss_type", "model")
    yield from _rows(name, kind, values, given)
    yield from find_own_misfits(name, values, given)
    if kind == "sequential":
        if values["eval_args"]["order"] != "TO":
            message = f"got {values['eval_args']['order']!r}; accepted: 'TO', because {name} learns from sequences"
            yield Finding(("eval_args", "order"), f"eval_args.order: {message}")
        if not values.get("repeatable"):
            message = f"got False; accepted: True, because {name} learns from sequences"
            yield Finding(_at(given, "repeatable", "model"), f"repeatable: {message}")
        if loss == "CE" and draws and not known_models.fixes_input_type(name):
            message = f"the loss_type CE of {name} takes no negatives; set train_neg_sample_args: ~"
            message += " (or loss_type: BPR)" if "BPR" in known_defaults.choices(name, "loss_type") else ""
            yield Finding(at, message)
    if draws and values["train_neg_sample_args"]["distribution"] not in {None, "none"}:
        return
    # A sequential model that has both losses compares with negatives for one of them only.
    pairs = loss in {None, "BPR"} and known_models.input_type(name, loss) == "PAIRWISE"
    if pairs and known_models.mentions(name, "NEG_ITEM_ID"):
        if name not in known_models.trained_on_users():
            yield Finding(at, f"{name} compares items with negatives; remove this train_neg_sample_args")
    elif known_models.mentions(name, "self.LABEL") and not _has_label(values):
        label = values["LABEL_FIELD"]
        message = (
            f"{name} needs labels: without train_neg_sample_args, set threshold (e.g. {{rating: 4}}), "
            f"or load the column '{label}'"
        )
        yield Finding(_at(given, "train_neg_sample_args", "threshold", "load_col", "model"), message)


def _has_label(values: Values) -> bool:
    loaded = values.get("load_col")
    columns = "*" if loaded is None else loaded.get("inter", [])
    return values.get("threshold") is not None or columns == "*" or values["LABEL_FIELD"] in columns


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _known_metrics() -> str:
    return f"; accepted: {', '.join((*RANKING_METRICS, *VALUE_METRICS))}"

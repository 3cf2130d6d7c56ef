"""Checks a scenario's settings: unknown names, types, ranges, and what does not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from utils.recbole_port import known_settings
from utils.registry import did_you_mean
from utils.scenario.dataset_files import check_dataset_files
from utils.scenario.errors import Problem
from utils.scenario.mismatch import describe_mismatch
from utils.scenario.settings_schema import RANKING_METRICS, VALUE_METRICS, BridgeSettings, CommonSettings
from utils.scenario.source import NodePath, ScenarioFile

_BRANCH = re.compile(r"[\[\](]|^(int|str|float|bool|EvalArgs|NegativeSampling|LlmConfig)$|^constrained-")
_COUNT = re.compile(r"(_size|_dim|_dimension|^n_layers|^num_layers|^n_heads|^num_heads)$")
_PROBABILITY = re.compile(r"(dropout|drop_ratio|_prob$|_probs$)")

Finding = tuple[NodePath, str, bool]


def check_settings(source: ScenarioFile, settings: Mapping[str, Any], overridden: frozenset[str]) -> list[Problem]:
    """Every problem of the settings; those of `--set` carry the option instead of a position."""
    findings = _find(settings)
    if not findings:
        findings = [(path, text, False) for path, text in check_dataset_files(settings)]
    problems = []
    for path, message, at_key in findings:
        if path and path[0] in overridden:
            problems.append(Problem(f"--set {path[0]}", 0, 0, message))
        else:
            problems.append(source.problem(path, message, at_key))
    return problems


def find_setting_problems(settings: Mapping[str, Any], among: set[str]) -> list[tuple[NodePath, str]]:
    """(path, what is wrong) for the settings of `among`, seen together with all others; files are not looked at."""
    return [(path, message) for path, message, _ in _find(settings) if path and path[0] in among]


def _find(settings: Mapping[str, Any]) -> list[Finding]:
    found = [*_unknown(settings), *_mistyped(settings), *_model_values(settings)]
    # What does not fit together can be told only of values that are right on their own.
    return found or list(_misfits(settings))


def effective(settings: Mapping[str, Any]) -> dict[str, Any]:
    """RecBole's defaults for this model and dataset, with the scenario's settings on top."""
    return {**known_settings.defaults(settings.get("model"), settings.get("dataset")), **settings}


def _unknown(settings: Mapping[str, Any]) -> Iterator[Finding]:
    for required in ("model", "dataset"):
        if required not in settings:
            yield (), f"the setting '{required}' is missing", False
    models = known_settings.models()
    name = settings.get("model")
    if isinstance(name, str) and name not in models:
        yield ("model",), f"unknown model '{name}'{did_you_mean(name, models)}", False
        return
    known = known_settings.settings_of(name if isinstance(name, str) else None) | set(BridgeSettings.model_fields)
    for setting in settings:
        if setting in known_settings.REFUSED:
            yield (setting,), f"'{setting}' is not accepted: {known_settings.REFUSED[setting]}", True
        elif setting not in known:
            yield (setting,), _unknown_setting(setting, known, name), True


def _unknown_setting(setting: str, known: frozenset[str], model: Any) -> str:
    if setting in known_settings.COMPUTED:
        return f"RecBole computes '{setting}' itself; a value given here would be lost"
    readers = known_settings.readers_of(setting)
    if readers:
        shown = ", ".join(readers[:4]) + (", ..." if len(readers) > 4 else "")
        return f"{model} does not read the setting '{setting}' (it is one of {shown}){did_you_mean(setting, known)}"
    return f"unknown RecBole setting '{setting}'{did_you_mean(setting, known)}"


def _mistyped(settings: Mapping[str, Any]) -> Iterator[Finding]:
    given = {key: value for key, value in settings.items() if not (value is None and _may_be_null(key))}
    given.setdefault("model", "?")
    given.setdefault("dataset", "?")
    try:
        CommonSettings.model_validate(given)
    except ValidationError as error:
        seen: set[NodePath] = set()
        for detail in error.errors():
            path = tuple(part for part in detail["loc"] if not (isinstance(part, str) and _BRANCH.search(part)))
            if path in seen:
                continue
            seen.add(path)
            dotted = ".".join(map(str, path))
            if detail["type"] == "extra_forbidden":
                yield path, f"{dotted}: unknown key{did_you_mean(str(path[-1]), _siblings(path))}", True
            elif detail["type"] == "missing":
                yield path[:-1], f"{dotted} is missing", False
            else:
                yield path, f"{dotted}: {describe_mismatch(detail)}", False


def _may_be_null(setting: str) -> bool:
    """RecBole reads a missing setting as None, so null means the default wherever that is null."""
    return setting not in {"model", "dataset"} and known_settings.defaults(None).get(setting) is None


def _siblings(path: NodePath) -> list[str]:
    from utils.scenario import settings_schema

    section = {
        "llm_config": settings_schema.LlmConfig,
        "eval_args": settings_schema.EvalArgs,
        "train_neg_sample_args": settings_schema.NegativeSampling,
    }.get(str(path[0]))
    if section is None:
        return []
    if len(path) > 2:
        inner = {"preprocess_from_json": settings_schema.PreprocessFromJson,
                 "preprocess_random": settings_schema.PreprocessRandom}.get(str(path[1]))  # fmt: skip
        section = inner or section
    return [field.alias or name for name, field in section.model_fields.items()]


def _model_values(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Settings that only some models read: compared with the type of RecBole's own value."""
    defaults = known_settings.defaults(settings.get("model") if isinstance(settings.get("model"), str) else None)
    for setting, value in settings.items():
        if setting in CommonSettings.model_fields or value is None or setting not in defaults:
            continue
        accepted = _accepted(setting, defaults[setting], value)
        if accepted:
            yield (setting,), f"{setting}: got {value!r}; accepted: {accepted}", False


def _accepted(setting: str, default: Any, value: Any) -> str | None:
    """What would be accepted, or None when `value` is."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "True or False"
    if isinstance(default, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "a number"
        if _COUNT.search(setting) and (not isinstance(value, int) or value < 1):
            return "an integer greater than 0"
        if _PROBABILITY.search(setting) and not 0 <= value <= 1:
            return "a number from 0 to 1"
        return None
    if isinstance(default, list):
        if not isinstance(value, list):
            return "a list"
        inner = [_accepted(setting, default[0], item) for item in value] if default else []
        return next((f"a list, each {found}" for found in inner if found), None)
    if isinstance(default, str):
        return None if isinstance(value, str) else "a text"
    return None


def _misfits(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Settings that are each fine but cannot work together."""
    values = effective(settings)
    metrics = values["metrics"] if isinstance(values["metrics"], list) else [values["metrics"]]
    topk = values["topk"] if isinstance(values["topk"], list) else [values["topk"]]
    known = {metric.lower(): metric for metric in (*RANKING_METRICS, *VALUE_METRICS)}
    unknown = [metric for metric in metrics if metric.lower() not in known]
    for metric in unknown:
        at = ("metrics", metrics.index(metric))
        yield at, f"unknown metric '{metric}'{did_you_mean(metric, known.values())}", False
    if unknown:
        return
    ranking = [metric for metric in metrics if known[metric.lower()] in RANKING_METRICS]
    if ranking and len(ranking) < len(metrics):
        yield (
            ("metrics",),
            f"{ranking[0]} ranks, {known[_first_value(metrics, known)]} does not; use one kind",
            False,
        )
        return
    yield from _valid_metric(values, settings, metrics, topk, bool(ranking))
    mode = (values.get("eval_args") or {}).get("mode", "full")
    modes = list(mode.values()) if isinstance(mode, dict) else [mode]
    if not ranking and "full" in modes:
        yield (
            ("metrics",),
            f"{metrics[0]} cannot be measured in full ranking; set eval_args.mode: labeled",
            False,
        )
    ratios = ((values.get("eval_args") or {}).get("split") or {}).get("RS")
    if ratios is not None and "eval_args" in settings and (len(ratios) not in {2, 3} or sum(ratios) <= 0):
        yield (
            ("eval_args", "split", "RS"),
            f"got {ratios!r}; accepted: ratios of train, valid and test",
            False,
        )


def _first_value(metrics: list[str], known: Mapping[str, str]) -> str:
    return next(metric.lower() for metric in metrics if known[metric.lower()] in VALUE_METRICS)


def _valid_metric(
    values: Mapping[str, Any], settings: Mapping[str, Any], metrics: list[str], topk: list[int], ranking: bool
) -> Iterator[Finding]:
    """RecBole looks the valid metric up among the measured ones only after the first epoch."""
    name, _, at_k = str(values["valid_metric"]).partition("@")
    measured = [f"{metric}@{k}" for metric in metrics for k in topk] if ranking else list(metrics)
    if str(values["valid_metric"]).lower() not in {metric.lower() for metric in measured}:
        at = "valid_metric" if "valid_metric" in settings else "metrics"
        hint = did_you_mean(str(values["valid_metric"]), measured)
        what = (
            f"valid_metric '{values['valid_metric']}' is not measured; metrics and topk give {', '.join(measured[:6])}"
        )
        yield (at if at in settings else "topk",), what + hint, False

"""Checks a scenario's settings: unknown names, types, ranges, and what does not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from utils.recbole_port import known_defaults, known_models, known_settings
from utils.registry import did_you_mean
from utils.scenario import by_default
from utils.scenario.dataset_files import check_dataset_files
from utils.scenario.errors import Problem
from utils.scenario.findings import Finding, dotted
from utils.scenario.mismatch import mismatches, refusal
from utils.scenario.nodes import NodePath
from utils.scenario.settings_fit import find_misfits
from utils.scenario.settings_schema import BridgeSettings, CommonSettings
from utils.scenario.source import ScenarioFile

# RecBole's protocol where `eval_args` does not say; the model's own default is dropped as soon as it says anything.
_EVAL_ARGS = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"}
_NEGATIVES = {"distribution": "uniform", "sample_num": 1, "alpha": 1.0, "dynamic": False, "candidate_num": 0}


def check_settings(settings: Mapping[str, Any]) -> list[Finding]:
    """Everything that is wrong with the settings of a scenario, and with the dataset that they name."""
    return _find(settings) or list(check_dataset_files(effective(settings), settings))


def place_findings(source: ScenarioFile, findings: list[Finding], overridden: frozenset[str]) -> list[Problem]:
    """Findings as problems of the file; those of `--set` carry the option instead of a position."""
    return [
        Problem(f"--set {finding.path[0]}", 0, 0, finding.message)
        if finding.path and finding.path[0] in overridden
        else source.problem(finding.path, finding.message, finding.at_key)
        for finding in findings
    ]


def find_setting_problems(settings: Mapping[str, Any], among: set[str]) -> list[tuple[NodePath, str]]:
    """(path, what is wrong) for the settings of `among`, seen together with all others; files are not looked at."""
    return [(found.path, found.message) for found in _find(settings) if found.path and found.path[0] in among]


def effective(settings: Mapping[str, Any]) -> dict[str, Any]:
    """RecBole's defaults for this model and dataset, with the scenario's settings on top, as RecBole merges them."""
    model, dataset = settings.get("model"), settings.get("dataset")
    known = known_defaults.defaults(
        model if isinstance(model, str) else None, dataset if isinstance(dataset, str) else None
    )
    values = {**known, **settings}
    for setting, rest in (("eval_args", _EVAL_ARGS), ("train_neg_sample_args", _NEGATIVES)):
        if isinstance(values.get(setting), dict):
            values[setting] = {**rest, **values[setting]}
    return values


def _find(settings: Mapping[str, Any]) -> list[Finding]:
    found = [*_unknown(settings), *_mistyped(settings), *_model_values(settings)]
    # What does not fit together can be told only of values that are right on their own.
    return found or list(find_misfits(effective(settings), settings))


def _unknown(settings: Mapping[str, Any]) -> Iterator[Finding]:
    for required, example in (("model", "NeuMF"), ("dataset", "ml-100k")):
        if required not in settings:
            yield Finding((), f"the setting '{required}' is missing, e.g. {required}: {example}")
    models = known_models.models()
    model = settings.get("model")
    name = model if isinstance(model, str) else None
    if name is not None and name not in models:
        yield Finding(("model",), f"unknown model '{name}'{did_you_mean(name, models)}")
    known = set(known_settings.settings_of(name)) | set(BridgeSettings.model_fields)
    known -= known_settings.REFUSED.keys()
    for setting in settings:
        if setting in known_settings.REFUSED:
            yield Finding((setting,), f"'{setting}' is not accepted: {known_settings.REFUSED[setting]}", at_key=True)
        elif setting in known_settings.COMPUTED:
            message = f"RecBole computes '{setting}' itself; a value given here would be lost"
            yield Finding((setting,), message, at_key=True)
        elif setting not in known:
            readers = known_settings.readers_of(setting)
            # Of an unknown model it cannot be said what it reads.
            if readers and name not in models:
                continue
            yield Finding((setting,), _unknown_setting(setting, known, name, readers), at_key=True)


def _unknown_setting(setting: str, known: set[str], model: Any, readers: list[str]) -> str:
    if not readers:
        return f"unknown RecBole setting '{setting}'{did_you_mean(setting, known)}"
    shown = ", ".join(readers[:4]) + (", ..." if len(readers) > 4 else "")
    return f"{model} does not read the setting '{setting}' ({shown} do{'es' if len(readers) == 1 else ''})" + (
        did_you_mean(setting, known)
    )


def _mistyped(settings: Mapping[str, Any]) -> Iterator[Finding]:
    given = {key: value for key, value in settings.items() if not (value is None and _may_be_null(key))}
    given.setdefault("model", "?")
    given.setdefault("dataset", "?")
    try:
        CommonSettings.model_validate(given)
    except ValidationError as error:
        for found in mismatches(error, CommonSettings, given):
            if found.kind == "unknown":
                yield Finding(found.path, f"{dotted(found.path)}: unknown key{found.text}", at_key=True)
            elif found.kind == "missing":
                yield Finding(found.path[:-1], f"{dotted(found.path[:-1])} needs '{found.text}'")
            else:
                yield Finding(found.path, f"{dotted(found.path)}: {found.text}")


def _may_be_null(setting: str) -> bool:
    """RecBole reads a missing setting as None, so null means the default wherever that is null."""
    return setting not in {"model", "dataset", *BridgeSettings.model_fields} and (
        known_defaults.defaults(None).get(setting) is None
    )


def _model_values(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Settings that only some models read: compared with RecBole's own value and comment."""
    model = settings.get("model")
    if not isinstance(model, str) or model not in known_models.models():
        return
    defaults = known_defaults.defaults(model)
    for setting, value in settings.items():
        if setting in CommonSettings.model_fields or defaults.get(setting) is None:
            continue
        schema = by_default.schema_of(model, setting, defaults[setting])
        # RecBole's comments leave choices out that its code has (SINE's loss_type NLL).
        in_code = "enum" in schema and isinstance(value, str) and known_models.mentions(model, f'"{value}"')
        if by_default.misfit(schema, value) and not in_code:
            yield Finding((setting,), f"{setting}: {refusal(value, [schema])}")

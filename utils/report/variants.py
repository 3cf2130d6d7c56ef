"""Runs of one scenario under several seeds, as one variant: what is compared with another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from utils.journal import per_user
from utils.journal.outcome import CONTROL_NAMES, WITHOUT_EFFECT, Outcome, model_of, outcome_of
from utils.journal.records import RunRecord

# Vectors that `preprocess_random` makes are a control: no knowledge, the same machinery.
_RANDOM = ("random_users_emb_file", "random_items_emb_file")
_RANDOM_DEFAULTS = ("user_random.pt", "item_random.pt")


@dataclass
class Run:
    """A record and the folder that it lies in."""

    record: RunRecord
    folder: Path

    @cached_property
    def outcome(self) -> Outcome | None:
        return outcome_of(self.record) if self.record.status == "done" else None

    @property
    def seed(self) -> int | None:
        return self.record.settings.get("seed")

    @cached_property
    def by_user(self) -> pd.DataFrame | None:
        """Test metrics by user; None where the run kept none. PerUserError where the file cannot be read."""
        name = self.outcome.per_user_file if self.outcome else None
        return per_user.read(self.folder / name) if name else None


@dataclass
class Variant:
    """Runs that differ by their seed only; of several with one seed the newest that is done."""

    key: str
    runs: list[Run] = field(default_factory=list)
    told_apart: str = ""

    @property
    def record(self) -> RunRecord:
        return (self.tested or self.runs)[-1].record

    @cached_property
    def by_seed(self) -> dict[int | None, Run]:
        """Seed -> the newest tested run."""
        found = sorted((run for run in self.runs if run.outcome), key=lambda run: run.record.started)
        return {run.seed: run for run in sorted(found, key=lambda run: (run.seed is None, run.seed or 0))}

    @property
    def tested(self) -> list[Run]:
        return list(self.by_seed.values())

    @property
    def outcomes(self) -> list[Outcome]:
        return [run.outcome for run in self.tested if run.outcome]

    @property
    def model(self) -> str:
        return model_of(self.record, self.outcomes[-1] if self.outcomes else None)

    @property
    def scenario(self) -> str:
        return Path(self.record.scenario).stem

    @property
    def transferred(self) -> bool:
        return any(outcome.transferred for outcome in self.outcomes)

    @property
    def loaded(self) -> bool:
        return any(outcome.loaded for outcome in self.outcomes)

    @property
    def name(self) -> str:
        """The scenario, and in brackets what was transferred, or how the runs ended where none was tested."""
        if not self.tested:
            last = self.runs[-1].record.status
            as_control = self.record.settings.get("control")
            how = "not tested" if last == "done" else last
            return f"{self.scenario} ({how}{(as_control and f', {as_control}') or ''}){self.told_apart}"
        outcome = self.outcomes[-1]
        labels = [
            *outcome.losses,
            *(["loaded"] if outcome.loaded else []),
            *([CONTROL_NAMES[kind]] if (kind := self.control or outcome.control) else []),
        ]
        return f"{self.scenario} ({', '.join(labels) or 'plain'}){self.told_apart}"

    @property
    def plain_twin(self) -> bool:
        """Whether it ran as the plain twin of its own scenario."""
        return self.record.settings.get("control") == "plain"

    @property
    def control(self) -> str:
        """What the vectors are that were transferred in place of knowledge: random or shuffled; empty for knowledge."""
        found = self.outcomes[-1].control if self.outcomes else ""
        if found:
            return "" if found == "partly" else found
        # Records from before vectors were told of one by one.
        return "random" if self._made_at_random() else ""

    def _made_at_random(self) -> bool:
        """Whether `preprocess_random` made the vectors that were transferred."""
        section = (self.record.settings.get("llm_config") or {}).get("preprocess_random") or {}
        if not section.get("random"):
            return False
        random = {section.get(name) or usual for name, usual in zip(_RANDOM, _RANDOM_DEFAULTS, strict=True)}
        stages = self.record.stages.values()
        used = {stage.get(side) for stage in stages if stage.get("transferred") for side in ("users_emb", "items_emb")}
        return bool(used & random)

    @property
    def ranking(self) -> str:
        kinds = {outcome.ranking for outcome in self.outcomes}
        return kinds.pop() if len(kinds) == 1 else ""

    @property
    def valid_metric(self) -> str:
        return self.outcomes[-1].valid_metric if self.outcomes else ""

    def values(self, metric: str) -> list[float]:
        """One value per seed."""
        found = (outcome.metrics.get(metric) for outcome in self.outcomes)
        # A NaN is null in a record.
        return [value for value in found if value is not None]

    def mean_and_deviation(self, metric: str) -> tuple[float, float | None] | None:
        """Mean and standard deviation over the seeds (None of a single one); None where it was not measured."""
        values = self.values(metric)
        if not values:
            return None
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def variants_of(runs: Iterable[Run]) -> list[Variant]:
    """Runs by variant, in the order of the scenarios' names and, within one, of their first run."""
    found: dict[str, Variant] = {}
    for run in sorted(runs, key=lambda run: (run.record.scenario, run.record.started)):
        key = _key(run.record)
        found.setdefault(key, Variant(key)).runs.append(run)
    # Controls stand below what they are controls of, whichever ran first.
    order = [None, "plain", "random", "shuffled"]
    variants = sorted(
        found.values(), key=lambda one: (one.record.scenario, order.index(one.record.settings.get("control")))
    )
    _tell_apart(variants)
    return variants


def _key(record: RunRecord) -> str:
    settings = {name: value for name, value in record.settings.items() if name not in {"seed", *WITHOUT_EFFECT}}
    # Records from before there was a variant have the settings that the scenario gave.
    content = record.variant or json.dumps(settings, sort_keys=True, default=str)
    # A trial of a search is a run of its own, whatever it tried.
    trial = (record.search or {}).get("study", "")
    # Seeds on other files are no repetition of each other.
    text = f"{Path(record.scenario).absolute()}\n{content}\n{trial}\n{record.dataset.get('fingerprint')}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _tell_apart(variants: Sequence[Variant]) -> None:
    """Add to the names of variants of one scenario in what settings they differ (`--set`, an edited file)."""
    by_name: dict[str, list[Variant]] = {}
    for variant in variants:
        by_name.setdefault(variant.record.scenario, []).append(variant)
    for alike in by_name.values():
        if len(alike) > 1:
            differing = _differing([variant.record.settings for variant in alike])
            by_control = len({variant.record.settings.get("control") for variant in alike}) == len(alike)
            for number, variant in enumerate(alike, start=1):
                shown = ", ".join(f"{name}={variant.record.settings.get(name)}" for name in differing[:3])
                variant.told_apart = f" [{shown or f'version {number}'}]" if shown or not by_control else ""


def _differing(settings: Sequence[Mapping[str, object]]) -> list[str]:
    # A control is named as such.
    names = dict.fromkeys(
        name for each in settings for name in each if name not in {"seed", "control", *WITHOUT_EFFECT}
    )
    return [name for name in names if len({repr(each.get(name)) for each in settings}) > 1]

"""One HTML page that shows an experiment: all of it is inside the file, nothing is fetched."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

FOLDER = Path(__file__).with_suffix("")
# In this order: what a file computes at once may use only what stands before it.
SCRIPTS = [
    "text.js", "table.js", "groups.js", "comparison.js", "details.js", "plots.js", "gains.js", "curves.js", "cost.js",
    "notes.js", "start.js",
]  # fmt: skip
# About 9 characters a number, so curves take at most 11 MB of the page, however many and long the runs are.
MOST_CURVE_NUMBERS = 1_200_000


def render(data: Mapping[str, Any]) -> str:
    """The page of `data`, which is plain JSON; numbers are shown to six significant digits."""
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html.j2").render(
        title=data["title"],
        made=data["made"],
        style=Markup(_own_file("page.css")),
        script=Markup(_script()),
        plotly=Markup(get_plotlyjs()),
        data=Markup(embeddable(_compact(data))),
    )


def embeddable(value: Any) -> str:
    """JSON in which no text can end the script element, or open a comment in it: there is no `<` at all."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A path that is not UTF-8 arrives with lone surrogates, which no file takes.
    return text.replace("<", "\\u003c").encode("utf-8", "replace").decode("utf-8")


def _own_file(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _script() -> str:
    """The scripts as one function, so that their names do not meet those of plotly.js or of element ids."""
    return "\n".join(['"use strict";', "(() => {", *map(_own_file, SCRIPTS), "})();"])


def _compact(data: Mapping[str, Any]) -> Any:
    """The same data in fewer characters: shorter numbers, equal environments once, curves of bounded length."""
    runs = data["runs"]
    environments: dict[str, int] = {}
    step = max(1, math.ceil(sum(map(_curve_numbers, runs)) / MOST_CURVE_NUMBERS))
    compact = []
    for run in runs:
        key = json.dumps(run["environment"], sort_keys=True)
        number = environments.setdefault(key, len(environments))
        compact.append({**run, "environment": number, "curves": [_thinned(curve, step) for curve in run["curves"]]})
    known = [json.loads(key) for key in environments]
    return _short({**data, "runs": compact, "environments": known, "curve_step": step})


def _series(curve: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
    return curve["epochs"], *curve["losses"], *curve["valid"].values()


def _curve_numbers(run: Mapping[str, Any]) -> int:
    return sum(len(series) for curve in run["curves"] for series in _series(curve))


def _thinned(curve: Mapping[str, Any], step: int) -> dict[str, Any]:
    return {
        **curve,
        "epochs": every(curve["epochs"], step),
        "losses": [every(part, step) for part in curve["losses"]],
        "valid": {name: every(values, step) for name, values in curve["valid"].items()},
    }


def every(values: Sequence[Any], step: int) -> list[Any]:
    """Each `step`-th value from the first on, and the last."""
    kept = list(values[::step])
    if values and (len(values) - 1) % step:
        kept.append(values[-1])
    return kept


def _short(value: Any) -> Any:
    """Floats to six significant digits, those that JSON has no word for as null."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    return value

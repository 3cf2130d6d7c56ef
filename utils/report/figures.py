"""Figures for a paper or a README: the gains over the baselines with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from utils.journal.outcome import CONTROL_NAMES

MOST_ROWS = 60
DPI = 160
WIDTH_PX = 900
LONGEST_LABEL = 46


@dataclass(frozen=True)
class _Style:
    mark: str
    color: str
    face: str | None = None


# A mark of its own for each verdict: the figure is read in grey too.
_STYLES = {
    "better": _Style("^", "#17713f"),
    "no difference shown": _Style("o", "#5b6470"),
    "worse": _Style("v", "#b23a12"),
    "unfair": _Style("X", "#a36a00"),
    "not tested": _Style("o", "#5b6470", face="white"),
}


def gains_png(data: Mapping[str, Any], path: Path) -> bool:
    """Draw the gains in the primary metric, at most 60 of them; False, and no file, where nothing was compared."""
    metric = data["primary"]
    rows = [(group, found) for group in data["groups"] if (found := _gain(group, metric))]
    if not rows:
        return False
    figure = _figure(rows[:MOST_ROWS], metric)
    if len(rows) > MOST_ROWS:
        figure.text(
            0.99, 0.995, f"first {MOST_ROWS} of {len(rows)}", ha="right", va="top", fontsize=7.5, color="#5b6470"
        )
    FigureCanvasAgg(figure).print_figure(path, dpi=DPI, format="png")
    return True


def _gain(group: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    found = (group["comparison"] or {"metrics": {}})["metrics"].get(metric)
    return found if found and found["gain"] is not None else None


def _figure(rows: list[tuple[Mapping[str, Any], Mapping[str, Any]]], metric: str) -> Figure:
    width = WIDTH_PX / DPI
    figure = Figure(figsize=(width, 0.95 + 0.25 * len(rows)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="#1c2024", linewidth=1)
    for verdict, style in _STYLES.items():
        chosen = [(place, found) for place, (_, found) in enumerate(rows) if found["verdict"] == verdict]
        for place, found in chosen:
            if found["low"] is not None and found["high"] is not None:
                axes.hlines(place, found["low"], found["high"], color=style.color, linewidth=1.5)
        if chosen:
            axes.plot(
                [found["gain"] for _, found in chosen],
                [place for place, _ in chosen],
                style.mark,
                color=style.color,
                markerfacecolor=style.face or style.color,
                markersize=6,
                label=verdict,
            )
    axes.set_yticks(range(len(rows)), [_label(group) for group, _ in rows], fontsize=7.5, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x", color="#dfe3e8", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_xlabel(f"gain in {metric}, 95% interval", fontsize=8.5, parse_math=False)
    figure.legend(loc="outside upper left", ncols=3, fontsize=7.5, frameon=False, handletextpad=0.2)
    return figure


def _label(group: Mapping[str, Any]) -> str:
    text = f"{group['model']} · {group['variant']}"
    # What a control is stands at the end of the variant's name, which is cut first.
    end = f" ({CONTROL_NAMES[group['control']]})" if group["control"] in CONTROL_NAMES else ""
    most = LONGEST_LABEL - len(end)
    return (text if len(text) <= most else text[: most - 1] + "…") + end

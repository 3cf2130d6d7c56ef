"""The report as files: one page, one CSV, one picture."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from utils.report.data import report_data, rows
from utils.report.figures import gains_png
from utils.report.gather import gather
from utils.report.page import render

NAME = "report"


def write_report(paths: Sequence[Path], baseline: str | None = None, out: Path | None = None) -> tuple[int, list[str]]:
    """Write report.html, report.csv and report.png into `out`, else beside the first path.

    (how many runs it is about, what the user is told).
    NothingThere, NoSuchBaseline or OSError where that cannot be.
    """
    found = gather(paths)
    title = "RecBridge: " + ", ".join(str(path) for path in paths[:3]) + (" ..." if len(paths) > 3 else "")
    data = report_data(found, baseline, title)
    folder = out or (paths[0] if paths[0].is_dir() else paths[0].parent)
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    for suffix, text in (("html", render(data)), ("csv", _csv(data))):
        _replace(folder / f"{NAME}.{suffix}", text)
        told.append(str(folder / f"{NAME}.{suffix}"))
    picture = folder / f"{NAME}.png"
    if gains_png(data, picture):
        told.append(str(picture))
    else:
        # One of an earlier report would be taken for this one's.
        picture.unlink(missing_ok=True)
    failed = sum(run["status"] not in ("done", "pruned") for run in data["runs"])
    lost = {
        f"{group['scenario']}: {group['comparison']['note']}"
        for group in data["groups"]
        if group["comparison"] and any(gain["users_lost"] for gain in group["comparison"]["metrics"].values())
    }
    lines = [
        f"{len(data['runs'])} runs of {len(data['groups'])} variants, {failed} of them failed or unfinished",
        *(f"{where}: {message}" for where, message in found.problems),
        *sorted(lost),
        f"written: {', '.join(told)}",
    ]
    return len(data["runs"]), lines


def _csv(data: dict[str, object]) -> str:
    table = rows(data)
    text = io.StringIO(newline="")
    if table:
        writer = csv.DictWriter(text, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

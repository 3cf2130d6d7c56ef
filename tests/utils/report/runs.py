"""Runs with known results: records and metrics by user, as if they had been trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.journal import per_user
from utils.journal.records import RunRecord
from utils.report.variants import Run

SETTINGS = {"epochs": 8, "learning_rate": 0.001}
PROTOCOL = {"valid_metric": "NDCG@10", "device": "cpu", "filter_seen": True}


def run(
    folder: Path, name: str, seed: int, ndcg: float | Sequence[float], loss: str | None = None, **changes: Any
) -> Run:
    """A done run of `x/<name>.yaml`; ndcg: the metric of its users, or of the run where it kept none by user."""
    by_user = not isinstance(ndcg, float)
    stage_settings = {**SETTINGS, "seed": seed, **changes.pop("stage_settings", {})}
    settings = {"model": "NeuMF", "dataset": "tiny", "seed": seed, **changes.pop("settings", {})}
    stage = {
        "transferred": loss is not None,
        "loss_name": loss,
        "settings": stage_settings,
        "protocol": PROTOCOL,
        "lineage": ["0"],
        "epochs": [{"epoch": 0, "losses": [0.5, 0.25] if loss else [0.5], "valid": {"ndcg@10": 0.1}}],
        "best_val_res": {"ndcg@10": 0.1},
        "best_test_res": {"ndcg@10": round(float(np.mean(ndcg)), 4)},
        "per_user_file": "per_user_0.parquet" if by_user else None,
        **changes.pop("stage", {}),
    }
    run_id = f"NeuMF-{name}-{seed}-{changes.get('started', '')}"
    fixed: dict[str, Any] = {
        "status": "done",
        "started": "2026-01-01T00:00:00",
        "seconds": 2.0,
        "dataset": {"users": 30, "fingerprint": "f"},
        "protocol": PROTOCOL,
        "stages": {"0": stage},
        "variant": f"{name}-{sorted(changes.get('variant_of', ()))}",
    }
    changes.pop("variant_of", None)
    record = RunRecord(run_id, f"x/{name}.yaml", settings, **{**fixed, **changes})
    run_dir = folder / run_id
    run_dir.mkdir(parents=True, exist_ok=True)
    record.write(run_dir)
    if by_user:
        users = pd.Series([f"u{number}" for number in range(len(ndcg))])
        per_user.write(
            run_dir / "per_user_0.parquet", users, pd.Series(range(1, len(ndcg) + 1)), pd.DataFrame({"ndcg@10": ndcg})
        )
    return Run(record, run_dir)

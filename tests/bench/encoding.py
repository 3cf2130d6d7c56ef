"""Where the time of encoding ml-100k's items goes, and what a second run costs: `python -m tests.bench.encoding`."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml
from torch.profiler import ProfilerActivity, profile

from models.llm import text_encoder
from models.llm.encoder_spec import EncoderSpec, locate

ROOT = Path(__file__).parents[2]
REPEATS = 5
BATCH_SIZE = 64
# None of these calls another of them.
MATRIX_PRODUCTS = (
    "aten::addmm",
    "aten::mm",
    "aten::bmm",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "mkldnn::_linear_pointwise",
)
SETTINGS = {
    "model": "BPR",
    "dataset": "ml-100k",
    "seed": 2020,
    "threads": 1,
    "show_progress": False,
}
ENCODE = {"encode_profiles": {"items_file": "items.pt", "users_file": "users.pt"}}


def item_texts_of_ml_100k(folder: Path) -> list[str]:
    """What `encode_profiles` writes about each item."""
    from tests.workspace import Workspace
    from utils.commands.encode_profiles import EncodeProfiles
    from utils.data.profile_texts import item_texts

    ctx = Workspace(folder).context(dataset="ml-100k")
    # The dataset's files are put there when it is loaded.
    assert ctx.data.dataset.item_num == 1_683
    return list(item_texts(EncodeProfiles(items_file="items.pt")._item_facts(ctx)).values())


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def shares(texts: list[str]) -> None:
    """Seconds of loading and encoding, and the share of encoding within the forward pass and its matrix products."""
    cpu, spec = torch.device("cpu"), EncoderSpec(locate("all-MiniLM-L6-v2"))
    imported = timed(lambda: __import__("sentence_transformers"))
    loaded: list[Any] = []
    loading = timed(lambda: loaded.append(text_encoder.load(spec, cpu)))
    (model,) = loaded
    inside = [0.0]

    def forward(features: Any, real: Any = model.forward) -> Any:
        started = time.perf_counter()
        try:
            return real(features)
        finally:
            inside[0] += time.perf_counter() - started

    def encode() -> None:
        inside[0] = 0.0
        text_encoder.encode(texts, spec, BATCH_SIZE, cpu)

    with mock.patch.object(text_encoder, "load", return_value=model):
        model.forward = forward
        encode()
        took = [(timed(encode), inside[0]) for _ in range(REPEATS)]
        products, of_all_operations = [], []
        for _ in range(REPEATS):
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                wall = timed(encode)
            events = {event.key: event for event in profiled.key_averages()}
            within = sum(events[name].cpu_time_total for name in MATRIX_PRODUCTS if name in events) / 1e6
            products.append(within / wall)
            of_all_operations.append(within / sum(event.self_cpu_time_total for event in events.values()) * 1e6)
    wall, share = statistics.median(wall for wall, _ in took), statistics.median(part / wall for wall, part in took)
    print(f"{len(texts):,} texts, {torch.get_num_threads()} thread: import {imported:.1f} s, load {loading:.1f} s")
    print(
        f"encoding {wall:.2f} s (from {min(took)[0]:.2f} to {max(took)[0]:.2f}), {share:.1%} of it in the forward pass"
    )
    print(
        f"matrix products, by the profiler, which slows all else down: {statistics.median(products):.1%} of encoding, "
        f"{statistics.median(of_all_operations):.1%} of torch's operations; goal 90%"
    )


def second_run(folder: Path) -> None:
    """Seconds of `encode_profiles` as a step of a new process, when it encodes and when it finds all encoded."""
    for steps in (["init_model", ENCODE], [ENCODE]):
        (folder / "case.yaml").write_text(yaml.safe_dump({**SETTINGS, "scenario": steps}))
        seconds = []
        for _ in range(REPEATS):
            subprocess.run(
                [sys.executable, str(ROOT / "run_exps.py"), "case.yaml"],
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=True,
                stdout=subprocess.DEVNULL,
            )
            newest = max(folder.glob("saved/*/record.json"), key=lambda path: path.stat().st_mtime_ns)
            seconds.append(json.loads(newest.read_text())["steps"][-1]["seconds"])
        what = "the dataset is loaded by an earlier step" if len(steps) > 1 else "it loads RecBole and the dataset"
        shown = ", ".join(f"{second:.2f}" for second in seconds)
        print(f"encode_profiles of items and users, where {what}: {shown} s; goal 0.5 s from the second on")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        second_run(Path(folder))
        shares(item_texts_of_ml_100k(Path(folder)))


if __name__ == "__main__":
    main()

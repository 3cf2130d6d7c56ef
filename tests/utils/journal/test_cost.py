"""What a run costs is counted from its own start."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from utils.journal import cost
from utils.journal.cost import Meter


def test_time_and_cpu_time_are_those_since_the_start() -> None:
    meter = Meter()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    found = meter.read()
    # The system counts in ticks of a hundredth, one at either end.
    assert 0.2 - 0.02 <= found["cpu_s"] < 1
    assert found["seconds"] >= found["cpu_s"] - 0.05


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is set back by Linux only")
def test_the_peak_is_that_of_the_run_not_of_an_earlier_one() -> None:
    large = np.ones(2**25)
    large += 1
    del large
    meter = Meter()
    before = meter.read()["peak_memory_bytes"]
    small = np.ones(2**23)
    small += 1
    grown = meter.read()["peak_memory_bytes"] - before
    # 2^23 numbers of 8 bytes are 64 MiB; the 256 MiB of before do not count.
    assert 50 * 2**20 < grown < 200 * 2**20


def test_energy_is_read_where_it_can_be_and_counters_wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "energy_uj").write_text("900000000\n")
    (zone / "max_energy_range_uj").write_text("1000000000\n")
    (tmp_path / "intel-rapl:0:0").mkdir()
    monkeypatch.setattr(cost, "_RAPL", tmp_path)
    meter = Meter()
    (zone / "energy_uj").write_text("50000000\n")
    # From 900 to the end at 1,000 and on to 50: 150 joules.
    assert meter.read()["energy_j"] == 150


def test_without_counters_energy_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_RAPL", tmp_path)
    assert Meter().read()["energy_j"] is None

"""The figure of the gains: what is drawn stands where its number says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread
from numpy.typing import NDArray

from tests.utils.report.page_data import comparison, example, gain, group, large, report
from utils.report.figures import gains_png

BETTER, WORSE, ZERO = (0x17, 0x71, 0x3F), (0xB2, 0x3A, 0x12), (0x1C, 0x20, 0x24)


def _pair(**changes: Any) -> dict[str, Any]:
    """A gain of 0.01 ± 0.008 and a loss of 0.01 ± 0.004."""
    plain = group("g0", "NeuMF", "plain", 0.05)
    up = group("g1", "NeuMF", "up", 0.06, comparison=comparison(plain, ndcg=gain(0.01, 0.008, "better")))
    down = group("g2", "NeuMF", "down", 0.04, comparison=comparison(plain, ndcg=gain(-0.01, 0.004, "worse")))
    return report([plain, {**up, **changes}, down], [])


def _drawn(data: dict[str, Any], path: Path) -> NDArray[np.float64]:
    assert gains_png(data, path) is True
    return np.rint(imread(path)[..., :3] * 255)


def _columns(picture: NDArray[np.float64], color: tuple[int, int, int]) -> NDArray[np.int64]:
    """Where from left to right this colour is, below the legend."""
    below = picture[len(picture) // 3 :]
    return np.nonzero((below == color).all(-1).any(0))[0]


def test_gains_stand_right_of_zero_and_losses_left_of_it(tmp_path: Path) -> None:
    picture = _drawn(_pair(), tmp_path / "gains.png")
    zero = (picture == ZERO).all(-1).sum(0).argmax()
    assert picture.shape[1] == 900
    assert _columns(picture, WORSE).max() < zero < _columns(picture, BETTER).min()


def test_intervals_are_as_wide_as_their_numbers(tmp_path: Path) -> None:
    picture = _drawn(_pair(), tmp_path / "gains.png")
    better, worse = (np.ptp(_columns(picture, color)) for color in (BETTER, WORSE))
    assert abs(better / worse - 0.008 / 0.004) < 0.1


def test_a_gain_without_an_interval_is_a_mark_alone(tmp_path: Path) -> None:
    found = {**gain(0.01, 0.008, "better"), "low": None, "high": None}
    data = _pair(comparison=comparison(group("g0", "NeuMF", "plain", 0.05), ndcg=found))
    assert np.ptp(_columns(_drawn(data, tmp_path / "gains.png"), BETTER)) < 20


def test_sixty_rows_are_drawn_at_most(tmp_path: Path) -> None:
    heights = [len(_drawn(large(number, 1, epochs=1), tmp_path / "gains.png")) for number in (41, 61, 62, 300)]
    assert heights[0] < heights[1] == heights[2] == heights[3]


def test_texts_are_no_formulas(tmp_path: Path) -> None:
    data = _pair(variant=r"$\no_such{ $")
    assert gains_png(data, tmp_path / "gains.png")


def test_the_same_data_give_the_same_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    assert gains_png(example(), first)
    assert gains_png(example(), second)
    assert first.read_bytes() == second.read_bytes()


def test_nothing_is_written_where_nothing_was_compared(tmp_path: Path) -> None:
    plain = group("g0", "NeuMF", "plain", 0.05)
    other = group("g1", "NeuMF", "other", 0.05, comparison=comparison(plain, recall=gain(0.01, 0.01, "better")))
    unknown = {**gain(0.0, 0.01, "not tested"), "gain": None}
    without = group("g2", "NeuMF", "without", 0.05, comparison=comparison(plain, ndcg=unknown))
    for groups in ([], [plain], [plain, other], [plain, without]):
        assert gains_png(report(groups, []), tmp_path / "gains.png") is False
    assert list(tmp_path.iterdir()) == []


def test_pyplot_and_its_global_state_stay_out() -> None:
    code = "import sys, utils.report.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

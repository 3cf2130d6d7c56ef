"""Each run has a log of its own, and the root logger is as it was afterwards."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from tests.workspace import Lines
from utils.recbole_port.logs import QUIET, run_log


def test_two_runs_write_two_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with run_log(tmp_path / "log" / f"{name}.log", "INFO", Lines()):
            logging.getLogger().info("\x1b[1;35mthis is\x1b[0m %s", name)
    assert [(tmp_path / "log" / f"{name}.log").read_text().split("  ")[1] for name in ("one", "two")] == [
        "this is one\n", "this is two\n",
    ]  # fmt: skip


def test_the_root_logger_is_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    with run_log(tmp_path / "x.log", "debug", Lines()):
        assert root.level == logging.DEBUG
    assert (root.level, root.handlers) == before


def test_a_warning_is_shown_once_and_errors_are_left_to_the_runner(tmp_path: Path) -> None:
    console = Lines()
    with run_log(tmp_path / "x.log", "INFO", console):
        for _ in range(2):
            logging.getLogger().warning("\x1b[33mno GPU\x1b[0m")
        logging.getLogger(QUIET).error("a traceback")
        logging.getLogger().info("detail")
    assert console.lines == ["    warning: no GPU"]
    assert "a traceback" in (tmp_path / "x.log").read_text()


def test_pythons_warnings_go_to_the_file_only(tmp_path: Path) -> None:
    console = Lines()
    with run_log(tmp_path / "x.log", "INFO", console), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old call", UserWarning, stacklevel=1)
    assert console.lines == []
    assert "old call" in (tmp_path / "x.log").read_text()


def test_the_level_decides_what_is_written(tmp_path: Path) -> None:
    with run_log(tmp_path / "x.log", "ERROR", Lines()):
        logging.getLogger().info("detail")
    assert (tmp_path / "x.log").read_text() == ""

"""The command line: what it accepts, what it prints, how it exits. Nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_exps
from utils.commands.base import COMMANDS

FINE = "model: NeuMF\ndataset: ml-100k\nscenario: [init_model, init_trainer, train, test_eval]\n"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """(exit code, what was printed) of a command line."""

    def with_arguments(*arguments):
        code = run_exps.main(list(arguments))
        return code, capsys.readouterr().out

    return with_arguments


@pytest.fixture
def folder():
    """Three scenarios, of which the second is wrong."""
    experiments = Path("experiments")
    experiments.mkdir()
    (experiments / "01.yaml").write_text(FINE, "utf-8")
    (experiments / "02.yaml").write_text(FINE.replace("train,", "traine,"), "utf-8")
    (experiments / "10.yml").write_text(FINE, "utf-8")
    (experiments / "notes.txt").write_text("no scenario", "utf-8")
    return experiments


def test_help_shows_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as exit_:
        run_exps.main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert "python run_exps.py my.yaml --check" in shown
    assert "exit codes: 0 all went well, 1 a run failed or was cancelled, 2 a scenario or a flag is invalid" in shown


@pytest.mark.parametrize(
    "arguments", [[], ["--list", "nothing"], ["--start_with", "two", "x.yaml"], ["--chek", "x.yaml"]]
)
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_exps.main(arguments)
    assert exit_.value.code == 2
    assert "usage: run_exps.py" in capsys.readouterr().err


def test_list_commands_shows_each_with_a_sentence(run):
    code, shown = run("--list", "commands")
    assert code == 0
    assert [line.split()[0] for line in shown.splitlines()] == COMMANDS.names()
    assert all(len(line.split()) > 2 for line in shown.splitlines())


def test_list_losses_shows_ours_and_llm_kts(run):
    code, shown = run("--list", "losses")
    names = [line.split()[0] for line in shown.splitlines()]
    assert code == 0
    assert {"rmse", "cosine", "NeumfUserRMSE"} <= set(names)


def test_list_recommenders_shows_their_families(run):
    code, shown = run("--list", "recommenders")
    assert code == 0
    assert ["NeuMF", "general"] in [line.split() for line in shown.splitlines()]
    assert len(shown.splitlines()) >= 94


def test_list_settings_shows_default_and_meaning(run):
    code, shown = run("--list", "settings")
    lines = {line.split()[0]: line for line in shown.splitlines()}
    assert code == 0
    assert lines["epochs"].split()[1:] == ["300", "The", "number", "of", "training", "epochs."]
    assert "dataset_save_path" not in lines


def test_check_of_a_fine_scenario_exits_with_0(run):
    Path("fine.yaml").write_text(FINE, "utf-8")
    assert run("fine.yaml", "--check") == (0, "1 scenario checked, no problem\n")


def test_check_writes_nothing(run):
    Path("fine.yaml").write_text(FINE, "utf-8")
    run("fine.yaml", "--check")
    assert [path.name for path in Path().iterdir()] == ["fine.yaml"]


def test_one_wrong_scenario_of_a_folder_stops_the_whole_folder(run, folder):
    code, shown = run(str(folder))
    assert code == 2
    assert shown.startswith("experiments/02.yaml:3:38: unknown command 'traine'; did you mean 'train'?\n")
    assert shown.endswith("1 problem; nothing was run\n")


def test_start_with_skips_the_first_scenarios_in_name_order(run, folder):
    assert run(str(folder), "--check", "--start_with=2") == (0, "1 scenario checked, no problem\n")


@pytest.mark.parametrize("count", ["3", "-1"])
def test_start_with_beyond_the_scenarios_is_refused(run, folder, count):
    code, shown = run(str(folder), "--check", f"--start_with={count}")
    assert code == 2
    assert f"--start_with: got {count}; there are 3 scenarios" in shown


def test_several_paths_are_checked_together_and_sorted_by_file_and_line(run, folder):
    Path("a.yaml").write_text(FINE.replace("init_trainer", "init_trainr"), "utf-8")
    Path("b.yaml").write_text(FINE.replace("NeuMF", "NeuFM") + "epochs: ten\n", "utf-8")
    code, shown = run("b.yaml", str(folder), "a.yaml", "missing.yaml", "--check")
    heads = [line.partition(": ")[0] for line in shown.splitlines() if not line.startswith(" ")]
    assert code == 2
    assert heads == [
        "a.yaml:3:24",
        "b.yaml:1:8",
        "b.yaml:4:9",
        "experiments/02.yaml:3:38",
        "missing.yaml",
        "5 problems; nothing was run",
    ]


def test_a_folder_without_scenarios_is_refused(run):
    Path("empty").mkdir()
    assert run("empty", "--check") == (2, "empty: the folder has no *.yaml\n1 problem; nothing was run\n")


def test_set_is_checked_as_if_the_file_said_it(run):
    Path("fine.yaml").write_text(FINE, "utf-8")
    assert run("fine.yaml", "--check", "--set", "epochs=5", "--set", "learning_rate=1e-4")[0] == 0
    assert (
        run("fine.yaml", "--check", "--set", "metrics=[MRR]", "--set", "topk=5", "--set", "valid_metric=MRR@5")[0] == 0
    )


def test_set_mends_what_the_file_has_wrong(run):
    Path("wrong.yaml").write_text(FINE + "epochs: ten\n", "utf-8")
    assert run("wrong.yaml", "--check")[0] == 2
    assert run("wrong.yaml", "--check", "--set", "epochs=10")[0] == 0


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("epochs=ten", "--set epochs: epochs: got 'ten'; accepted: an integer of at least 0"),
        ("epochs=", "--set epochs: epochs: got None; accepted: an integer of at least 0"),
        ("epoch=5", "--set epoch: unknown RecBole setting 'epoch'; did you mean 'epochs'?"),
        ("model=NeuFM", "--set model: unknown model 'NeuFM'; did you mean 'NeuMF'?"),
        ("epochs", "--set epochs: accepted: KEY=VALUE"),
        ("=5", "--set =5: accepted: KEY=VALUE"),
        ("topk=[5", "--set topk=[5: '[5' is not a value:"),
        ("scenario=[train]", "--set scenario=[train]: the list of commands cannot be set here"),
        ("llm_config={1: 2}", "--set llm_config={1: 2}: '{1: 2}' is not a value:"),
    ],
)
def test_a_wrong_set_is_named(run, option, problem):
    Path("a.yaml").write_text(FINE, "utf-8")
    Path("b.yaml").write_text(FINE, "utf-8")
    code, shown = run("a.yaml", "b.yaml", "--check", "--set", option)
    assert code == 2
    assert shown.startswith(problem)
    # Once, although it is wrong for both files.
    assert shown.endswith("\n1 problem; nothing was run\n")


def test_the_settings_of_one_model_can_be_listed(run):
    code, shown = run("--list", "settings", "--set", "model=LightGCN")
    assert code == 0
    assert "n_layers                       2                        The number of layers in LightGCN." in shown
    # Ours, not RecBole's 'dataset/'.
    assert "data_path                      datasets " in shown


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("model=LightGNC", "--set model: unknown model 'LightGNC'; did you mean 'LightGCN'?"),
        ("epochs=3", "--set epochs: accepted here: model=NAME"),
    ],
)
def test_a_listing_ignores_no_option(run, option, problem):
    code, shown = run("--list", "settings", "--set", option)
    assert (code, shown.splitlines()[0]) == (2, problem)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--rerun", "x", "--set", "epochs=5"], "--set would be ignored with --rerun"),
        (["--report", "x", "--jobs", "2"], "--jobs would be ignored with --report"),
        (["--query", "a=1", "--seeds", "1"], "--seeds would be ignored with --query"),
        (["x.yaml", "--out", "y"], "--out would be ignored when scenarios are run"),
        (["x.yaml", "--check", "--resume"], "--resume would be ignored with --check"),
        (["x.yaml", "--info", "--seeds", "1,2"], "--seeds would be ignored with --info"),
        (["x.yaml", "--jobs", "0"], "got 0; accepted: a whole number greater than 0"),
        (["x.yaml", "--jobs", "2", "--scheduler", "tcp://x:1"], "not allowed with argument --jobs"),
    ],
)
def test_a_flag_that_would_be_ignored_is_refused(arguments, what, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_exps.main(arguments)
    assert exit_.value.code == 2
    assert what in capsys.readouterr().err


def test_seeds_are_checked_before_anything_runs(run, folder):
    code, shown = run("experiments/01.yaml", "--seeds", "1,1")
    assert code == 2
    assert "--seeds 1,1: 1 stands there twice" in shown
    code, shown = run("experiments/01.yaml", "--seeds", "1..3", "--check")
    assert (code, shown) == (0, "1 scenario checked, 3 runs, no problem\n")


def test_a_baseline_that_is_not_in_the_folder_stops_everything(run, folder):
    code, shown = run("experiments/01.yaml", "--baseline", "02_x")
    assert code == 2
    assert "there is no scenario '02_x' in the folder" in shown


def test_a_report_of_nothing_says_so(run, folder):
    code, shown = run("--report", "experiments/01.yaml")
    assert code == 2
    assert "no run of it was found; run it first" in shown


def test_a_query_without_runs_says_where_it_looked(run):
    code, shown = run("--query", "model=NeuMF")
    assert code == 2
    assert "saved: no such folder" in shown

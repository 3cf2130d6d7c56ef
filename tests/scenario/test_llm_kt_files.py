"""Files written for LLM-KT are accepted as they are, and each typo of its README gets its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _their_datasets(tmp_path, monkeypatch):
    """The files that LLM-KT's scenarios name, under the folder that the user stands in."""
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    for name in ("ml-1m.inter", "ml-1m.train.inter", "ml-1m.valid.inter", "ml-1m.test.inter"):
        path = tmp_path / "datasets" / "ml-1m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header, "utf-8")
    vectors = tmp_path / "datasets" / "llm_embeddings"
    for name in ("ml-1m/user1536.pt", "ml-1m/profiles.json", "ml-100k/user_profiles.json"):
        (vectors / name).parent.mkdir(parents=True, exist_ok=True)
        # Only its existence is looked at before a run.
        torch.save(torch.ones(2, 2), vectors / name)
    monkeypatch.chdir(tmp_path)


def build(name: str) -> plan.Plan:
    return plan.build(source.read(HERE / name))


def test_the_readme_example_is_accepted():
    built = build("seed_readme.yaml")
    assert [step.command.name for step in built.steps] == [
        "print",
        "set",
        "init_model",
        "reduce_dim",
        "wrap_model",
        "set_config",
        "init_trainer",
        "info",
        "set_outputs",
        "set_trainable",
        "set_trainable",
        "train",
        "remove_outputs",
        "test_eval",
        "break",
    ]
    assert built.steps[9].command.layers == ["*"]


def test_each_typo_of_the_readme_gets_its_line_on_one_screen():
    with pytest.raises(ScenarioError) as caught:
        build("seed_readme_typos.yaml")
    assert [(found.line, found.column, found.message) for found in caught.value.problems] == [
        (37, 5, "what follows a key must be indented deeper than it; put spaces before the '['"),
        (96, 25, "a bare * starts a YAML alias; write '*' in quotes"),
        (100, 38, "set_trainable: got 'Train'; accepted: True or False; did you mean True?"),
    ]


def test_the_readme_example_asks_for_the_vectors_that_it_reads():
    Path("datasets/llm_embeddings/ml-100k/user_profiles.json").unlink()
    with pytest.raises(ScenarioError, match=r"no file .*user1536\.pt, and no earlier step writes it"):
        build("seed_readme.yaml")


def test_a_neumf_experiment_of_two_stages_is_accepted():
    built = build("llm_kt/neumf_ml1m.yaml")
    assert built.settings["learning_rate"] == 0.001
    assert built.settings["benchmark_filename"] is None
    assert built.settings["eval_args"]["mode"] == {"valid": "pop20", "test": "uni100"}
    assert sum(step.command.name == "train" for step in built.steps) == 2


def test_a_multivae_experiment_with_one_key_steps_is_accepted():
    built = build("llm_kt/multivae_ml1m.yaml")
    assert built.settings["latent_dimension"] == 128
    assert sum(step.command.name == "test_eval" for step in built.steps) == 2


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "latent_dimension",
            "latent_dimendion",
            "unknown RecBole setting 'latent_dimendion'; did you mean 'latent_dimension'?",
        ),
        ("[8]", "[0]", "set_outputs: no layer 0: layers start at 1 (the model itself)"),
        (
            "MultiVAEUserRMSE",
            "AutoIntUserCosSim",
            "wrap_model.distil_loss: unknown loss 'AutoIntUserCosSim'; did you mean 'AutoIntUserRMSE'? "
            "(named in seven of LLM-KT's files, but defined nowhere)",
        ),
    ],
)
def test_the_known_mistakes_of_its_files_are_named(right, wrong, message, tmp_path):
    text = (HERE / "llm_kt" / "multivae_ml1m.yaml").read_text("utf-8")
    (tmp_path / "wrong.yaml").write_text(text.replace(right, wrong), "utf-8")
    with pytest.raises(ScenarioError) as caught:
        plan.build(source.read(tmp_path / "wrong.yaml"))
    assert [found.message for found in caught.value.problems] == [message]

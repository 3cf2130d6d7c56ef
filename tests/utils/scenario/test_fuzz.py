"""Whatever stands in a file, reading and checking it ends in a plan or in a ScenarioError."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils.scenario import plan, source
from utils.scenario.errors import ScenarioError

README = (Path(__file__).parents[2] / "scenario" / "seed_readme.yaml").read_text("utf-8")
WORDS = sorted(set(re.findall(r"[\w*'\"{}\[\]:,~&!#-]+|\s+", README)))
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["None", "*", "rmse", "NeuMF", "1e-5", "", "a.b", "init_model", "train"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "command", "params"]), inner),
    max_leaves=6,
)
setting_names = st.sampled_from(
    ["model", "dataset", "llm_config", "eval_args", "metrics", "topk", "valid_metric", "threshold", "load_col",
     "add_train_split", "train_neg_sample_args", "benchmark_filename", "embedding_size", "dropout_prob", "loss_type",
     "additional_feat_suffix", "unload_col", "data_path", "encoding", "repeatable", "clip_grad_norm"]
)  # fmt: skip
command_names = st.sampled_from(
    ["print", "set", "init_model", "reduce_dim", "wrap_model", "set_config", "set_outputs", "set_trainable",
     "set_train_dataset", "train", "load_from_file", "encode_profiles", "info", "debug_model"]
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def check(text: str) -> None:
    file = Path("fuzz.yaml")
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with contextlib.suppress(ScenarioError):
        plan.build(source.read(file))


@QUICK
@given(st.text(max_size=80))
def test_any_text(text):
    check(text)


@QUICK
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_shuffle_of_the_words_of_a_scenario(words):
    check("".join(words))


@QUICK
@given(st.integers(0, len(README)), st.integers(0, 30), st.sampled_from(["", "*", "[", "'", "\t", "&a", "\x00", "é"]))
def test_a_scenario_with_a_piece_cut_out_and_a_character_put_in(start, length, put_in):
    check(README[:start] + put_in + README[start + length :])


@QUICK
@given(
    st.dictionaries(setting_names, odd_values, max_size=4),
    st.lists(st.tuples(command_names, odd_values), max_size=4),
    st.sampled_from(["NeuMF", "SASRec", "DeepFM", "LightGCN", "KGAT", "XGBoost"]),
)
def test_any_value_for_any_setting_and_any_command(values, steps, model):
    scenario = [{"command": name, "params": params} for name, params in steps]
    data = {"model": model, "dataset": "ml-100k", **values, "scenario": scenario}
    file = source.ScenarioFile(Path("fuzz.yaml"), "", data, {}, {})
    with contextlib.suppress(ScenarioError):
        plan.build(file)


@QUICK
@given(setting_names, odd_values)
def test_any_value_from_the_command_line(name, value):
    file = Path("fine.yaml")
    file.write_text(
        "model: NeuMF\ndataset: ml-100k\nscenario: [init_model, wrap_model: {distil_loss: rmse}]\n", "utf-8"
    )
    with contextlib.suppress(ScenarioError):
        plan.build(source.read(file), {name: value})

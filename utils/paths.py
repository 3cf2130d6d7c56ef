"""Where a scenario's files lie; relative paths are relative to the folder the user stands in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEFAULT_DATA_PATH = "datasets"
DEFAULT_EMBEDDINGS_PATH = "datasets/llm_embeddings"
DEFAULT_CHECKPOINT_DIR = "saved"
# Language models that were converted once, for all datasets.
LLM_MODELS_DIR = Path("datasets/llm_models")


def _text(value: Any, default: str) -> str:
    return value if isinstance(value, str) else default


def dataset_dir(settings: Mapping[str, Any]) -> Path:
    """The folder with the dataset's atomic files."""
    return Path(_text(settings.get("data_path"), DEFAULT_DATA_PATH)) / _text(settings.get("dataset"), "")


def vectors_dir(settings: Mapping[str, Any]) -> Path:
    """The folder with the dataset's vector and profile files (`<embeddings_path>/<dataset>`)."""
    llm_config = settings.get("llm_config")
    base = llm_config.get("embeddings_path") if isinstance(llm_config, dict) else None
    return Path(_text(base, DEFAULT_EMBEDDINGS_PATH)) / _text(settings.get("dataset"), "")


def saved_dir(settings: Mapping[str, Any]) -> Path:
    """The folder that holds one folder per run."""
    return Path(_text(settings.get("checkpoint_dir"), DEFAULT_CHECKPOINT_DIR))

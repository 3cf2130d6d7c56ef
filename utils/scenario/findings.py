"""What a check of the settings found, before it is placed in the file."""

from __future__ import annotations

from dataclasses import dataclass

from utils.scenario.nodes import NodePath


@dataclass(frozen=True)
class Finding:
    """Something wrong at a path of the settings (the empty path is the file as a whole)."""

    path: NodePath
    message: str
    at_key: bool = False


def dotted(path: NodePath) -> str:
    """`llm_config.embeddings_path`; the place in a list is left out, because the caret shows it."""
    return ".".join(part for part in path if isinstance(part, str))

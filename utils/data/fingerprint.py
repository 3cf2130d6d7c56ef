"""Short hashes of what files and parameters hold: two runs on other files are not on the same data."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any


def file_hashes(folder: Path, dataset: str) -> dict[str, str]:
    """Name -> hash of each atomic file of a dataset (`ml-100k.inter`, `ml-100k.item` ...)."""
    found = sorted(file for file in folder.glob(f"{dataset}.*") if file.is_file())
    return {file.name: _hash(file, file.stat().st_size, file.stat().st_mtime_ns) for file in found}


@lru_cache(maxsize=64)
def _hash(file: Path, size: int, mtime_ns: int) -> str:
    """Size and time of change stand for the content within one process; the folder's runs read the same files."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:16]


def combined(hashes: dict[str, str]) -> str:
    """One hash of all files."""
    return hashlib.sha256("\n".join(f"{name} {value}" for name, value in hashes.items()).encode()).hexdigest()[:16]


def short_hash(*parts: Any) -> str:
    """A hash of plain values: texts, numbers, lists and mappings of these."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

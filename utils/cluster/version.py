"""Whether a worker would compute what this machine would: the same code, the same packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_PACKAGES = ("recbole", "torch", "numpy", "pandas", "scipy", "torch-geometric", "transformers", "sentence-transformers")


def version() -> dict[str, str]:
    """Python, this code and the packages that compute. The code is hashed as it is: a commit says too little."""
    digest = hashlib.sha256()
    for folder in ("models", "utils"):
        for file in sorted((_CHECKOUT / folder).rglob("*.py")):
            digest.update(file.relative_to(_CHECKOUT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "RecBridge's code": digest.hexdigest()[:12], **packages}


def differing(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """`torch 2.13.0, here 2.14.1` for everything that differs; a build's suffix (`+cpu`) does not count."""
    return [
        f"{name} {there.get(name, 'unknown')}, here {value}"
        for name, value in here.items()
        if there.get(name, "").partition("+")[0] != value.partition("+")[0]
    ]

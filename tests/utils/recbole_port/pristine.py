"""RecBole's own code beside ours: its modules once more, as they are before anything of ours is put into them."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from utils.recbole_port.known_models import recbole_root


def module(path: str) -> ModuleType:
    """A fresh copy of RecBole's module `path`, e.g. `sampler/sampler`, under another name."""
    spec = importlib.util.spec_from_file_location(f"pristine_{path.replace('/', '_')}", recbole_root() / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found

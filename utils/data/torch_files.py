"""Files of tensors and plain values: written whole or not at all, read without running what they may hold."""

from __future__ import annotations

import os
import pickle
import re
import uuid
from pathlib import Path
from typing import Any

import torch

from utils.registry import did_you_mean

# What torch names when a file asks for anything but tensors and plain values.
_PICKLED_OBJECT = re.compile(r"GLOBAL (\S+)")


def save_plain(path: Path, content: Any) -> None:
    """Write atomically: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        torch.save(content, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_plain(path: Path, error_type: type[ValueError]) -> Any:
    """What a file holds, on the CPU; `error_type` for one that is missing, unsafe or broken."""
    if not path.is_file():
        near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.pt")])
        raise error_type(f"no file {path}{near}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # torch raises whatever it stumbles over: KeyError for a text file, EOFError for half a file.
        pickled = isinstance(error, pickle.UnpicklingError) and _PICKLED_OBJECT.search(str(error))
        why = f"it holds a pickled {pickled[1]}, which may run code" if pickled else "it is no whole torch file"
        raise error_type(f"{path} cannot be read: {why}") from error

"""What a training changes in a module, and the way back: trained parameters, running statistics, random generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Names that a message lists before it only counts.
_SHOWN = 5


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """References to the parameters with `requires_grad` and to the buffers that a state dict has, by name.

    Frozen parameters are left out, and with them nearly all of a language model; its buffers that a state dict does not
    have are constants. A layer of normalisation keeps its statistics in buffers even where it is frozen.
    """
    state = module.state_dict(keep_vars=True)
    return {
        name: value
        for name, value in state.items()
        if isinstance(value, Tensor) and (value.requires_grad or not isinstance(value, nn.Parameter))
    }


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy on the same devices that later steps of the training leave alone."""
    return {name: value.detach().clone() for name, value in state.items()}


def misfit(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """Why `found` cannot be put into `own`, with at most five names of each kind; None where it can.

    Another precision is no misfit: a part that was trained in float32 may be used in bfloat16.
    """
    shared = [name for name in own if name in found]
    other_shape = [
        f"{name} is {list(found[name].shape)} there and {list(own[name].shape)} here"
        for name in shared
        if found[name].shape != own[name].shape
    ]
    other_kind = [
        f"{name} is {found[name].dtype} there and {own[name].dtype} here"
        for name in shared
        if found[name].is_floating_point() != own[name].is_floating_point()
    ]
    faults = {
        "missing": [name for name in own if name not in found],
        "unexpected": [name for name in found if name not in own],
        "of another shape": other_shape,
        "of another kind": other_kind,
    }
    return "; ".join(f"{len(names)} {what}: {_listed(names)}" for what, names in faults.items() if names) or None


def put_in(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Overwrite each tensor of `own` in place, on its device and in its precision; ValueError, and no change, on a
    misfit."""
    wrong = misfit(own, found)
    if wrong:
        raise ValueError(wrong)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(found[name])


def random_states() -> dict[str, Any]:
    """The states of torch's global generators: the CPU's, and those of the GPUs once they are in use."""
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Put back what `random_states` took; those of GPUs only where there are any."""
    torch.set_rng_state(states["cpu"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

"""A model's layers by number, dotted name or glob; freezing them; the tree that `info` shows."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from utils.registry import did_you_mean

ROOT = "root"


class LayerError(ValueError):
    """A layer that the model does not have."""


@dataclass(frozen=True)
class Layer:
    """One module of a model: its number (pre-order, the model itself is 1), dotted path and depth."""

    number: int
    path: str
    depth: int
    module: nn.Module

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2] if self.path else ROOT

    def line(self) -> str:
        """The layer's line in the tree: number, four dashes a level, name, class and settings."""
        margin = "-" * 4 * self.depth
        return f"{self.number:>5} | {margin} | {self.name} | {type(self.module).__name__} ({self.module.extra_repr()})"


def layers(model: nn.Module) -> list[Layer]:
    """All layers in pre-order over `named_children`, the model first."""

    def walk(module: nn.Module, path: str, depth: int) -> Iterator[tuple[str, int, nn.Module]]:
        yield path, depth, module
        for name, child in module.named_children():
            yield from walk(child, f"{path}.{name}" if path else name, depth + 1)

    return [Layer(number, *found) for number, found in enumerate(walk(model, "", 0), start=1)]


def select(model: nn.Module, selectors: Sequence[int | str]) -> list[Layer]:
    """The layers that numbers, dotted names and globs select, each once, in tree order; LayerError for a miss.

    `*` selects every layer, the model itself included.
    """
    tree = layers(model)
    chosen: set[int] = set()
    for selector in selectors:
        chosen.update(layer.number for layer in _matches(model, tree, selector))
    return [layer for layer in tree if layer.number in chosen]


def numbered(model: nn.Module, tree: Sequence[Layer], number: int) -> Layer:
    """The layer of that number; LayerError when the tree has none."""
    if not 1 <= number <= len(tree):
        raise LayerError(
            f"no layer {number}: layers of {type(model).__name__} start at 1 (the model) and end at {len(tree)}"
        )
    return tree[number - 1]


def _matches(model: nn.Module, tree: list[Layer], selector: int | str) -> list[Layer]:
    if isinstance(selector, int):
        return [numbered(model, tree, selector)]
    names = [layer.path or ROOT for layer in tree]
    found = [layer for layer, name in zip(tree, names, strict=True) if fnmatch.fnmatchcase(name, selector)]
    if not found:
        raise LayerError(f"{type(model).__name__} has no layer '{selector}'{did_you_mean(selector, names)}")
    return found


def set_trainable(model: nn.Module, selectors: Sequence[int | str], trainable: bool) -> list[Layer]:
    """Freeze or unfreeze all parameters in the selected layers; returns these layers."""
    chosen = select(model, selectors)
    for layer in chosen:
        for parameter in layer.module.parameters():
            parameter.requires_grad_(trainable)
    return chosen


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """(all parameters, trainable parameters), in numbers."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)


def tree_text(model: nn.Module) -> str:
    """The layer tree, a line per layer."""
    return "\n".join(layer.line() for layer in layers(model))

"""Named taps on modules and methods: what went in and came out while a loss was computed.

Most RecBole models call `self.forward()` or plain methods in `calculate_loss`, which no module hook sees.
So a tap sits on a module (a forward hook) or on a method of the model or of a module (replaced on that
object, not on its class). `Taps` owns every handle and takes all of them away again.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import nn

from models.transfer.layers import ROOT, Layer, LayerError, layers, numbered
from utils.registry import did_you_mean

_SELECTOR = re.compile(
    r"^(?P<name>[^\[:#]+)(?:\[(?P<item>-?\d+)\])?(?::(?P<io>input|output))?(?:#(?P<call>[1-9]\d*))?$"
)


class TapError(ValueError):
    """A tap that cannot be placed, did not fire, or fired more often than was said."""


@dataclass(frozen=True)
class Tap:
    """Where to look: `name[item]:io#call`, all but the name optional.

    name: layer number, dotted module name, or method (`forward`, `gnn.aggregate`).
    item: which tensor when there are several; io: what is read; call: which call, counted from 1.
    """

    text: str
    name: str
    item: int | None = None
    io: Literal["input", "output"] | None = None
    call: int | None = None

    @classmethod
    def parse(cls, selector: int | str) -> Tap:
        """A tap from its YAML form; TapError when it has none."""
        match = _SELECTOR.match(str(selector))
        if match is None:
            raise TapError(f"'{selector}' is not a tap; accepted: name, name[item], name:input, name#call, or together")
        item, call = match["item"], match["call"]
        io: Any = match["io"]
        return cls(str(selector), match["name"], int(item) if item else None, io, int(call) if call else None)


@dataclass(frozen=True)
class Call:
    """One recorded call: its positional and keyword arguments, in order, and what it returned."""

    args: tuple[Any, ...]
    output: Any


@dataclass
class Fired:
    """What one tap saw in one loss computation; `method` is None for a layer."""

    tap: Tap
    place: str
    owner: nn.Module
    method: str | None
    calls: list[Call] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The tap in words, for messages."""
        return f"the tap '{self.tap.text}' ({self.place})"

    def call(self) -> Call:
        """The call that the tap means; TapError when it did not happen or it is not said which."""
        count, tap = len(self.calls), self.tap
        if count == 0:
            hint = "" if self.method else "; tap the method that computes with it, e.g. 'forward'"
            raise TapError(f"{self.where} did not fire: the loss does not call it{hint}")
        if tap.call is None and count > 1:
            choices = " or ".join(f"'{tap.text}#{number}'" for number in range(1, min(count, 3) + 1))
            raise TapError(f"{self.where} fired {count} times; say which: {choices}")
        if tap.call is not None and tap.call > count:
            raise TapError(f"{self.where} fired {count} time{'' if count == 1 else 's'}, not {tap.call}")
        return self.calls[(tap.call or 1) - 1]


class Taps:
    """All taps on one model; records only inside `recording()`."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._fired: list[Fired] = []
        self._removers: list[Callable[[], None]] = []
        self._recording = False

    def __len__(self) -> int:
        return len(self._fired)

    @property
    def fired(self) -> list[Fired]:
        """What each tap saw in the last recording, in the order of the taps."""
        return self._fired

    def add(self, selectors: Sequence[int | str]) -> list[str]:
        """Place taps; a glob becomes one tap per layer. Returns where they are; on TapError none was placed."""
        targets = [target for selector in selectors for target in _targets(self._model, selector)]
        for tap, place, owner, method in targets:
            fired = Fired(tap, place, owner, method)
            self._fired.append(fired)
            self._removers.append(self._hook(fired) if method is None else self._replace(fired, method))
        return [place for _, place, _, _ in targets]

    def remove(self) -> None:
        """Take every handle off the model."""
        while self._removers:
            self._removers.pop()()
        self._fired.clear()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record calls inside the block. What was recorded is dropped afterwards: it holds the graph."""
        self._recording = True
        try:
            yield
        finally:
            self._recording = False
            for fired in self._fired:
                fired.calls.clear()

    def _hook(self, fired: Fired) -> Callable[[], None]:
        def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if self._recording:
                fired.calls.append(Call((*args, *kwargs.values()), output))

        return fired.owner.register_forward_hook(record, with_kwargs=True).remove

    def _replace(self, fired: Fired, method: str) -> Callable[[], None]:
        original = getattr(fired.owner, method)

        @functools.wraps(original)
        def record(*args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            if self._recording:
                fired.calls.append(Call((*args, *kwargs.values()), output))
            return output

        return replace_method(fired.owner, method, record)


def replace_method(owner: nn.Module, name: str, new: Callable[..., Any]) -> Callable[[], None]:
    """Put `new` in the place of a method of this one object; the answer puts the old one back."""
    before = vars(owner).get(name)
    vars(owner)[name] = new

    def restore() -> None:
        if before is None:
            vars(owner).pop(name, None)
        else:
            vars(owner)[name] = before

    return restore


def _targets(model: nn.Module, selector: int | str) -> list[tuple[Tap, str, nn.Module, str | None]]:
    """(tap, place in words, owner, method or None) of each thing that a selector taps."""
    tap = Tap.parse(selector)
    tree = layers(model)
    if tap.name.lstrip("-").isdigit():
        return [_layer_target(tap, numbered(model, tree, int(tap.name)))]
    named = [layer for layer in tree if (layer.path or ROOT) == tap.name]
    if named:
        return [_layer_target(tap, named[0])]
    path, _, method = tap.name.rpartition(".")
    owners = [layer.module for layer in tree if layer.path == path]
    if owners and _has_method(owners[0], method):
        return [(tap, f"{type(owners[0]).__name__}.{method}()", owners[0], method)]
    if any(sign in tap.name for sign in "*?"):
        pattern = re.compile(re.escape(tap.name).replace(r"\*", ".*").replace(r"\?", "."))
        globbed = [layer for layer in tree if layer.path and pattern.fullmatch(layer.path)]
        if globbed:
            return [
                _layer_target(replace(tap, text=tap.text.replace(tap.name, layer.path)), layer) for layer in globbed
            ]
    known = [*(layer.path for layer in tree if layer.path), *_methods(model)]
    raise LayerError(f"{type(model).__name__} has no layer or method '{tap.name}'{did_you_mean(tap.name, known)}")


def _layer_target(tap: Tap, layer: Layer) -> tuple[Tap, str, nn.Module, str | None]:
    # RecBole calls the model's forward() directly, so a hook on the root would never fire.
    if not layer.path:
        return tap, f"{type(layer.module).__name__}.forward()", layer.module, "forward"
    return tap, f"layer {layer.number}, {layer.path}", layer.module, None


def _methods(model: nn.Module) -> list[str]:
    own = {name for cls in type(model).__mro__ if cls.__module__ != "torch.nn.modules.module" for name in vars(cls)}
    return [name for name in own if not name.startswith("_") and _has_method(model, name)]


def _has_method(owner: nn.Module, name: str) -> bool:
    # Looked up statically: a tapped method is a plain function on the object, and a property must not run.
    return inspect.isfunction(inspect.getattr_static(owner, name, None))

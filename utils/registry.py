"""One name table for commands, losses and recommenders: duplicates fail, a miss suggests."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Generic, TypeVar

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely meant, or None when nothing is near."""
    candidates = sorted(set(known))
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    if name.casefold() in by_fold:
        return by_fold[name.casefold()]
    matches = difflib.get_close_matches(name.casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or an empty string: the tail of every message about an unknown name."""
    match = nearest(name, known)
    return f"; did you mean '{match}'?" if match else ""


class UnknownName(KeyError):
    """A name that no entry of the registry has."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.message = f"unknown {kind} '{name}'{did_you_mean(name, known)}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class BrokenModule(ImportError):
    """A module that somebody added and that does not import."""


def import_own(name: str) -> ModuleType:
    """Import one of our packages' modules; BrokenModule says which one is broken and how."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise BrokenModule(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


class Registry(Generic[T]):
    """Entries of one kind by name, with aliases that lead to the same entry."""

    def __init__(self, kind: str, package: str | None = None) -> None:
        """`package`: whose modules register entries; all of them are imported at the first look-up."""
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._aliases: dict[str, str] = {}

    def register(self, name: str, *aliases: str) -> Callable[[T], T]:
        """Decorator that enters its target under `name`; ValueError when the name is taken."""

        def enter(entry: T) -> T:
            for taken in (name, *aliases):
                if taken in self._entries or taken in self._aliases:
                    raise ValueError(f"{self.kind} '{taken}' is registered twice")
            self._entries[name] = entry
            self._aliases.update(dict.fromkeys(aliases, name))
            return entry

        return enter

    def get(self, name: str) -> T:
        """The entry of that name or alias; UnknownName with the nearest right name otherwise."""
        self._discover()
        try:
            return self._entries[self._aliases.get(name, name)]
        except KeyError:
            raise UnknownName(self.kind, name, self.known()) from None

    def names(self) -> list[str]:
        """Sorted names without aliases."""
        self._discover()
        return sorted(self._entries)

    def known(self) -> list[str]:
        """Sorted names and aliases: everything `get` accepts."""
        self._discover()
        return sorted([*self._entries, *self._aliases])

    def items(self) -> Iterator[tuple[str, T]]:
        """(name, entry) in name order."""
        return ((name, self._entries[name]) for name in self.names())

    def __contains__(self, name: str) -> bool:
        return name in self.known()

    def _discover(self) -> None:
        if self._package is None:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, prefix=package.__name__ + "."):
            import_own(module.name)
        self._package = None

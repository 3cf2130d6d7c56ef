"""What a scenario command is: its parameters as a frozen model, its place in the order, and one `run`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from utils.registry import Registry

if TYPE_CHECKING:
    from utils.context import RunContext

ParamPath = tuple[str | int, ...]

COMMANDS: Registry[type[Command]] = Registry("command", package="utils.commands")

C = TypeVar("C", bound="type[Command]")


def command(name: str, *aliases: str) -> Callable[[C], C]:
    """Decorator that makes a Command usable in scenarios under `name`."""

    def enter(cls: C) -> C:
        cls.name = name
        COMMANDS.register(name, *aliases)(cls)
        return cls

    return enter


@dataclass(frozen=True)
class StepResult:
    """What a step found out: `facts` go into the record, `summary` is one line for the console.

    show: text for the console in full (an `info` tree, a `print`).
    stop: the scenario ends after this step (`break`).
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    show: str = ""
    stop: bool = False


@dataclass(frozen=True)
class Complaint:
    """Something a command finds wrong before anything runs; `path` leads into its own parameters.

    secret: what stands there may be a key, so that its line is not shown.
    """

    path: ParamPath
    message: str
    secret: bool = False


@dataclass(frozen=True)
class PlanView:
    """What a command may look at while the plan is checked.

    settings: the scenario's settings, without `scenario`.
    earlier, later: the commands before and after this one, in order.
    vector_files: vector files that exist when this step runs, on disk or written by an earlier step, and other files
        that earlier steps write.
    vectors_dir: the folder of this dataset's vector files.
    """

    settings: Mapping[str, Any]
    earlier: Sequence[Command]
    later: Sequence[Command]
    vector_files: Collection[Path]
    vectors_dir: Path

    def bad_vectors(self, parameter: str, file_name: str | None, told_by: str = "") -> list[Complaint]:
        """One complaint when a vector file is neither there and readable nor written by an earlier step.

        told_by: where the name came from, if not from the parameter itself.
        """
        if file_name is None or (path := self.vectors_dir / file_name) in self.vector_files:
            return []
        if not path.is_file():
            return [Complaint((parameter,), f"no file {path}, and no earlier step writes it{told_by}")]
        from utils.data.embeddings import VectorFileError, read_vectors

        try:
            read_vectors(path)
        except VectorFileError as error:
            return [Complaint((parameter,), f"{error}{told_by}")]
        return []


class Command(BaseModel):
    """A step of a scenario. Subclasses declare parameters as fields and implement `run`.

    needs, gives, drops: state that must exist before, that exists after, that no longer exists after;
        "data" is loaded by the first command that needs it.
    shorthand: parameters that `params` may give without their names: one name takes the whole value,
        several take a list of as many values.
    draws: the step uses the global random generators as RecBole does; all others leave them untouched.
    explained: parameter that others have and this command has not -> what to do instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset()
    drops: ClassVar[frozenset[str]] = frozenset()
    shorthand: ClassVar[tuple[str, ...]] = ()
    draws: ClassVar[bool] = False
    explained: ClassVar[Mapping[str, str]] = {}

    def check(self, view: PlanView) -> Iterable[Complaint]:
        """What is wrong in this plan, beyond the types of the parameters."""
        return ()

    def vector_files_written(self) -> Iterable[str]:
        """Names of the vector files that exist after this step, relative to the vectors folder."""
        return ()

    def files_written(self) -> Iterable[Path]:
        """Other files that exist after this step, beside vectors and what lies in the run's folder."""
        return ()

    def files_read(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, Path]]:
        """(parameter, path) of the files that the step reads, beside those of the dataset and its vectors."""
        return ()

    @property
    def loads_data(self) -> bool:
        """Whether the step uses the dataset, and so loads it where no earlier step has."""
        return "data" in self.needs

    def takes_vectors(self, settings: Mapping[str, Any]) -> bool:
        """Whether the step carries vectors into the model, so that a control can take their place."""
        return False

    def run(self, ctx: RunContext) -> StepResult:
        """Do the work; StepError(parameter, message) when it cannot be done."""
        raise NotImplementedError

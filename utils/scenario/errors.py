"""What a user sees when a scenario is wrong: every problem with its position and source line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, at a place; `line` and `column` count from 1, 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    source_line: str = ""

    def render(self) -> str:
        """`file:line:column: message`, the source line, and a caret under the column."""
        if self.line == 0:
            return f"{self.file}: {self.message}"
        head = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if not self.source_line.strip():
            return head
        # A tab before the column is kept, so that the caret stands under the right character.
        before = self.source_line[: self.column - 1]
        indent = "".join("\t" if character == "\t" else " " for character in before)
        return f"{head}\n{self.line:>6} | {self.source_line.rstrip()}\n       | {indent}^"


class ScenarioError(Exception):
    """A scenario that cannot run; carries every problem that was found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        # A fault of `--set` shows in every file.
        self.problems = sorted(set(problems))
        super().__init__(render_problems(self.problems))


class StepError(Exception):
    """A step that cannot do its work at run time; the runner adds file, line and column.

    parameter: the name of the parameter at fault, dotted where it lies inside another, or None for the whole step.
    command: the command whose latest step is at fault, when that is not the running one
        (a width mismatch shows in `train`, but `set_outputs` is where to mend it).
    """

    def __init__(self, parameter: str | None, message: str, command: str | None = None) -> None:
        self.parameter = parameter
        self.message = message
        self.command = command
        super().__init__(message)


class Pruned(Exception):
    """A search gives up a trial whose valid metric is behind that of the others."""


def render_problems(problems: Sequence[Problem]) -> str:
    """The whole error screen: problems by file and line, then the count."""
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}; nothing was run"
    return "\n".join([*(problem.render() for problem in sorted(problems)), count])

"""Templates of prompts: jinja2 in a sandbox, where a name that is not there is an error and never an empty text."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from utils.data.facts import Row
from utils.registry import did_you_mean

# What a template knows of interactions; a text that uses none of them is the same under every split.
FROM_INTERACTIONS = frozenset({"history", "liked", "disliked", "n_ratings", "mean_rating"})


class PromptError(ValueError):
    """A template that cannot be used; the message names file and line."""


class _Missing(StrictUndefined):
    """A name that is not there, with the nearest one that is."""

    @property
    def _undefined_message(self) -> str:
        obj, name = self._undefined_obj, self._undefined_name
        told = isinstance(obj, Row) and not self._undefined_hint
        return obj.no_field(str(name)) if told else super()._undefined_message


def _environment() -> ImmutableSandboxedEnvironment:
    env = ImmutableSandboxedEnvironment(undefined=_Missing, trim_blocks=True, lstrip_blocks=True)
    # What is drawn anew each time would be asked anew each time.
    del env.globals["lipsum"], env.filters["random"]
    return env


@dataclass(frozen=True)
class PromptTemplate:
    """A template, and which names it reads.

    source: its text. names: names that it takes from outside. attributes: what it takes of them, as in `item.title`.
    """

    path: Path
    source: str
    names: frozenset[str]
    attributes: frozenset[str]
    _lines: Mapping[str, int]
    _template: Template

    @property
    def reads_facts(self) -> bool:
        """Whether it reads what a knowledge graph says."""
        return "facts" in self.names | self.attributes

    @property
    def reads_interactions(self) -> bool:
        return bool(self.names & FROM_INTERACTIONS)

    def unknown_names(self, known: Collection[str]) -> list[str]:
        """One complaint for each name that a template of this side cannot have."""
        return [
            f"{self.path}:{self._lines[name]}: unknown name '{name}'{did_you_mean(name, known)} "
            f"(known: {', '.join(sorted(known))})"
            for name in sorted(self.names - set(known))
        ]

    def render(self, values: Mapping[str, Any]) -> str:
        """The prompt, without white space around it; PromptError names the template's line."""
        try:
            return self._template.render(values).strip()
        except Exception as error:
            # Filters and arithmetic raise anything.
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)]
            place = f"{self.path}:{frames[-1].lineno}" if frames else str(self.path)
            raise PromptError(f"{place}: {error}") from error


def read_template(path: Path) -> PromptTemplate:
    """Read and compile a template; PromptError with its line where that cannot be done."""
    try:
        return compile_template(path.read_text("utf-8"), path)
    except UnicodeDecodeError as error:
        raise PromptError(f"{path}: {error}") from error
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror or error}") from error


def compile_template(source: str, path: Path) -> PromptTemplate:
    """A template from its text; `path` is where errors say that it stands."""
    env = _environment()
    try:
        tree = env.parse(source)
        code = env.compile(source, filename=str(path))
    except TemplateSyntaxError as error:
        raise PromptError(f"{path}:{error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise PromptError(f"{path}: {error}") from error
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise PromptError(f"{path}: a prompt is one file; it cannot include, import or extend another")
    lines = {node.name: node.lineno for node in reversed([*tree.find_all(nodes.Name)])}
    names = frozenset(meta.find_undeclared_variables(tree) - set(env.globals))
    attributes = frozenset(node.attr for node in tree.find_all(nodes.Getattr))
    return PromptTemplate(path, source, names, attributes, lines, Template.from_code(env, code, env.make_globals(None)))

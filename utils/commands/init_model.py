"""`init_model`: the recommender of `model:`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError
from utils.scenario.model_vectors import model_vectors
from utils.scenario.settings import effective

if TYPE_CHECKING:
    from models.transfer.teachers import Side, Teacher


@command("init_model")
class InitModel(Command):
    """Load the dataset, if that is not done, and build a freshly seeded model.

    A model that takes vectors gets those of the files that its settings name.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"data"})
    gives: ClassVar[frozenset[str]] = frozenset({"model"})
    drops: ClassVar[frozenset[str]] = frozenset({"wrapper", "trainer", "trained"})
    draws: ClassVar[bool] = True

    def check(self, view: PlanView) -> Iterable[Complaint]:
        problems = [*_find_misfits(view)]
        if problems:
            yield Complaint((), "; ".join(problems))

    def takes_vectors(self, settings: Mapping[str, Any]) -> bool:
        return bool(model_vectors(settings))

    def run(self, ctx: RunContext) -> StepResult:
        from models.transfer.layers import count_parameters
        from utils.recbole_port import session
        from utils.recbole_port.training import message_of

        data = ctx.data
        vectors, coverage = _load(ctx)
        try:
            model = session.build_model(ctx.recbole_config(), data, vectors)
        except (ValueError, TypeError, KeyError, AssertionError, ImportError) as error:
            raise StepError(None, f"{ctx.settings['model']} cannot be built: {message_of(error)}") from error
        ctx.drop_trainer()
        ctx.model, ctx.wrapper = model, None
        ctx.transfer, ctx.outputs, ctx.trainable = {}, {}, []
        ctx.carried, ctx.vectors, ctx.frozen_vectors = {}, {}, []
        ctx.lineage, ctx.weights, ctx.loaded_from, ctx.unused_loss = [], "fresh", None, False
        if coverage:
            ctx.carry("inputs", _files(ctx), {str(side): teacher for side, teacher in vectors.items()})
        total, _ = count_parameters(model)
        told = f", vectors for {' and '.join(coverage.values())}" if coverage else ""
        return StepResult(
            facts={"parameters": total} | _told(ctx, coverage),
            summary=f"{type(model).__name__}, {total:,} parameters{told}",
        )


def _find_misfits(view: PlanView) -> Iterator[str]:
    """What is wrong with the model's vectors, as far as it can be told of files that no earlier step writes."""
    files = model_vectors(view.settings)
    widths: dict[Side, int] = {}
    for side, named in files.items():
        path = view.vectors_dir / named.file
        if path in view.vector_files:
            continue
        try:
            widths[side] = _width_of(path)
        except ValueError as error:
            yield f"{named.setting}: {error}"
            continue
        if named.width not in (None, widths[side]):
            yield f"{named.width_setting}: got {named.width}; the vectors of {path} are {widths[side]} wide"
    if len(widths) == len(files) > 1:
        from models.kar.adaptor import misfit_of_widths

        misfit = misfit_of_widths(widths, effective(dict(view.settings)).get("shared_kar_experts_n", 0))
        if misfit is not None:
            yield misfit


def _width_of(path: Path) -> int:
    """How wide the vectors of a file are; ValueError for one that cannot be used."""
    from utils.knowledge.vectors import read_file

    if not path.is_file():
        raise ValueError(f"no file {path}" + (", and no earlier step writes it" if path.suffix == ".pt" else ""))
    return read_file(path).vectors.shape[1]


def _told(ctx: RunContext, coverage: Mapping[Side, str]) -> dict[str, Any]:
    """What the record says of the vectors of a model that takes some."""
    if not coverage:
        return {}
    return {**_files(ctx), "control": ctx.settings.get("control"), "coverage": dict(coverage)}


def _files(ctx: RunContext) -> dict[str, str]:
    return {f"{side}_emb": named.file for side, named in model_vectors(ctx.settings).items()}


def _load(ctx: RunContext) -> tuple[dict[Side, Teacher], dict[Side, str]]:
    """(vectors of each side, what to say of their coverage); none at all for a model that takes none."""
    from utils.knowledge.vectors import load_vectors

    vectors: dict[Side, Teacher] = {}
    coverage: dict[Side, str] = {}
    for side, named in model_vectors(ctx.settings).items():
        try:
            vectors[side], coverage[side] = load_vectors(ctx, side, named.file, named.setting)
        except StepError as error:
            # A setting, and no parameter of this step.
            raise StepError(None, f"{named.setting}: {error.message}") from error
    return vectors, coverage

"""`init_model`: the recommender of `model:`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError
from utils.scenario.model_vectors import Named, model_vectors

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
        found = [text for named in model_vectors(view.settings).values() for text in _misfits(view, named)]
        if found:
            yield Complaint((), "; ".join(found))

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
        ctx.lineage, ctx.weights, ctx.loaded_from, ctx.unused_loss = [], "fresh", None, False
        total, _ = count_parameters(model)
        told = f", vectors for {' and '.join(coverage.values())}" if coverage else ""
        return StepResult(
            facts={"parameters": total} | ({"coverage": coverage} if coverage else {}),
            summary=f"{type(model).__name__}, {total:,} parameters{told}",
        )


def _misfits(view: PlanView, named: Named) -> Iterator[str]:
    """What is wrong with a file, as far as it can be told before anything runs."""
    from utils.data.embeddings import VectorFileError
    from utils.knowledge import read_file

    path = view.vectors_dir / named.file
    if path in view.vector_files:
        return
    if not path.is_file():
        writes = ", and no earlier step writes it" if path.suffix == ".pt" else ""
        yield f"{named.setting}: no file {path}{writes}"
        return
    try:
        width = read_file(path).vectors.shape[1]
    except VectorFileError as error:
        yield f"{named.setting}: {error}"
        return
    if named.width not in (None, width):
        yield f"{named.width_setting}: got {named.width}; the vectors of {path} are {width} wide"


def _load(ctx: RunContext) -> tuple[dict[Side, Teacher], dict[Side, str]]:
    """(vectors of each side, what to say of their coverage); none at all for a model that takes none."""
    from utils.knowledge import load_vectors

    vectors: dict[Side, Teacher] = {}
    coverage: dict[Side, str] = {}
    for side, named in model_vectors(ctx.settings).items():
        try:
            vectors[side], coverage[side] = load_vectors(ctx, side, named.file, named.setting)
        except StepError as error:
            # A setting, and no parameter of this step.
            raise StepError(None, f"{named.setting}: {error.message}") from error
        if ctx.settings.get("control") == "plain":
            # The same model, for whose rows there is no knowledge.
            given = vectors[side]
            vectors[side] = replace(given, vectors=given.vectors * 0, present=given.present & False)
            coverage[side] = f"0 {side} (control: plain)"
    return vectors, coverage

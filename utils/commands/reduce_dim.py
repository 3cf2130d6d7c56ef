"""`reduce_dim`: fewer dimensions for a vector file."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.knowledge import cooccurrence
from utils.scenario.errors import StepError
from utils.scenario.settings_schema import Seed
from utils.scenario.vector_names import VectorFileName

# What is true of the reduced vectors as well. Not `content`: by that encode_profiles knows what it has encoded.
CARRIED = ("train_fingerprint", "origin", "encoder", "source", "side", "dataset")
# Parameters that one method reads and no other.
_READ_BY = {
    "epsilon": ("whiten",),
    "smoothness": ("rec_pca",),
    "side": ("rec_pca",),
    "seed": ("random_projection", "umap"),
}
# What a file says of itself, in words where its key is none.
_NAMES = {"made_from": "the content of file_in", "train_fingerprint": "the train part"}


@command("reduce_dim")
class ReduceDim(Command):
    """Project `file_in` [n_rows, d_in] onto `dimension` axes; row i stays row i.

    Files lie in `<embeddings_path>/<dataset>`. A `file_out` that was made in this way from these vectors is
    kept; one that holds anything else is replaced only with `overwrite`. With the vectors, `file_out` holds the
    mean and the matrix that made them. rec_pca reads the train part, so its vectors fit this split only.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    file_in: VectorFileName
    file_out: VectorFileName
    dimension: PositiveInt
    method: Literal["pca", "whiten", "rec_pca", "random_projection", "umap"] = Field(
        "pca",
        description="pca; whiten: its axes vary equally; rec_pca: rows that occur together stay close; "
        "random_projection: a random matrix; umap: neighbours stay neighbours.",
    )
    epsilon: NonNegativeFloat = Field(1e-5, description="whiten: what is added to the variance of each axis.")
    smoothness: NonNegativeFloat = Field(
        1.0, description="rec_pca: the weight of closeness to rows of the same users or items; 0 is pca."
    )
    side: Literal["users", "items"] | None = Field(
        None, description="rec_pca: whose vectors these are, where the file does not say."
    )
    seed: Seed = Field(
        0, description="random_projection, umap: of what is drawn; not the scenario's, so that all its seeds share it."
    )
    normalize: bool = Field(False, description="Divide each reduced row by its length.")
    overwrite: bool = False

    @property
    def loads_data(self) -> bool:
        return self.method == "rec_pca"

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.file_in == self.file_out:
            yield Complaint(("file_out",), f"'{self.file_out}' is the file that is read; name another one")
        for parameter, methods in _READ_BY.items():
            if parameter in self.model_fields_set and self.method not in methods:
                readers = f"{' and '.join(methods)} do{'es' if len(methods) == 1 else ''}"
                yield Complaint((parameter,), f"method {self.method} does not read it, {readers}; remove it")
        if self.method == "umap" and importlib.util.find_spec("umap") is None:
            yield Complaint(("method",), "method umap needs the package umap-learn; run: pip install umap-learn")
        yield from view.bad_vectors("file_in", self.file_in)

    def vector_files_written(self) -> Iterable[str]:
        return (self.file_out,)

    def run(self, ctx: RunContext) -> StepResult:
        from utils.data.embeddings import VectorFile, VectorFileError, read_vectors, write_vectors
        from utils.data.reduce.base import ReduceError
        from utils.data.reduce.methods import reduce_vectors

        try:
            source = read_vectors(ctx.vector_path(self.file_in))
        except VectorFileError as error:
            raise StepError("file_in", str(error)) from error
        meta = {name: source.meta[name] for name in CARRIED if name in source.meta}
        meta |= {"made_from": source.content_hash(), "method": self.method, "dimension": self.dimension}
        meta |= {"normalize": True} if self.normalize else {}
        options: dict[str, Any] = {name: getattr(self, name) for name in self._options()}
        meta |= options
        if self.method == "rec_pca":
            meta |= cooccurrence.fitted_to(ctx, self.file_in, source, self.side)
        if ctx.vector_path(self.file_out).exists() and not self.overwrite:
            return self._keep(ctx, meta)
        grouped = ""
        if self.method == "rec_pca":
            options["baskets"], grouped = cooccurrence.baskets(ctx, self.file_in, source, meta["side"])
        try:
            reduced = reduce_vectors(source.vectors, self.dimension, self.method, self.normalize, **options)
        except ReduceError as error:
            raise StepError(error.parameter, f"{self.file_in}: {error}") from error
        write_vectors(
            ctx.vector_path(self.file_out),
            VectorFile(reduced.vectors, source.tokens, {**meta, "reduced_from": self.file_in}, reduced.projection),
        )
        kept = reduced.variance_kept
        share = "" if kept is None else f", {kept:.1%} of the variance"
        note = "" if "method" in self.model_fields_set else " (method pca; LLM-KT's default was umap)"
        shapes = f"{tuple(source.vectors.shape)} -> {tuple(reduced.vectors.shape)}"
        return StepResult(
            facts={
                "rows": len(reduced.vectors),
                "dimension": self.dimension,
                "method": self.method,
                "variance_kept": kept,
            },
            summary=f"{self.file_out}: {shapes}{share}{grouped}{note}",
        )

    def _options(self) -> list[str]:
        return [name for name, methods in _READ_BY.items() if self.method in methods and name != "side"]

    def _keep(self, ctx: RunContext, meta: dict[str, Any]) -> StepResult:
        """Keep a file that says the same of itself; how the vectors' file was called makes no difference."""
        from utils.data.embeddings import VectorFileError, read_vectors

        try:
            existing = read_vectors(ctx.vector_path(self.file_out))
        except VectorFileError as error:
            raise StepError("file_out", f"{error}; set overwrite: True, or name another file") from error
        there = {name: value for name, value in existing.meta.items() if name != "reduced_from"}
        if there != meta:
            what = [name for name in {**meta, **there} if there.get(name) != meta.get(name)]
            shown = f"{_NAMES.get(what[0], what[0])} is {there.get(what[0])} there and {meta.get(what[0])} here"
            raise StepError(
                "file_out",
                f"{self.file_out} holds something else ({shown}); set overwrite: True, or name another file",
            )
        return StepResult(facts={"kept": True}, summary=f"{self.file_out} is kept: made from the same vectors")

"""`reduce_dim`: fewer dimensions for a vector file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError

if TYPE_CHECKING:
    from utils.data.embeddings import VectorFile


@command("reduce_dim")
class ReduceDim(Command):
    """Project `file_in` [n_rows, d_in] onto `dimension` axes; row i stays row i.

    Files lie in `<embeddings_path>/<dataset>`. An existing `file_out` is kept unless `overwrite`.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    file_in: str
    file_out: str
    dimension: PositiveInt
    method: Literal["pca", "umap"] = "pca"
    overwrite: bool = False

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.file_in == self.file_out:
            yield Complaint(("file_out",), f"'{self.file_out}' is the file that is read; name another one")
        yield from view.missing_vectors("file_in", self.file_in)

    def vector_files_written(self) -> Iterable[str]:
        return (self.file_out,)

    def run(self, ctx: RunContext) -> StepResult:
        from utils.data.embeddings import VectorFile, VectorFileError, read_vectors, write_vectors
        from utils.data.reduce import ReduceError, reduce_vectors

        try:
            source = read_vectors(ctx.vector_path(self.file_in))
        except VectorFileError as error:
            raise StepError("file_in", str(error)) from error
        target = ctx.vector_path(self.file_out)
        if target.exists() and not self.overwrite:
            return self._keep(ctx, source)
        seed = int(ctx.recbole_config()["seed"])
        try:
            reduced, kept = reduce_vectors(source.vectors, self.dimension, self.method, seed)
        except ReduceError as error:
            raise StepError(error.parameter, f"{self.file_in}: {error}") from error
        meta = {**source.meta, "reduced_from": self.file_in, "method": self.method, "seed": seed}
        write_vectors(target, VectorFile(reduced, source.tokens, meta))
        share = "" if kept is None else f", {kept:.1%} of the variance"
        note = "" if "method" in self.model_fields_set else " (method pca; LLM-KT's default was umap)"
        return StepResult(
            facts={
                "rows": len(reduced),
                "dimension": self.dimension,
                "method": self.method,
                "variance_kept": kept,
            },
            summary=f"{self.file_out}: {tuple(source.vectors.shape)} -> {tuple(reduced.shape)}{share}{note}",
        )

    def _keep(self, ctx: RunContext, source: VectorFile) -> StepResult:
        from utils.data.embeddings import VectorFileError, read_vectors

        try:
            existing = read_vectors(ctx.vector_path(self.file_out))
        except VectorFileError as error:
            raise StepError("file_out", str(error)) from error
        if existing.vectors.shape[1] != self.dimension:
            width = existing.vectors.shape[1]
            raise StepError(
                "overwrite",
                f"{self.file_out} exists and is {width} wide, not {self.dimension}; set overwrite: True",
            )
        if existing.meta.get("content") != source.meta.get("content"):
            raise StepError(
                "overwrite", f"{self.file_out} was reduced from other vectors than {self.file_in}; set overwrite: True"
            )
        return StepResult(facts={"kept": True}, summary=f"{self.file_out} exists and is kept (overwrite: False)")

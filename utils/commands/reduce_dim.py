"""`reduce_dim`: fewer dimensions for a vector file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt

from utils.commands.base import Command, Complaint, PlanView, StepResult, command
from utils.context import RunContext
from utils.scenario.errors import StepError
from utils.scenario.vector_names import VectorFileName

# What is true of the reduced vectors as well. Not `content`: by that encode_profiles knows what it has encoded.
CARRIED = ("train_fingerprint", "encoder", "source", "side", "dataset")


@command("reduce_dim")
class ReduceDim(Command):
    """Project `file_in` [n_rows, d_in] onto `dimension` axes; row i stays row i.

    Files lie in `<embeddings_path>/<dataset>`. A `file_out` that was made in this way from these vectors is
    kept; one that holds anything else is replaced only with `overwrite`.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    file_in: VectorFileName
    file_out: VectorFileName
    dimension: PositiveInt
    method: Literal["pca", "umap"] = "pca"
    overwrite: bool = False

    def check(self, view: PlanView) -> Iterable[Complaint]:
        if self.file_in == self.file_out:
            yield Complaint(("file_out",), f"'{self.file_out}' is the file that is read; name another one")
        yield from view.bad_vectors("file_in", self.file_in)

    def vector_files_written(self) -> Iterable[str]:
        return (self.file_out,)

    def run(self, ctx: RunContext) -> StepResult:
        from utils.data.embeddings import VectorFile, VectorFileError, read_vectors, write_vectors
        from utils.data.reduce import ReduceError, reduce_vectors

        try:
            source = read_vectors(ctx.vector_path(self.file_in))
        except VectorFileError as error:
            raise StepError("file_in", str(error)) from error
        seed = int(ctx.recbole_config()["seed"])
        meta = {name: source.meta[name] for name in CARRIED if name in source.meta}
        meta |= {"made_from": source.content_hash(), "method": self.method, "dimension": self.dimension}
        if self.method == "umap":
            meta["seed"] = seed
        target = ctx.vector_path(self.file_out)
        if target.exists() and not self.overwrite:
            return self._keep(ctx, meta)
        try:
            reduced, kept = reduce_vectors(source.vectors, self.dimension, self.method, seed)
        except ReduceError as error:
            raise StepError(error.parameter, f"{self.file_in}: {error}") from error
        write_vectors(target, VectorFile(reduced, source.tokens, {**meta, "reduced_from": self.file_in}))
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

    def _keep(self, ctx: RunContext, meta: dict[str, Any]) -> StepResult:
        """Keep a file that says the same of itself; how the vectors' file was called makes no difference."""
        from utils.data.embeddings import VectorFileError, read_vectors

        try:
            existing = read_vectors(ctx.vector_path(self.file_out))
        except VectorFileError as error:
            raise StepError("file_out", f"{error}; set overwrite: True, or name another file") from error
        if {name: value for name, value in existing.meta.items() if name != "reduced_from"} != meta:
            raise StepError(
                "overwrite", f"{self.file_out} holds something else; set overwrite: True, or name another file"
            )
        return StepResult(facts={"kept": True}, summary=f"{self.file_out} is kept: made from the same vectors")

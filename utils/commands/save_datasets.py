"""`save_datasets`: the split as TSV files."""

from __future__ import annotations

from typing import ClassVar

from utils.commands.base import Command, StepResult, command
from utils.context import RunContext


@command("save_datasets")
class SaveDatasets(Command):
    """Write the train, valid and test interactions as `<scenario>.train.tsv` ... beside the experiment, in tokens."""

    needs: ClassVar[frozenset[str]] = frozenset({"data"})

    def run(self, ctx: RunContext) -> StepResult:
        from utils.recbole_port.export import split_frames

        written = {}
        stem = ctx.scenario_path.stem
        for part, frame in split_frames(ctx.recbole_config(), ctx.data).items():
            path = ctx.experiment_dir / f"{stem}.{part}.tsv"
            frame.to_csv(path, sep="\t", index=False)
            written[part] = {"path": str(path), "rows": len(frame)}
        rows = ", ".join(f"{part} {facts['rows']:,}" for part, facts in written.items())
        return StepResult(facts=written, summary=f"{ctx.experiment_dir / stem}.*.tsv ({rows})")

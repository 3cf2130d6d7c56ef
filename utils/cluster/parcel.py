"""Files that travel with an experiment, there and back, where workers share no disk."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from utils.journal.earlier_runs import UNFINISHED_DIR
from utils.paths import dataset_dir, saved_dir, vectors_dir
from utils.scenario.plan import Plan

_LOG_DIR = Path("log")


def cannot_travel(plan: Plan) -> str | None:
    """Why this scenario's files would not be found on another machine; None when they would."""
    for setting, path in (
        ("data_path", dataset_dir(plan.settings)),
        ("checkpoint_dir", saved_dir(plan.settings)),
        ("llm_config.embeddings_path", vectors_dir(plan.settings)),
        *_files_of_steps(plan),
    ):
        if path.is_absolute() or ".." in path.parts:
            return (
                f"{setting} leads out of the folder you stand in ({path}); workers share no disk, so give a path "
                "below that folder"
            )
    return None


def inputs(plan: Plan) -> list[Path]:
    """Files that the scenario may read: its dataset, the vectors of that dataset, and what its steps name."""
    folders = (dataset_dir(plan.settings), vectors_dir(plan.settings))
    found = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir()) if file.is_file()]
    found += [path for _, path in _files_of_steps(plan) if path.is_file()]
    return [file for file in found if not file.name.startswith(".")]


def _files_of_steps(plan: Plan) -> Iterator[tuple[str, Path]]:
    """(what names it, path) of the checkpoints that the scenario loads, and of other files that its steps read."""
    for step in plan.steps:
        for parameter, path in step.command.files_read(plan.settings):
            yield f"{step.command.name}.{parameter}", path
        for value in step.command.model_dump().values():
            if isinstance(value, str) and value.endswith(".pth"):
                yield step.command.name, Path(value)


def pack(folder: Path, files: Iterable[Path]) -> bytes:
    """A tar of files below `folder`, under their relative names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in files:
            tar.add(file, arcname=file.relative_to(folder).as_posix(), recursive=False)
    return buffer.getvalue()


def unpack(parcel: bytes, folder: Path) -> list[str]:
    """Put the files of a parcel below `folder`; their names. ValueError for one that would lie elsewhere."""
    names = []
    with tarfile.open(fileobj=io.BytesIO(parcel)) as tar:
        for member in tar:
            path = PurePath(member.name)
            if not member.isfile() or path.is_absolute() or ".." in path.parts:
                raise ValueError(f"a worker sent '{member.name}', which is no file below {folder}")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            temporary = target.with_name(f".{target.name}.parcel")
            temporary.write_bytes(content.read())
            temporary.replace(target)
            names.append(member.name)
    return names


def results(folder: Path, plan: Plan, run_id: str, before: set[tuple[str, int]]) -> bytes:
    """What a run has left below `folder`: its own folder, its logs, vector files that are new or changed, and others.

    before: `vector_states(folder, plan)` from before the run.
    """
    run_dir = folder / saved_dir(plan.settings) / run_id
    inside = (file for file in run_dir.rglob("*") if UNFINISHED_DIR not in file.relative_to(run_dir).parts)
    found = [file for file in inside if file.is_file()]
    found += [file for file in (folder / _LOG_DIR).rglob("*") if file.is_file() and run_id in file.as_posix()]
    vectors = folder / vectors_dir(plan.settings)
    found += [vectors / name for name, changed in vector_states(folder, plan) if (name, changed) not in before]
    written = (path for step in plan.steps for path in step.command.files_written())
    found += [folder / path for path in dict.fromkeys(written) if (folder / path).is_file()]
    return pack(folder, found)


def vector_states(folder: Path, plan: Plan) -> set[tuple[str, int]]:
    """(name, time of change) of each vector file."""
    vectors = folder / vectors_dir(plan.settings)
    files = vectors.iterdir() if vectors.is_dir() else ()
    return {(file.name, file.stat().st_mtime_ns) for file in files if file.is_file() and file.name[0] != "."}

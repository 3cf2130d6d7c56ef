"""The files that `experiments/ml-1m/prepare.py` reads, in small: three users, three films that have a graph id."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

INTERACTIONS = [
    ("1m_1", "Jumanji (1995)", 5),
    ("1m_1", "Heat (1995)", 4),
    ("1m_2", "Jumanji (1995)", 3),
    ("1m_2", "Toy Story (1995)", 5),
    ("1m_3", "Heat (1995)", 2),
    # A film without a graph id is in no part.
    ("1m_3", "Unknown (1990)", 5),
]
TITLES = {"6040": "Jumanji (1995)", "6041": "Heat (1995)", "6042": "Toy Story (1995)"}
# Users are counted from 0 here.
TEST = [("0", "6041", "1"), ("1", "6040", "0")]


@dataclass(frozen=True)
class Files:
    """Where they lie."""

    wheel: Path
    test: Path
    titles: Path
    profiles: Path


def write_files(folder: Path) -> Files:
    files = Files(folder / "cdr.whl", folder / "test.tsv", folder / "titles.tsv", folder / "profiles.jsonl")
    inside = prepare().INSIDE
    with zipfile.ZipFile(files.wheel, "w") as archive:
        rows = [f"{user}\t{item}\t{rating}\t{number}" for number, (user, item, rating) in enumerate(INTERACTIONS)]
        header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
        archive.writestr(f"{inside}.inter", "\n".join([header, *rows]) + "\n")
        archive.writestr(f"{inside}.user", "user_id:token\tage:float\n1m_1\t1\n")
        archive.writestr(f"{inside}.item", "item_id:token\tmovie_title:token\nHeat (1995)\tHeat\n")
    files.test.write_text("".join("\t".join(row) + "\n" for row in TEST))
    titles = [("graphid", "dburl", "name"), *((number, "http://x", title) for number, title in TITLES.items())]
    files.titles.write_text("".join("\t".join(row) + "\n" for row in titles))
    profiles = [{"user_id": number, "plain": f" Likes film {number}.\n"} for number in (1, 2, 3)]
    files.profiles.write_text("".join(json.dumps(row) + "\n" for row in profiles))
    return files


def prepare() -> ModuleType:
    """The script as a module; its folder is no package."""
    path = Path(__file__).parents[2] / "experiments" / "ml-1m" / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare_ml1m", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

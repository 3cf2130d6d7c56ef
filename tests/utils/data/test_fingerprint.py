"""Other files are other data."""

from __future__ import annotations

from pathlib import Path

from utils.data.fingerprint import combined, file_hashes


def _write(folder: Path, content: str) -> dict[str, str]:
    (folder / "d.inter").write_text(content)
    (folder / "d.item").write_text("items")
    (folder / "notes.txt").write_text(content)
    return file_hashes(folder, "d")


def test_files_of_the_dataset_are_hashed_each(tmp_path: Path) -> None:
    found = _write(tmp_path, "a")
    # sha256 of "a" begins with ca978112ca1bbdca.
    assert found["d.inter"] == "ca978112ca1bbdca"
    assert sorted(found) == ["d.inter", "d.item"]


def test_one_changed_byte_changes_its_hash_and_the_whole(tmp_path: Path) -> None:
    before = _write(tmp_path, "a")
    after = _write(tmp_path, "b")
    assert before["d.inter"] != after["d.inter"]
    assert before["d.item"] == after["d.item"]
    assert combined(before) != combined(after)

"""What the README and the documentation show is true of the checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from utils.scenario import plan, source

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _links(page: Path) -> list[str]:
    found = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8"))]
    return [link for link in found if link and "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    assert [link for link in _links(page) if not (page.parent / link).exists()] == []


def test_the_links_of_the_readme_are_seen() -> None:
    assert "docs/scenarios.md" in _links(ROOT / "README.md")


def test_the_scenario_of_the_readme_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    Path("readme.yaml").write_text(example, "utf-8")
    steps = plan.build(source.read(Path("readme.yaml"))).steps
    assert [step.command.name for step in steps][-2:] == ["train", "test_eval"]


def test_nothing_is_left_to_be_filled_in():
    prose = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text("utf-8"), flags=re.S)
    assert not [line for line in prose.splitlines() if re.fullmatch(r"[A-Z]{4,}", line.strip())]

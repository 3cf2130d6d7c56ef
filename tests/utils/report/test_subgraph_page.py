"""The page of a user's subgraphs in a real browser: what it says without JavaScript, and what its picture shows."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.utils.report import test_page as report_page
from tests.utils.report.subgraph_data import EVIL, RAGING_BULL, SCORSESE, TAXI_DRIVER, crowded, films, node, star
from utils.report.subgraph_page import render_subgraphs

# The browser of the report's tests; a page may not complain on its console or ask for anything but its own file.
address, browser, window, opened = report_page.address, report_page.browser, report_page.window, report_page.opened
Opened = report_page.Opened
ALL_SHOWN = "3 centres, 12 nodes and 12 lines are shown."


@pytest.fixture(scope="module")
def films_html() -> str:
    return render_subgraphs(films())


@pytest.fixture(scope="module")
def crowded_html() -> str:
    return render_subgraphs(crowded())


@pytest.fixture
def page(opened: Opened, films_html: str) -> Page:
    return _drawn(opened(films_html))


def _drawn(page: Page) -> Page:
    page.locator("#picture").scroll_into_view_if_needed()
    page.wait_for_selector("#picture .main-svg")
    return page


def _names(page: Page) -> list[str]:
    return page.locator("#picture .textpoint text").all_text_contents()


def _middle(page: Page, name: str) -> tuple[float, float]:
    """Where the mark of a node is on the screen."""
    place: dict[str, float] = page.evaluate(
        """(name) => {
            const picture = document.getElementById("picture");
            picture.scrollIntoView({ block: "center" });
            const named = (text) => text.startsWith(`<b>${name}<`);
            const trace = picture.data.find(({ hovertext = [] }) => hovertext.some(named));
            const at = trace.hovertext.findIndex(named);
            const { xaxis, yaxis } = picture._fullLayout;
            const { left, top } = picture.getBoundingClientRect();
            return { x: left + xaxis.l2p(trace.x[at]), y: top + yaxis.l2p(trace.y[at]) };
        }""",
        name,
    )
    return place["x"], place["y"]


def _boxes(page: Page, selector: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.locator(selector).evaluate_all(
        "(elements) => elements.map((one) => { const { left, right, top, bottom } = one.getBoundingClientRect();"
        " return { left, right, top, bottom }; })"
    )
    return found


def _overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    return a["left"] < b["right"] and b["left"] < a["right"] and a["top"] < b["bottom"] and b["top"] < a["bottom"]


def test_history_and_centres_are_told_without_javascript(browser: Browser, films_html: str) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.set_content(films_html)
    assert page.inner_text("h1") == "User 13 of ml-100k"
    assert page.locator("#history tbody tr").all_inner_texts() == [
        "Heat (1995)\t4\t1,223\tno\tyes", "Taxi Driver (1976)\t4.5\t182\tyes\tyes", "Unknown\t–\t9\tyes\tno",
    ]  # fmt: skip
    assert page.inner_text("blockquote") == "Films of this user: Heat (1995), Taxi Driver (1976)."
    rows = page.locator("#centres tbody tr").all_inner_texts()
    assert [row.split("\n")[0] for row in rows] == [
        "Found: by text", "Taxi Driver (1976)", "Martin Scorsese", "Found: by neighbourhood", "Heat (1995)",
    ]  # fmt: skip
    assert rows[-1].endswith("item of the history\n\t0.25\tCast Robert De Niro; genre drama; 61 neighbours left out")
    assert page.locator("#network noscript").inner_text().startswith("The picture needs JavaScript")
    assert not page.locator("#picture, #network-tools, #kinds").locator("visible=true").count()
    assert page.inner_text("#notes li") == "1 of 3 items is no node."
    context.close()


def test_the_head_counts_what_is_below(page: Page) -> None:
    tiles = dict(zip(*(page.locator(f".tiles {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True))
    assert tiles == {
        "Items of the history": "3", "Asked for": "2 of 3", "Linked to the graph": "2 of 3", "Subgraphs": "3",
        "Nodes in them": "12",
    }  # fmt: skip


def test_all_subgraphs_are_one_picture_with_all_names_where_there_is_room(page: Page) -> None:
    assert page.inner_text("#shown") == ALL_SHOWN
    assert len(_names(page)) == 12
    assert page.get_by_role("button", name="Show all").is_disabled()


def test_one_subgraph_or_those_of_a_slot_can_be_chosen(page: Page) -> None:
    page.get_by_label("Shown").select_option("Martin Scorsese")
    expect(page.locator("#shown")).to_have_text("1 centre, 4 nodes and 3 lines are shown.")
    assert set(_names(page)) == {"Martin Scorsese", "Taxi Driver (1976)", "Raging Bull (1980)", "Casino (1995)"}
    page.get_by_label("Shown").select_option("All by text (2)")
    expect(page.locator("#shown")).to_have_text("2 centres, 11 nodes and 10 lines are shown.")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#shown")).to_have_text(ALL_SHOWN)
    assert page.get_by_label("Shown").input_value() == "0"


def test_a_click_on_a_centre_shows_it_alone(page: Page) -> None:
    page.mouse.move(*_middle(page, "Heat (1995)"))
    page.wait_for_selector("#picture .hovertext")
    page.mouse.click(*_middle(page, "Heat (1995)"))
    expect(page.locator("#shown")).to_have_text("1 centre, 3 nodes and 2 lines are shown.")


def test_the_pointer_reads_nodes_and_lines(page: Page) -> None:
    page.get_by_label("Shown").select_option("Heat (1995)")
    expect(page.locator("#shown")).to_have_text("1 centre, 3 nodes and 2 lines are shown.")
    x, y = _middle(page, "Robert De Niro")
    page.mouse.move(x, y)
    shown = page.locator("#picture .hovertext")
    expect(shown).to_contain_text("entity that is no itemin the subgraphs of Taxi Driver (1976), Heat (1995)")
    centre = _middle(page, "Heat (1995)")
    page.mouse.move((x + centre[0]) / 2, (y + centre[1]) / 2)
    expect(shown).to_have_text("Heat (1995) → cast → Robert De Niro")


@pytest.mark.parametrize("width", [1280, 400])
def test_ten_large_stars_stay_legible(opened: Opened, crowded_html: str, width: int) -> None:
    page = _drawn(opened(crowded_html, width=width))
    # 10 centres with 59 neighbours of their own each, a genre, 10 writers and 10 stars.
    assert page.inner_text("#shown") == "10 centres, 621 nodes and 640 lines are shown."
    names = _names(page)
    assert sum(name.startswith("The Long Title of Film") for name in names) == 10
    assert not any(name.startswith("Actor") for name in names)
    texts = _boxes(page, "#picture .textpoint text")
    # Two pixels of a line are leading.
    smaller = [{**box, "top": box["top"] + 1, "bottom": box["bottom"] - 1} for box in texts]
    assert not any(_overlap(a, b) for a, b in itertools.combinations(smaller, 2))


def test_what_is_zoomed_into_has_more_names(opened: Opened, crowded_html: str) -> None:
    page = _drawn(opened(crowded_html))
    assert not any(name.startswith("Actor") for name in _names(page))
    page.evaluate("""() => {
        const picture = document.getElementById("picture");
        const { x, y } = picture.data.find(({ marker }) => marker?.symbol === "square");
        const around = (value) => [value - 0.15, value + 0.15];
        return Plotly.relayout(picture, { "xaxis.range": around(x[0]), "yaxis.range": around(y[0]) });
    }""")
    expect(page.locator("#picture .textpoint text", has_text="Actor 0-").first).to_be_attached()


def test_texts_are_never_markup(opened: Opened) -> None:
    evil = star(node(EVIL), (EVIL, TAXI_DRIVER), slot=EVIL)
    history = (replace(films().history[0], title=EVIL),)
    changes: dict[str, Any] = dict.fromkeys(("dataset", "user", "scenario", "retriever", "query"), EVIL)
    data = replace(films(), history=history, subgraphs=(evil, star(SCORSESE, (EVIL, RAGING_BULL))), notes=(EVIL,))
    page = _drawn(opened(render_subgraphs(replace(data, **changes))))
    page.get_by_label("Shown").select_option(EVIL)
    expect(page.locator("#shown")).to_have_text("1 centre, 2 nodes and 1 line are shown.")
    assert page.locator("b").count() == 0
    assert EVIL in _names(page)
    assert page.inner_text("h1") == f"User {EVIL} of {EVIL}"
    assert page.title() == f"User {EVIL} of {EVIL} · subgraphs"


def test_a_telephone_does_not_scroll_sideways_and_its_texts_have_14_pixels(opened: Opened, films_html: str) -> None:
    page = _drawn(opened(films_html, width=400))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator(".scroll").evaluate_all("(all) => all.map((one) => one.scrollWidth - one.clientWidth)") == [
        0,
        0,
    ]
    smallest = """Math.min(...[...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility() && element.textContent.trim())
        .map((element) => parseFloat(getComputedStyle(element).fontSize)))"""
    assert page.evaluate(smallest) >= 14


@pytest.mark.parametrize(("scheme", "light_text"), [("light", False), ("dark", True)])
def test_names_follow_the_colour_scheme(opened: Opened, films_html: str, scheme: Any, light_text: bool) -> None:
    page = _drawn(opened(films_html, scheme=scheme))
    ink = page.evaluate("getComputedStyle(document.querySelector('#picture .textpoint text')).fill")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) / 3 > 128) == light_text


def test_a_user_for_whom_nothing_was_retrieved_has_a_page_that_says_so(opened: Opened) -> None:
    html = render_subgraphs(replace(films(), history=(), subgraphs=(), notes=(), query=""))
    page = opened(html)
    assert "Nothing was retrieved for this user." in page.inner_text("#centres")
    assert page.locator("#network, #notes, table, blockquote").count() == 0
    # Without a picture there is nothing to draw it with.
    assert len(html) < 50_000


def test_ratings_that_nobody_gave_are_no_column(opened: Opened) -> None:
    unrated = tuple(replace(item, rating=None) for item in films().history)
    page = opened(render_subgraphs(replace(films(), history=unrated)))
    assert page.locator("#history th[scope=col]").all_inner_texts() == [
        "Item", "Users who rated it", "Asked for", "In graph",
    ]  # fmt: skip


def test_the_skip_link_is_first_and_headings_do_not_skip_a_level(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((head) => Number(head.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_user_that_is_no_text_can_be_written() -> None:
    assert "User a? of" in render_subgraphs(replace(films(), user="a\udcff"))

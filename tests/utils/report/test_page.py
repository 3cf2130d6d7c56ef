"""The page in a real browser: what it shows, what can be done with it, and that it asks for nothing outside itself."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.utils.report.page_data import EVIL, comparison, example, gain, group, large, report, run
from utils.report import page as module
from utils.report.page import embeddable, every, render

SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECTIONS = ["comparison", "gains", "curves", "cost", "failures", "notes"]
BETTER, WORSE, LINE_0, LINE_1 = (0x17, 0x71, 0x3F), (0xB2, 0x3A, 0x12), (0x00, 0x68, 0xA8), (0xC8, 0x52, 0x00)
# Those cells of which an end, inside its border, is not what the reader sees in that place.
COVERED = """(cells) => cells.filter((cell) => {
    const { left, right, top } = cell.getBoundingClientRect();
    return [left + 3, right - 3].some((x) => !cell.contains(document.elementFromPoint(x, top + 15)));
}).map((cell) => cell.innerText)"""
Opened = Callable[..., Page]
Show = Callable[[dict[str, Any]], Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        message = "the page is tested in Chromium; install Debian's package chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Page:
    """The one page of all tests: it opens the same address again far sooner than a new page or another address."""
    return browser.new_context(offline=True).new_page()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report") / "page.html"


@pytest.fixture(scope="module")
def example_html() -> str:
    return render(example())


@pytest.fixture
def opened(window: Page, address: Path) -> Iterator[Opened]:
    """Opens a page afresh. No page may complain on the console or ask for anything but its own file."""
    complaints: list[str] = []
    requests: list[str] = []
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda request: requests.append(request.url),
    }
    for event, listener in listeners.items():
        window.on(event, listener)

    def opened(html: str, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Page:
        address.write_text(html, "utf-8")
        window.set_viewport_size({"width": width, "height": 900})
        # Scrolling that takes its time would take the tests' time.
        window.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        window.goto(address.as_uri())
        return window

    yield opened
    for event, listener in listeners.items():
        window.remove_listener(event, listener)
    assert complaints == []
    assert {url.partition(":")[0] for url in requests} == {"file"}


@pytest.fixture
def show(opened: Opened) -> Show:
    """Opens the page of some data."""
    return lambda data: opened(render(data))


@pytest.fixture
def page(opened: Opened, example_html: str) -> Page:
    """The page of the example."""
    return opened(example_html)


def _variants(page: Page) -> list[str]:
    """First words of the rows that are shown, in their order."""
    cells = page.locator("#comparison-table > .scroll > table > tbody > tr > th:visible").all_inner_texts()
    return [cell.split()[0] for cell in cells]


def _cell(page: Page, variant: str, head: str) -> str:
    """The text in the row of `variant` under the column that `head` begins the name of."""
    heads = page.locator("#comparison-table thead tr:last-child th").all_inner_texts()
    place = next(place for place, text in enumerate(heads) if text.startswith(head))
    row = page.locator("#comparison-table > .scroll > table > tbody > tr:not(.details)").filter(has_text=variant)
    return row.locator("> *").nth(place).inner_text()


def _head(page: Page, name: str) -> Any:
    return page.locator("#comparison-table thead").get_by_role("button", name=name, exact=True)


def _heads(page: Page) -> list[str]:
    return page.locator("#comparison-table thead tr:last-child th:visible").all_inner_texts()


def _test_metrics(page: Page) -> list[str]:
    """The columns between the gain and its tests."""
    heads = _heads(page)
    return heads[heads.index("Gain [95%]") + 1 : heads.index("Effect size")]


def _sorted_as(page: Page, name: str) -> str | None:
    return _head(page, name).locator("..").get_attribute("aria-sort")


def _drawn(page: Page, plot: str) -> None:
    page.locator(plot).scroll_into_view_if_needed()
    page.wait_for_selector(f"{plot} .main-svg")


def _visit_all(page: Page) -> None:
    for section in SECTIONS:
        page.locator(f"#{section}").scroll_into_view_if_needed()
    for plot in ("#gains-plot", "#model-loss", "#transfer-loss", "#valid-plot"):
        _drawn(page, plot)


def _pixels(page: Page, plot: str, color: tuple[int, int, int]) -> int:
    """How many pixels of the plot have this very colour."""
    _drawn(page, plot)
    picture = imread(io.BytesIO(page.locator(plot).screenshot()), format="png")
    return int((np.rint(picture[..., :3] * 255) == color).all(-1).sum())


def _embedded(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


# Sorted as texts these would be 10, 9; the group without a gain is last whichever way.
def _nine_and_ten() -> dict[str, Any]:
    plain = group("g0", "NeuMF", "plain", 10.0)
    nine = group("g1", "NeuMF", "nine", 9.0, comparison=comparison(plain, ndcg=gain(9.0, 1, "better")))
    ten = group("g2", "NeuMF", "ten", 10.5, comparison=comparison(plain, ndcg=gain(10.0, 1, "better")))
    minus = group("g3", "NeuMF", "minus", None, comparison=comparison(plain, ndcg=gain(-1.0, 1, "worse")))
    return report([plain, ten, minus, nine], [])


def test_numbers_sort_as_numbers_and_what_is_missing_is_last(show: Show) -> None:
    page = show(_nine_and_ten())
    assert _variants(page) == ["plain", "ten", "minus", "nine"]
    _head(page, "Gain [95%]").click()
    assert (_variants(page), _sorted_as(page, "Gain [95%]")) == (["minus", "nine", "ten", "plain"], "ascending")
    _head(page, "Gain [95%]").click()
    assert (_variants(page), _sorted_as(page, "Gain [95%]")) == (["ten", "nine", "minus", "plain"], "descending")
    _head(page, "ndcg@10").click()
    assert (_variants(page), _sorted_as(page, "Gain [95%]")) == (["nine", "plain", "ten", "minus"], "none")


def test_the_keyboard_sorts(show: Show) -> None:
    page = show(_nine_and_ten())
    _head(page, "Variant").focus()
    page.keyboard.press("Enter")
    assert (_variants(page), _sorted_as(page, "Variant")) == (["minus", "nine", "plain", "ten"], "ascending")
    page.keyboard.press("Space")
    assert (_variants(page), _sorted_as(page, "Variant")) == (["ten", "plain", "nine", "minus"], "descending")


def test_verdicts_sort_from_better_to_not_judged(page: Page) -> None:
    _head(page, "Verdict").click()
    words = page.locator("#comparison-table .verdict").all_inner_texts()
    judged = ["▲better", "●no difference shown", "▼worse", "≠unfair", "○not tested"]
    assert words == [*judged, "◆baseline", "◆baseline"]


def test_a_comparison_in_which_nothing_was_measured_is_a_row_of_dashes(show: Show) -> None:
    plain = group("g0", "NeuMF", "plain", None)
    other = group("g1", "NeuMF", "other", None, comparison=comparison(plain), dataset="ml-1m")
    page = show(report([plain, other], [], metrics=[]))
    assert [_cell(page, "other", head) for head in ("Gain", "Holm", "Verdict")] == ["–", "–", "–"]
    assert _cell(page, "other", "Variant") == "other\nagainst plain\nml-1m"


def test_all_words_of_the_filter_must_match(page: Page) -> None:
    assert page.inner_text("#shown") == "8 of 8 shown"
    page.fill("#words", "PROFILES rmse")
    assert _variants(page) == ["02_neumf_profiles", "02_neumf_profiles"]
    assert page.inner_text("#shown") == "2 of 8 shown"
    page.fill("#words", "profiles worse")
    assert _variants(page) == ["06_lightgcn_profiles"]
    page.fill("#words", "")
    page.select_option("#model", "LightGCN")
    assert page.inner_text("#shown") == "3 of 8 shown"
    assert page.get_attribute("#shown", "aria-live") == "polite"
    assert page.get_by_label("Filter", exact=True).is_visible()


def test_the_metric_chooses_the_gain_that_is_shown(page: Page) -> None:
    gain_of = ("02_neumf_profiles (rmse)", "Gain")
    assert _cell(page, *gain_of) == "+0.0051 (+10.2%)\n[+0.0031, +0.0071]"
    assert _cell(page, "02_neumf_profiles (rmse)", "Verdict") == "▲better"
    page.select_option("#metric", "recall@10")
    # -0.0123 / 0.05 and -0.0123 ± 0.005
    assert _cell(page, *gain_of) == "−0.0123 (−24.6%)\n[−0.0173, −0.0073]"
    assert _cell(page, "02_neumf_profiles (rmse)", "Verdict") == "▼worse"
    assert _cell(page, "03_neumf_long", "Gain") == "–"


def test_each_column_has_its_own_number(page: Page) -> None:
    # p = 0.2: the t-test over seeds has 0.2, that over users 0.2 / 2, Holm 4 * 0.2 and BH 2 * 0.2.
    heads = ["Seeds", "ndcg@10", "recall@10", "Effect size", "p over seeds", "p over users", "Holm", "BH"]
    expected = ["3", "0.0521 ± 0.0010", "0.1042 ± 0.0010", "+0.00", "0.200", "0.100", "0.800", "0.400"]
    assert [_cell(page, "shuffled", head) for head in heads] == expected
    # There are no more of them than are shown anyway.
    assert page.locator("#all-metrics").is_hidden()


def test_of_many_test_metrics_the_first_two_and_the_compared_one_are_shown_until_all_are_asked_for(show: Show) -> None:
    names = ["ndcg@10", "recall@10", "mrr@10", "hit@10"]
    metrics = {name: {"mean": 0.05, "sd": 0.001} for name in names}
    plain = group("g0", "NeuMF", "plain", 0.05, metrics=metrics)
    better, worse = gain(0.01, 0.005, "better"), gain(-0.01, 0.005, "worse")
    other = group("g1", "NeuMF", "other", 0.05, metrics=metrics, comparison=comparison(plain, ndcg=better, hit=worse))
    page = show(report([plain, other], [], metrics=names))
    over = page.locator("#comparison-table thead th.over", has_text="Test metrics")
    assert (_test_metrics(page), over.get_attribute("colspan")) == (["ndcg@10", "recall@10"], "2")
    page.select_option("#metric", "hit@10")
    assert (_test_metrics(page), over.get_attribute("colspan")) == (["ndcg@10", "recall@10", "hit@10"], "3")
    page.get_by_label("All 4 test metrics").check()
    assert (_test_metrics(page), over.get_attribute("colspan")) == (names, "4")
    assert _cell(page, "other", "hit@10") == "0.0500 ± 0.0010"


def test_nothing_covers_a_verdict_or_a_gain(page: Page) -> None:
    places = [place for place, head in enumerate(_heads(page), 1) if head in ("Verdict", "Gain [95%]")]
    cells = page.locator(", ".join(f"#comparison-table tbody > tr > :nth-child({place})" for place in places))
    assert cells.count() == 2 * 8
    for width in (1200, 900):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("document.querySelector('#comparison-table').scrollIntoView()")
        assert cells.evaluate_all(COVERED) == []


def test_unfair_pairs_single_seeds_and_controls_are_marked_and_explained(page: Page) -> None:
    assert _cell(page, "03_neumf_long", "Verdict") == "≠unfair\nepochs 8 against 20 and 1 more"
    assert _cell(page, "05_lightgcn_once", "Verdict") == "○not tested\nno test is possible with one seed"
    assert _cell(page, "07_sasrec", "Verdict") == "–\nno other run of SASRec"
    assert _cell(page, "shuffled", "Variant").split("\n")[0].endswith("control")
    page.get_by_role("button", name="Details of NeuMF · 03_neumf_long (cosine)").click()
    reasons = page.locator(".detail li").all_inner_texts()
    assert reasons == ["epochs 8 against 20", "learning_rate 0.001 against 0.002"]


def test_details_open_and_close_by_the_keyboard(page: Page) -> None:
    assert page.locator(".detail").count() == 0
    button = page.get_by_role("button", name="Details of NeuMF · 02_neumf_profiles (rmse)")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.inner_text(".detail pre").startswith("model: NeuMF\ndataset: ml-100k\nepochs: 20\n")
    text = page.inner_text(".detail")
    assert "users with 5 to 12 train items\t240\t0.0400\t0.0500\t+0.0100\t[+0.0020, +0.0180]" in text
    assert "cold items: at most 10 interactions\t96\t0.0200\t0.0310\t+0.0110\t[+0.0010, +0.0210]" in text
    # A decile has no gain by user, so its metric is that of the record.
    assert "items, decile 1 of 10\t12\t–\t0.0123\t–\t–" in text
    # Holm's p is 4 * 0.002 in this example.
    assert "02_neumf_profiles (shuffled, rmse)\t+0.0050\t+10.0%\t[+0.0030, +0.0070]\t0.008\t▲better" in text
    # t, Wilcoxon and permutation are p, 2p and 3p with p = 0.001 over seeds and 0.01 / 2 over users; one-sided is 0.9.
    assert "ndcg@10\tseeds (3)\t+1.53\t0.001\t0.002\t0.003\t0.800" in text
    assert "recall@10\tusers (943)\t−0.25\t0.005\t0.010\t0.015\t0.900" in text
    assert "NeuMF-Oct-02-2026_22-12-30-g1s2\t2\tdone\t12.3\t2026-10-02T22:14:30" in text
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "false"
    assert not page.locator(".detail").is_visible()


def test_open_details_stay_with_their_row(page: Page) -> None:
    page.get_by_role("button", name="Details of SASRec").click()
    _head(page, "Variant").click()
    _head(page, "Variant").click()
    first, second = page.locator("#comparison-table > .scroll > table > tbody > tr").all()[:2]
    assert "07_sasrec" in first.inner_text()
    assert "SASRec · 07_sasrec" in second.inner_text()
    page.fill("#words", "neumf")
    assert not page.locator(".detail").is_visible()
    page.fill("#words", "")
    assert page.locator(".detail").is_visible()


def test_gains_are_drawn_in_the_colours_of_their_verdicts_and_follow_the_filter(page: Page) -> None:
    assert _pixels(page, "#gains-plot", BETTER) > 100
    assert _pixels(page, "#gains-plot", WORSE) > 100
    page.fill("#words", "better")
    expect(page.locator("#gains-plot .errorbar")).to_have_count(1)
    assert _pixels(page, "#gains-plot", BETTER) > 100
    assert _pixels(page, "#gains-plot", WORSE) == 0
    page.fill("#words", "no such group")
    page.wait_for_selector("#gains-plot", state="hidden")
    assert page.inner_text("#gains-about") == "No group that passes the filter above was compared by ndcg@10."


def test_sixty_gains_are_drawn_at_most(show: Show) -> None:
    page = show(large(62, 1, epochs=2))
    _drawn(page, "#gains-plot")
    assert page.locator("#gains-plot .errorbar").count() == 60
    assert "The first 60 of 61 compared groups" in page.inner_text("#gains-about")


def test_curves_are_drawn_for_the_ticked_groups(page: Page) -> None:
    assert _pixels(page, "#valid-plot", LINE_1) > 50
    # Three groups with three seeds each; the plain one has no transfer loss.
    assert page.locator("#valid-plot .js-line").count() == 3 * 3
    assert page.locator("#transfer-loss .js-line").count() == 2 * 3
    page.get_by_role("button", name="Untick all").click()
    page.wait_for_selector("#model-loss", state="hidden")
    assert page.get_by_text("No chosen group has a model loss in this training.").is_visible()
    page.get_by_role("checkbox", name="NeuMF · 01_neumf_plain (plain)").check()
    page.wait_for_selector("#model-loss", state="visible")
    assert _pixels(page, "#model-loss", LINE_0) > 50
    assert page.get_by_text("No chosen group has a transfer loss in this training.").is_visible()
    assert page.inner_text("#chosen") == "1 of 10 ticked"


def test_a_failed_run_has_its_curve_as_well(page: Page) -> None:
    page.fill("#choice-words", "failed")
    assert page.locator("#choice-list label:visible").all_inner_texts() == ["NeuMF-Oct-02-2026_22-12-30-g1s9 (failed)"]


def test_details_lead_to_the_curves_of_their_group(page: Page) -> None:
    page.get_by_role("button", name="Details of LightGCN · 04_lightgcn_plain").click()
    page.get_by_role("button", name="Draw its curves").click()
    assert page.locator("#legend li").all_inner_texts() == ["LightGCN · 04_lightgcn_plain (plain)"]


def test_stages_and_validation_metrics_are_chosen(show: Show) -> None:
    plain = group("g0", "NeuMF", "plain", 0.05)
    curves = [
        {"stage": "0", "epochs": [0, 1], "losses": [[3.0, 2.0]], "valid": {}},
        {"stage": "1", "epochs": [0, 1], "losses": [[2.0, 1.0], [0.5, 0.25]], "valid": {"ndcg@10": [0.1, 0.2]}},
    ]
    page = show(report([plain], [run(plain, 1, curves=curves)]))
    _drawn(page, "#model-loss")
    assert page.locator("#transfer-loss").is_hidden()
    page.select_option("#stage", "1")
    _drawn(page, "#transfer-loss")
    _drawn(page, "#valid-plot")


def test_failures_problems_notes_and_environments_are_told(page: Page) -> None:
    # 7 groups of three seeds and one of one seed, and the two that did not end.
    assert page.inner_text("#failures-about") == f"1 failed, 1 cancelled of {7 * 3 + 1 + 2} runs."
    assert f"experiments/quick/08.yaml:5:17: {EVIL}: loss is not finite" in page.inner_text("#failures-table")
    assert "line 3 column 1: a comma is missing" in page.inner_text("#problems-table")
    assert page.locator("#notes-body li").count() == 2
    page.click("#environments summary")
    assert page.inner_text("#environments summary") == "24 runs · python 3.11.7 · git commit aaab28eb49"
    assert "packages torch" in page.inner_text("#environments dl")


def test_cost_names_what_was_not_measured(page: Page) -> None:
    assert "Not measured: energy." in page.inner_text("#cost-about")
    assert page.locator("#cost-table tbody tr").first.inner_text().split() == [
        "NeuMF", "01_neumf_plain", "(plain)", "3", "12.3", "11.8", "512",
    ]  # fmt: skip


def test_sections_without_data_say_so(show: Show) -> None:
    page = show(report([], []))
    assert page.locator("table, .plot:visible").count() == 0
    for section, sentence in {
        "comparison": "No run has been tested, so there is nothing to compare.",
        "gains": "No variant has a baseline to be compared with, so there are no gains to draw.",
        "curves": "No run has kept its losses by epoch, so there are no curves.",
        "cost": "No run has measured what it cost.",
        "failures": "There are no runs.",
        "notes": "There are no notes.",
    }.items():
        page.locator(f"#{section}").scroll_into_view_if_needed()
        expect(page.locator(f"#{section}")).to_contain_text(sentence)


def test_without_a_baseline_there_are_no_columns_of_gains(show: Show) -> None:
    page = show(report([group("g0", "NeuMF", "plain", 0.05)], []))
    assert _heads(page) == ["Model", "Variant", "Seeds", "ndcg@10", "recall@10"]
    assert page.locator("#metric").is_hidden()


def test_texts_are_never_markup(show: Show) -> None:
    data = {**example(), "title": EVIL}
    page = show(data)
    page.locator(".expand").evaluate_all("(buttons) => buttons.forEach((button) => button.click())")
    _visit_all(page)
    assert page.locator("b").count() == 0
    assert page.inner_text("h1") == EVIL
    assert page.title() == f"{EVIL} · experiment report"
    assert EVIL in _cell(page, "05_lightgcn_once", "Variant")
    labels = page.locator("#gains-plot .ytick").all_text_contents()
    assert f"LightGCN · 05_lightgcn_once {EVIL} & $x_1$" in labels


def test_a_telephone_does_not_scroll_sideways_and_its_texts_have_14_pixels(opened: Opened, example_html: str) -> None:
    page = opened(example_html, width=360)
    page.locator(".expand").nth(1).click()
    _visit_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('.detail').getBoundingClientRect().width") <= 360
    smallest = """Math.min(...[...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility() && element.textContent.trim())
        .map((element) => parseFloat(getComputedStyle(element).fontSize)))"""
    assert page.evaluate(smallest) >= 14


@pytest.mark.parametrize(("scheme", "light_text"), [("light", False), ("dark", True)])
def test_page_and_plots_follow_the_colour_scheme(
    opened: Opened, example_html: str, scheme: str, light_text: bool
) -> None:
    page = opened(example_html, scheme=scheme)
    _drawn(page, "#gains-plot")
    ink = page.evaluate("getComputedStyle(document.querySelector('#gains-plot .xtick text')).fill")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = [sum(map(int, re.findall(r"\d+", color)[:3])) / 3 for color in (ink, paper)]
    assert (brightness[0] > 128, brightness[1] > 128) == (light_text, not light_text)


def test_the_skip_link_is_first_and_headings_do_not_skip_a_level(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator(".expand").nth(1).click()
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((head) => Number(head.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_two_thousand_groups_open_and_sort(show: Show) -> None:
    page = show(large(2000, 1, epochs=2))
    assert page.inner_text("#shown") == "2,000 of 2,000 shown"
    _head(page, "Gain [95%]").click()
    # (number % 41 - 20) / 2000 is least at number % 41 == 0, and 41 is the first such number.
    assert page.locator("#comparison-table > .scroll > table > tbody > tr > th").first.inner_text().startswith("41_")


@pytest.mark.parametrize(("groups", "seeds"), [(2000, 1), (400, 5)])
def test_two_thousand_runs_are_rendered_fast_and_stay_under_30_mb(groups: int, seeds: int) -> None:
    data = large(groups, seeds, epochs=100)
    start = time.monotonic()
    html = render(data)
    assert time.monotonic() - start < 20
    assert len(html.encode("utf-8")) < 30e6


def test_long_curves_are_thinned_and_the_page_says_so(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    # 8 epochs, a loss and two metrics: 4 * 8 = 32 numbers, so every second is kept, and the last.
    monkeypatch.setattr(module, "MOST_CURVE_NUMBERS", 16)
    plain = group("g0", "NeuMF", "plain", 0.05)
    data = report([plain], [run(plain, 1, epochs=8)])
    assert _embedded(render(data))["runs"][0]["curves"][0]["epochs"] == [0, 2, 4, 6, 7]
    assert "One of every 2 epochs is kept" in show(data).inner_text("#curves-about")


@pytest.mark.parametrize(
    ("values", "step", "kept"),
    [([], 2, []), ([0, 1, 2], 1, [0, 1, 2]), ([0, 1, 2, 3], 2, [0, 2, 3]), ([0, 1, 2, 3, 4], 2, [0, 2, 4])],
)
def test_the_last_value_is_always_kept(values: list[int], step: int, kept: list[int]) -> None:
    assert every(values, step) == kept


def test_numbers_are_short_and_equal_environments_are_written_once() -> None:
    plain = group("g0", "NeuMF", "plain", 1 / 3, cost={"seconds": float("nan"), "cpu_s": 1, "energy_j": float("inf")})
    curves = [{"stage": "0", "epochs": [0], "losses": [[2 / 3]], "valid": {}}]
    runs = [run(plain, seed, curves=curves, environment={"python": version}) for seed, version in enumerate("aba")]
    embedded = _embedded(render(report([plain], runs)))
    assert embedded["groups"][0]["metrics"]["ndcg@10"]["mean"] == 0.333333
    assert embedded["groups"][0]["cost"] == {"seconds": None, "cpu_s": 1, "energy_j": None}
    assert embedded["runs"][0]["curves"][0]["losses"] == [[0.666667]]
    assert embedded["environments"] == [{"python": "a"}, {"python": "b"}]
    assert [one["environment"] for one in embedded["runs"]] == [0, 1, 0]


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a & b", "Ж"])
def test_embedded_text_comes_back_and_cannot_end_its_element(text: str) -> None:
    written = embeddable({"text": text})
    assert "<" not in written
    assert json.loads(written) == {"text": text}


def test_a_path_that_is_no_text_can_be_written() -> None:
    assert json.loads(embeddable("a\udcff").encode("utf-8")) == "a?"

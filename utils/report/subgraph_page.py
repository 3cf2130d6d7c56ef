"""One HTML page that shows a user's subgraphs: all of it is inside the file, nothing is fetched."""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from utils.report.page import FOLDER, embeddable
from utils.report.subgraph_picture import picture
from utils.report.subgraphs import KINDS, SubgraphPage, by_slot

STYLES = ["page.css", "subgraph.css"]
# In this order: what a file computes at once may use only what stands before it.
SCRIPTS = ["text.js", "plots.js", "labels.js", "subgraph.js"]


def render_subgraphs(page: SubgraphPage) -> str:
    """The page of one user. The tables are there without JavaScript; the picture is drawn by it."""
    drawn = picture(page.subgraphs)
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    html = environment.get_template("subgraph.html.j2").render(
        page=page,
        slots=by_slot(page.subgraphs),
        kinds=KINDS,
        counts=_counts(page, len(drawn["nodes"])),
        rated=any(item.rating is not None for item in page.history),
        style=Markup(_joined(STYLES)),
        script=Markup(_joined(SCRIPTS)),
        plotly=Markup(get_plotlyjs()),
        data=Markup(embeddable({**drawn, "kinds": KINDS})),
    )
    # A path that is not UTF-8 arrives with lone surrogates, which no file takes.
    return html.encode("utf-8", "replace").decode("utf-8")


def _counts(page: SubgraphPage, n_nodes: int) -> dict[str, str]:
    """What stands above all, as texts."""
    n = len(page.history)
    return {
        "Items of the history": f"{n:,}",
        "Asked for": f"{sum(item.kept for item in page.history):,} of {n:,}",
        "Linked to the graph": f"{sum(item.linked for item in page.history):,} of {n:,}",
        "Subgraphs": f"{len(page.subgraphs):,}",
        "Nodes in them": f"{n_nodes:,}",
    }


def _joined(names: list[str]) -> str:
    return "\n".join((FOLDER / name).read_text("utf-8") for name in names)

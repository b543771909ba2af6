"""The page of the ground truth: grid solvers and JKO solvers against closed forms and against each other.

It puts together the orders of every scheme (`orders`), manufactured solutions, the agreement of the JKO
solvers, the promises every run must keep, and what is special to `FokkerPlanck`; the page explains them and
shows three pictures.
"""

from __future__ import annotations

from pathlib import Path

from validation import agreement, finite_volumes, grid_pictures, orders, promises
from validation.claims import Subject
from validation.orders import manufactured
from validation.report import markdown_table

INTRODUCTION = """\
Other schemes of this package, and other people's, are judged by the solvers of this page, so the solvers
are judged first. Nothing here is compared with a picture from memory: every number is the distance of
computed **cell averages** to a solution known in closed form, to a spectral one, or to what another method
finds that shares nothing with it but the energy.

* **Orders.** When cells or steps are halved, the error must fall by the factor that theory gives, and be
  small at the end. The limit is the order extrapolated from the last two pairs; it must be within the stated
  distance of theory, over at least four levels, none left out, in runs in which no step was replaced by a
  safe one.
* **Manufactured solutions.** A density is chosen and the source that makes it a solution is put into the
  equation, so every term of the equation is seen alone and all of them together.
* **Agreement.** One step of minimising movements, by quantile functions, back-and-forth, Benamou-Brenier
  and entropic transport: four methods, one minimiser.
* **Promises.** Mass, falling energy, positive densities: in every run, of every scheme with cells or levels.

`python -m validation grid` measures all of it again on your machine."""


def body(folder: Path, full: bool) -> list[str]:
    """The page up to its list of claims; writes the figures."""
    pictures = {}
    for name, draw in (
        ("grid_orders.png", grid_pictures.draw_orders),
        ("grid_steps.png", grid_pictures.draw_steps),
        ("grid_plane.png", grid_pictures.draw_plane),
    ):
        shows = draw(folder / name, full)
        pictures[name] = f"![{shows}]({name})\n\n{shows}"
    head, lines = orders.table(full)
    return [
        INTRODUCTION,
        "## Orders",
        pictures["grid_orders.png"],
        markdown_table(head, lines),
        "## Manufactured solutions",
        (manufactured.__doc__ or "").split("\n\n", 1)[1].strip(),
        "Extrapolated order in space / in time (error of the finest level in space):",
        manufactured.table(full),
        "## Agreement of the JKO solvers",
        (agreement.__doc__ or "").split("\n\n", 1)[1].strip(),
        pictures["grid_steps.png"],
        *agreement.tables(),
        "Distances to the minimiser above, distances between the solvers below. h is the width of a cell; "
        "the plain entropic solver blurs by epsilon, its stated bias of order 1, the debiased one does not.",
        "## Promises",
        promises.table(),
        "## In the plane",
        pictures["grid_plane.png"],
    ]


SUBJECT = Subject(
    name="grid",
    title="Ground truth: grid and JKO solvers",
    claims=(
        *finite_volumes.CLAIMS,
        *orders.claims(),
        *agreement.CLAIMS,
        *promises.CLAIMS,
    ),
    body=body,
)

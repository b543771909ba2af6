"""The table and the picture of the README, made by the code they advertise.

`python -m validation.readme` rewrites validation/results/readme.png and the table between the markers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import wgf
from wgf.plot import style
from wgf.schemes import FokkerPlanck, Langevin

ROOT = Path(__file__).resolve().parents[1]
VIEW = (-3.0, 3.0)
BEGIN, END = "<!-- made by python -m validation.readme -->\n", "<!-- end -->"


def table() -> str:
    """The comparison a newcomer sees first."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(
        energy,
        initial=wgf.Gaussian(mean=1.5, cov=0.25),
        bounds=(-6, 6),
        exact=lambda t: wgf.Gaussian(1.5 * np.exp(-t), 1 - 0.75 * np.exp(-2 * t)),
        name="first flow",
    )
    schemes = ["fokker-planck", "quantile-jko", Langevin(particles=100_000)]
    return str(wgf.compare(problem, schemes, t_end=0.5, dt=0.02, seed=0))


def picture(path: Path) -> None:
    """Old Faithful: a Gaussian flowing onto the density of real measurements, by a PDE and by particles."""
    problem = wgf.problems.old_faithful()
    times = (0.0, 0.2, 1.0, 4.0)
    grid = wgf.solve(problem, FokkerPlanck(cells=192), t_end=times[-1], dt=0.02, save_at=list(times))
    cloud = wgf.solve(problem, Langevin(particles=2000), t_end=times[-1], dt=0.01, save_at=list(times))
    top = max(m.values.max() for m in grid.measures[1:])
    (x0, x1), (y0, y1) = problem.bounds
    levels = top * np.array([0.02, 0.1, 0.3, 0.6])
    figure, frames = style.blank(columns=len(times), rows=2, size=(11.0, 5.8), sharey=True)
    upper, lower = frames[: len(times)], frames[len(times) :]
    for above, below, t in zip(upper, lower, times, strict=True):
        density, cells = grid.at(t), grid.at(t).grid.axes
        image = above.imshow(
            density.values.T,
            origin="lower",
            extent=(x0, x1, y0, y1),
            cmap="magma",
            vmin=0,
            vmax=top,
            aspect="auto",
        )
        below.plot(*cloud.at(t).x.T, ".", ms=2.5, color=style.VERMILION, alpha=0.5, mew=0)
        below.contour(*cells, density.values.T, levels=levels, colors=style.INK, linewidths=0.8)
        above.set(title=f"t = {t:g}", xlim=VIEW, ylim=VIEW)
        below.set(xlabel="duration (standardised)")
    upper[0].set_ylabel("PDE\nwaiting (standardised)")
    lower[0].set_ylabel("particles on PDE contours\nwaiting (standardised)")
    figure.colorbar(image, ax=upper, label="density")
    style.finish(figure, str(path))


def rewrite(readme: Path, text: str) -> None:
    """Put `text` between the markers of the README."""
    page = readme.read_text(encoding="utf8")
    head, rest = page.split(BEGIN)
    tail = rest.split(END, 1)[1]
    readme.write_text(f"{head}{BEGIN}```\n{text}\n```\n{END}{tail}", encoding="utf8")


if __name__ == "__main__":
    picture(ROOT / "validation" / "results" / "readme.png")
    rewrite(ROOT / "README.md", table())

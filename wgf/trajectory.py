"""Trajectory: what came out of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from wgf import checks, storage
from wgf.errors import CheckpointError, MissingExtra, WgfError

TIME_TOLERANCE = 1e-9  # of the run's length: rounding of k * dt


@final
@dataclass(frozen=True, eq=False)
class Trajectory:
    """Saved measures of one run, with what is needed to trust and repeat it.

    times (k,): the true times of the saved measures. measures: k measures. record: name -> array with
    time first. status: "finished", "diverged", "interrupted" or "stalled". stats: totals over all steps
    (steps, dt, iterations, max_residual, fallback_steps, ...). timings: seconds of compile, step, diagnose,
    save. provenance: versions, seed, threads, git state. Made by `solve` and `load`, not by hand.
    """

    times: np.ndarray
    measures: list[Any]
    record: dict[str, np.ndarray]
    status: str
    stats: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Trajectory({self.provenance.get('scheme', '?')}, t = {self.times[0]:g} .. {self.times[-1]:g}, "
            f"{len(self.times)} saved, {self.stats.get('steps', '?')} steps, {self.status})"
        )

    @property
    def final(self) -> Any:
        """The last saved measure."""
        return self.measures[-1]

    @checks.checked(t=checks.finite)
    def at(self, t: float) -> Any:
        """The measure saved nearest to t; ValueError when that is further off than half a spacing."""
        nearest = int(np.argmin(np.abs(self.times - t)))
        gap = abs(float(self.times[nearest]) - t)
        neighbours = np.diff(self.times)[max(nearest - 1, 0) : nearest + 1]
        allowed = 0.5 * float(neighbours.max()) if neighbours.size else 0.0
        if gap > allowed + TIME_TOLERANCE * max(1.0, abs(float(self.times[-1]))):
            raise ValueError(f"t must be near a saved time, got {t:g}; saved: {self._saved()}. Use save_at=.")
        return self.measures[nearest]

    def _saved(self) -> str:
        times = [f"{t:g}" for t in self.times]
        return ", ".join(times if len(times) <= 6 else [*times[:3], "...", *times[-2:]])

    def dissipation_defect(self) -> float:
        r"""De Giorgi's certificate: 0 for the exact gradient flow, positive for every other curve.

        D = E(rho_T) - E(rho_0) + 1/2 int |rho'|^2 dt + 1/2 int |dE|^2 dt, with the metric speed and the
        slope in W2, less the work int d_t E dt of a moving V(x, t). What is computed is D up to the
        scheme's own error, of either sign: for a scheme of order p it shrinks like dt^p (and with the
        cells), a figure of trust that needs no reference solution.

        Raises WgfError when the scheme does not know its speed and slope, or they were not recorded.
        Ambrosio, Gigli, Savare, 2008, section 11.
        """
        missing = {"dissipation", "energy_start", "energy_end"} - set(self.stats)
        if missing:
            raise WgfError(
                "the dissipation defect was not recorded: solve with record=['dissipation'] and a scheme "
                "that knows its metric speed (grid and JKO schemes; not stochastic particles)."
            )
        return float(self.stats["energy_end"] - self.stats["energy_start"] + self.stats["dissipation"])

    # ----------------------------------------------------------------------------- files

    @checks.checked(path=checks.path)
    def save(self, path: str) -> None:
        """Write the trajectory to an npz file with a JSON header, atomically and without pickle."""
        storage.write(path, *self.pack())

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays of a file holding this trajectory."""
        kinds, arrays = storage.pack_measures(self.measures)
        arrays |= {f"record/{name}": value for name, value in self.record.items()}
        header = {
            name: storage.plain(getattr(self, name)) for name in ("status", "stats", "timings", "provenance")
        }
        return {**header, "kinds": kinds}, {**arrays, "times": self.times}

    @classmethod
    def unpack(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Trajectory:
        """The inverse of `pack`."""
        record = {k.removeprefix("record/"): v for k, v in arrays.items() if k.startswith("record/")}
        measures = storage.unpack_measures(header["kinds"], arrays)
        rest = {name: header[name] for name in ("status", "stats", "timings", "provenance")}
        return cls(times=arrays["times"], measures=measures, record=record, **rest)

    def to_xarray(self) -> Any:
        """An xarray.Dataset: densities over (time, x0, x1, ...), clouds over (time, particle, axis).

        Needs the extra `results`. Provenance and statistics travel as attributes.
        """
        try:
            import xarray
        except ImportError:
            raise MissingExtra("results", "xarray") from None
        kinds = {getattr(m, "kind", None) for m in self.measures}
        first = self.measures[0]
        if len(kinds) != 1 or first.kind not in ("density", "particles", "quantiles"):
            raise WgfError(
                f"to_xarray needs saved measures of one array kind, got {sorted(map(str, kinds))}."
            )
        coordinates: dict[str, Any] = {"time": self.times}
        if first.kind == "density":
            axes = [f"x{k}" for k in range(first.dimension)]
            data = {"rho": (["time", *axes], np.stack([m.values for m in self.measures]))}
            coordinates |= dict(zip(axes, first.grid.axes, strict=True))
        elif first.kind == "particles":
            data = {
                "x": (["time", "particle", "axis"], np.stack([m.x for m in self.measures])),
                "w": (["time", "particle"], np.stack([m.w for m in self.measures])),
            }
        else:
            data = {
                "edges": (["time", "edge"], np.stack([m.edges for m in self.measures])),
                "masses": (["time", "cell"], np.stack([m.masses for m in self.measures])),
            }
        for name, values in self.record.items():
            data[name] = (["time", *(f"{name}_{k}" for k in range(values.ndim - 1))], values)
        attributes = {"status": self.status, "stats": str(self.stats), "provenance": str(self.provenance)}
        return xarray.Dataset(data, coordinates, attributes)

    # ---------------------------------------------------------------------------- pictures

    @checks.checked(path=checks.optional(checks.path))
    def plot(self, path: str | None = None) -> Any:
        """A matplotlib figure of the saved measures, written to `path` when given."""
        from wgf import plot

        return plot.trajectory(self, path)

    @checks.checked(path=checks.path)
    def animate(self, path: str) -> None:
        """A GIF of the saved measures, one frame each."""
        from wgf import plot

        plot.animation(self, path)


@checks.checked(path=checks.path)
def load(path: str) -> Trajectory:
    """Read a trajectory (or a checkpoint) written by wgf; needs neither problem nor scheme.

    Raises CheckpointError naming the path when the file is missing, truncated or foreign.
    """
    header, arrays = storage.read(path)
    try:
        return Trajectory.unpack(header, arrays)
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"path {path!r} holds no trajectory that this wgf can read: {error!r}."
        ) from error

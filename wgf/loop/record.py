"""Recorder: saved measures, diagnostics per saved time, and totals over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wgf.errors import MeasureError, SchemeError

RECORDABLE = ("energy", "mass", "mean", "cov", "minimum", "dissipation")


class Recorder:
    """Keeps what `solve` was asked to keep."""

    def __init__(self, problem: Any, scheme: Any, names: Sequence[str]) -> None:
        self.problem, self.scheme, self.names = problem, scheme, tuple(names)
        self.times: list[float] = []
        self.measures: list[Any] = []
        self.values: dict[str, list[Any]] = {name: [] for name in names}
        self.totals: dict[str, Any] = {
            "iterations": 0,
            "max_residual": 0.0,
            "fallback_steps": 0,
            "substeps": 0,
            "dissipation": 0.0,
            "known": True,
            "energy_start": None,
        }

    def start(self, problem: Any, state: Any) -> None:
        """Refuse at the door what cannot be recorded for this scheme and problem."""
        measure = self.scheme.measure(problem, state)
        reasons = {name: self._refusal(name, problem, state, measure) for name in self.names}
        for name, reason in reasons.items():
            if reason is not None:
                able = [n for n in RECORDABLE if self._refusal(n, problem, state, measure) is None]
                raise SchemeError(
                    f"record cannot hold {name!r} for {type(self.scheme).__name__}: {reason} "
                    f"Can be recorded: {', '.join(able)}."
                )

    def _refusal(self, name: str, problem: Any, state: Any, measure: Any) -> str | None:
        try:
            self._value(name, problem, state, measure)
        except (MeasureError, SchemeError) as error:
            return str(error)
        return None

    def _value(self, name: str, problem: Any, state: Any, measure: Any) -> Any:
        if name == "energy":
            return self._energy(problem, state, measure)
        if name == "mass":
            return getattr(measure, "mass", 1.0)  # a user's own measure need not say it
        if name == "mean":
            return measure.mean()
        if name == "cov":
            return measure.cov()
        if name == "minimum":
            if not hasattr(measure, "values"):
                raise MeasureError("only a Density has cells.")
            return float(measure.values.min())
        if not self.problem.gradient_flow:
            raise SchemeError("a drift, a source or Ito's form makes the problem no gradient flow.")
        if not self.totals["known"]:
            raise SchemeError("the scheme does not know its metric speed and slope.")
        return self.totals["dissipation"]

    def _energy(self, problem: Any, state: Any, measure: Any) -> float:
        if hasattr(self.scheme, "energy"):
            return float(self.scheme.energy(problem, state))
        return problem.energy.value(measure)

    def count(self, problem: Any, before: Any, after: Any, info: Any, dt: float) -> None:
        """Add what one step learnt to the totals."""
        totals = self.totals
        totals["iterations"] += info.iterations
        totals["max_residual"] = max(totals["max_residual"], float(info.residual))
        totals["fallback_steps"] += not info.accepted
        totals["substeps"] += info.substeps
        totals["known"] &= "dissipation" in self.names or not self.problem.energy.time_dependent
        totals["known"] &= self.problem.gradient_flow
        if not totals["known"]:
            return
        speed, slope = info.speed_squared, info.slope_squared
        if speed is None and "dissipation" in self.names and hasattr(self.scheme, "rates"):
            speed, slope = self.scheme.rates(problem, before, after, dt)
        if speed is None or slope is None:
            totals["known"] = False
            if "dissipation" in self.names:
                raise SchemeError(
                    f"record cannot hold 'dissipation' for {type(self.scheme).__name__}: the scheme does not "
                    "know its metric speed and slope."
                )
        else:
            if totals["energy_start"] is None:
                totals["energy_start"] = self._energy(problem, before, self.scheme.measure(problem, before))
            totals["dissipation"] += 0.5 * (speed + slope) * dt - self._work(problem, before, after, dt)

    def _work(self, problem: Any, before: Any, after: Any, dt: float) -> float:
        """What a moving V(x, t) did to the energy in one step, by the trapezoidal rule; 0 for a still one."""
        if not self.problem.energy.time_dependent:
            return 0.0
        later, total = self.problem.at(problem.time + dt), 0.0
        for state in (before, after):
            measure = self.scheme.measure(problem, state)
            total += self._energy(later, state, measure) - self._energy(problem, state, measure)
        return 0.5 * total

    def save(self, problem: Any, t: float, state: Any) -> None:
        """Wrap the state as a measure and keep it with its diagnostics."""
        measure = self.scheme.measure(problem, state)
        self.times.append(t)
        self.measures.append(measure)
        for name in self.names:
            self.values[name].append(self._value(name, problem, state, measure))

    def resume(self, saved: Any, totals: dict[str, Any]) -> None:
        """Continue from a checkpoint's trajectory and totals."""
        self.times, self.measures, self.totals = list(saved.times), list(saved.measures), dict(totals)
        for name in self.names:
            if name not in saved.record:
                raise SchemeError(
                    f"record must hold what the checkpoint holds ({list(saved.record)}), got {name!r}."
                )
            self.values[name] = list(saved.record[name])

    def stats(self, state: Any) -> dict[str, Any]:
        """The totals as a trajectory shows them."""
        hidden = ("known", "dissipation", "energy_start")
        result = {k: v for k, v in self.totals.items() if k not in hidden}
        if self.totals["known"] and self.totals["energy_start"] is not None:
            problem = self.problem.at(self.times[-1])
            result["dissipation"] = self.totals["dissipation"]
            result["energy_start"] = self.totals["energy_start"]
            result["energy_end"] = self._energy(problem, state, self.scheme.measure(problem, state))
        return result | (self.scheme.stats(state) if hasattr(self.scheme, "stats") else {})

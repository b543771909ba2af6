"""Particle schemes: clouds that move. `langevin.py` the overdamped Langevin family, `walls.py` what happens
at the sides of a box.

Choices: positions are (d, n) inside a state, so that every kernel runs along contiguous memory, and
(n, d) outside; the noise is a function of (key, step, particle) and is recomputed, never stored. Turned
down: a generator in the state (its numbers would depend on the number of particles and of threads) and
silently projecting particles onto a box (the stationary law would get an atom on the boundary).
"""

from wgf.schemes.particles.langevin import Langevin

__all__ = ["Langevin"]

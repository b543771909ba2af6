"""Inner loops. One module per operation: first the plain NumPy reference (readable, slow, the truth),
then its entry in the kernel table; the compiled form lives in `cpu/` under the same module name.

Choices: numba is imported only when a kernel first runs (import of wgf stays fast and compiles
nothing); parallel loops own rows or fixed chunks, never a reduction whose order depends on the number
of threads, so results are bitwise independent of it. Turned down: a C extension (needs a compiler on
the user's machine) and numba in the reference (it must stay debuggable).
"""

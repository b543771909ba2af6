"""The numba forms of the kernels, one module per operation, named as in the room above.

Only `wgf.kernels.registry` imports these modules, on first use.
"""

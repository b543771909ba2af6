"""The numba forms of the kernels, one module per operation, named as in the room above.

Only `wgf.kernels.registry` imports these modules, on first use. Numba's cache sees changes of a module but
not of the modules it imports: after editing `fastmath.py` or `philox.py` delete the *.nbi and *.nbc files.
"""

import os

# Idle OpenMP workers would spin between the short sweeps: 60 % more CPU time on two threads, none gained.
# The OpenMP runtime reads it when numba first starts its threads, which is later than this import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""`python -m wgf` is the command `wgf`."""

from __future__ import annotations

import sys

from wgf.cli import main

sys.exit(main())

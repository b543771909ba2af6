"""The command line: `wgf list | run | compare | study | doctor`, with the words of the Python parameters.

A problem or scheme is written as its name, with settings after colons: `barenblatt:m=3`,
`fokker-planck:cells=400:time=lie`. The one spelling serves --scheme, --schemes and --reference, so two
settings of one scheme can stand in one comparison. Exit codes: 0 fine, 1 the run failed, 2 wrong usage,
3 an expectation not met, 130 interrupted, 141 nobody read the answer (as when piped into `head`).

`parsing.py` is the grammar, `words.py` reads what was typed, `commands.py` answers it, `doctor.py` looks
at the machine. argparse, because five verbs need no dependency.
"""

from __future__ import annotations

from wgf.cli.parsing import main

__all__ = ["main"]

"""The parser, and the one place where errors become exit codes and sentences."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import wgf
from wgf.cli import commands
from wgf.cli.doctor import doctor
from wgf.errors import WgfError
from wgf.studies.metrics import NAMES

NAMING = "name, or name:key=value:key=value"


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    top = argparse.ArgumentParser(prog="wgf", description="Wasserstein gradient flows, solved and checked.")
    top.add_argument("--version", action="version", version=f"wgf {wgf.__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON for machines")
    common.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="list | run | compare | study | doctor")

    listing = verbs.add_parser("list", parents=[common], help="names of problems or schemes")
    listing.add_argument("what", choices=("problems", "schemes"))
    listing.set_defaults(answer=commands.list_names)

    flow = argparse.ArgumentParser(add_help=False, parents=[common])
    flow.add_argument("problem", help=NAMING)
    flow.add_argument("--t-end", type=float, default=1.0, help="final time (default 1)")
    flow.add_argument("--dt", type=float, help="time step (default: what the scheme suggests)")
    flow.add_argument("--seed", type=int, default=0)
    flow.add_argument("--save", metavar="PATH", help="write the result there")

    run = verbs.add_parser("run", parents=[flow], help="solve one problem with one scheme")
    run.add_argument("--scheme", required=True, help=NAMING)
    run.add_argument("--save-at", type=float, help="spacing of saved times (default: the ends only)")
    run.add_argument("--record", help="diagnostics at saved times, such as energy,mass")
    run.add_argument("--plot", metavar="PATH", help="draw the saved times there")
    run.add_argument("--animate", metavar="PATH", help="write a GIF of the saved times there")
    run.add_argument("--checkpoint", metavar="PATH", help="keep the run there; the same command continues it")
    run.set_defaults(answer=commands.run)

    table = argparse.ArgumentParser(add_help=False, parents=[flow])
    table.add_argument("--seeds", type=int, help="how many seeds, from --seed on")
    table.add_argument("--reference", help=f"a scheme as reference ({NAMING}); default: the exact solution")
    table.add_argument("--metric", choices=NAMES)
    table.add_argument("--workers", type=int, help="processes to run in")

    side = verbs.add_parser("compare", parents=[table], help="several schemes on one problem")
    side.add_argument("--schemes", required=True, help=f"separated by commas, each {NAMING}")
    side.set_defaults(answer=commands.compare_schemes)

    orders = verbs.add_parser("study", parents=[table], help="one scheme over resolutions")
    orders.add_argument("--scheme", required=True, help=NAMING)
    orders.add_argument(
        "--vary", required=True, action="append", metavar="KEY=V,V,...", help="repeat to tie settings"
    )
    orders.add_argument("--aggregate", choices=("rms", "bias"), default="rms", help="over seeds")
    orders.add_argument("--expect-order", type=float, help="exit with code 3 when the order is another")
    orders.add_argument("--plot", metavar="PATH", help="draw errors and slope there")
    orders.set_defaults(answer=commands.study_scheme)

    health = verbs.add_parser("doctor", parents=[common], help="versions, threads, kernels, self-check")
    health.set_defaults(answer=doctor)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Answer the command line `words` (default: those of the process) and return the exit code."""
    try:
        code = _answer(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at its end: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return commands.UNREAD
    return code


def _answer(words: Sequence[str] | None) -> int:
    try:
        options = parser().parse_args(words)
    except SystemExit as end:  # argparse has printed its sentence: 2 for wrong usage, 0 for --help
        return int(end.code or 0)
    try:
        return options.answer(options)
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return commands.INTERRUPTED
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, ImportError, OSError) as error:
        return _report(error, options.debug, commands.USAGE)
    except WgfError as error:  # a run that diverged or stalled, a reference that failed
        return _report(error, options.debug, commands.FAILED)


def _report(error: Exception, debug: bool, code: int) -> int:
    if debug:
        raise error
    print(f"wgf: {error}", file=sys.stderr)
    return code

"""`python -m validation [names] [--full]`: measure the claims, print the verdicts, rewrite the results.

Names are subjects ("grid", "performance") or the beginning of claim names ("grid/space"); none means
every subject but `performance`, which takes minutes and wants a quiet machine. Exit code 0: every
claim held (skipped ones are named); 1: one failed; 2: wrong usage; 141: nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from validation import report
from validation.claims import FAILED, SKIPPED, Claim, Result, Subject, check, failures

EVERYDAY = ("grid", "jko", "barenblatt", "langevin", "double_well", "geyser")
SUBJECTS = (*EVERYDAY, "performance")
RESULTS = Path(__file__).parent / "results"
SUMMARY = (
    "Each row: a number that wgf gave and what is required of it; what was compared with what stands on "
    "the page of the subject, the first word of the claim's name."
)
UNREAD = 141  # what a shell reports of a program that a closed pipe ended


def load(name: str) -> Subject:
    """The subject called `name`, importing its module (and what it measures) only now."""
    return importlib.import_module(f"validation.{name}").SUBJECT


def select(names: Sequence[str]) -> list[tuple[Subject, tuple[Claim, ...]]]:
    """The subjects asked for, each with the claims to measure.

    Raises ValueError for a name that fits nothing, offering the near ones.
    """
    chosen: dict[str, tuple[Subject, tuple[Claim, ...]]] = {}
    for name in names or EVERYDAY:
        subject = name.split("/")[0]
        if subject not in SUBJECTS:
            near = difflib.get_close_matches(subject, SUBJECTS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"names must be among {', '.join(SUBJECTS)}, got {name!r}{hint}.")
        found = load(subject)
        claims = tuple(c for c in found.claims if c.name.startswith(name) or "/" not in name)
        if not claims:
            known = ", ".join(claim.name for claim in found.claims)
            raise ValueError(f"no claim begins with {name!r}; there are {known}.")
        earlier = chosen[subject][1] if subject in chosen else ()
        chosen[subject] = (found, tuple(c for c in found.claims if c in earlier or c in claims))
    return list(chosen.values())


def measure(claims: Sequence[Claim], table: report.SummaryTable, full: bool) -> list[Result]:
    """Measure the claims one after the other, printing each row as soon as it is known."""
    results = []
    for claim in claims:
        result = check(claim, full)
        print(table.row(result), flush=True)
        results.append(result)
    return results


def write(
    subject: Subject, results: Sequence[Result], command: str, full: bool, folder: Path = RESULTS
) -> None:
    """Rewrite the page and the figures of one subject; what needs a measurement that broke is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = not any(result.verdict == FAILED and result.measured is None for result in results)
    if subject.body:
        body = subject.body(folder, full) if whole else []
        (folder / f"{subject.name}.md").write_text(report.own_page(subject.title, command, body, results))
        return
    sections = subject.sections(full) if subject.sections and whole else []
    figures = []
    found = report.ladders(results)
    if found:
        figures.append((f"{subject.name}.png", "Errors over the step, each with its observed order."))
        report.plot_ladders(folder / figures[0][0], subject.title, found)
    if subject.draw and whole:
        figures += subject.draw(folder, full)
    page = report.subject_page(subject.title, command, results, sections, figures)
    (folder / f"{subject.name}.md").write_text(page)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(prog="python -m validation", description=(__doc__ or "").split("\n")[0])
    words.add_argument("names", nargs="*", help=f"of {', '.join(SUBJECTS)}, or beginnings of claim names")
    words.add_argument("--full", action="store_true", help="more levels, more seeds, larger sizes")
    words.add_argument("--list", action="store_true", help="name the claims and what they require")
    words.add_argument("--gpu", action="store_true", help="the claims about a GPU: this version makes none")
    words.add_argument("--results", type=Path, default=RESULTS, help="folder of the pages and figures")
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    asked = parser().parse_args(arguments)
    if asked.gpu:
        print("This version makes no claim about a GPU: nothing to measure.")
        return 0
    os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars of inner runs would cut the table in two
    try:
        chosen = select(asked.names)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    claims = [claim for _, part in chosen for claim in part]
    table = report.SummaryTable(claims)
    if asked.list:
        for claim in claims:
            print(f"{claim.name:{table.name}}  {claim.required}  {claim.what}"[: report.WIDTH])
        return 0
    command = " ".join(["python -m validation", *asked.names, *(["--full"] if asked.full else [])])
    start = time.perf_counter()
    print(table.header, flush=True)
    results: list[Result] = []
    pages: list[tuple[Subject, list[Result]]] = []
    for subject, part in chosen:
        done = measure(part, table, asked.full)
        results += done
        if part == subject.claims:  # a page is never written from part of its claims
            pages.append((subject, done))
    for subject, done in pages:
        write(subject, done, command, asked.full, asked.results)
    if [subject.name for subject, _ in pages] == list(EVERYDAY):
        lines = [table.header, *(table.row(result) for result in results)]
        text = f"{report.heading('All claims', command)}\n{SUMMARY}\n\n```\n" + "\n".join(lines) + "\n```\n"
        (asked.results / "summary.md").write_text(text)
    return conclude(results, time.perf_counter() - start)


def conclude(results: Sequence[Result], seconds: float) -> int:
    """Print why claims failed or were skipped and the count; returns the exit code."""
    for result in results:
        if result.note:
            print(f"{result.claim.name}: {result.verdict}: {result.note}")
    lost, skipped = failures(results), [result for result in results if result.verdict == SKIPPED]
    held = len(results) - len(lost) - len(skipped)
    count = f"{held} of {len(results)} claims held, {len(lost)} failed, {len(skipped)} skipped"
    print(f"\n{count}, {seconds:.0f} s.")
    return 1 if lost else 0


def run() -> int:
    """`main`, ending quietly when the reader of its output has left (`| head`)."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at its end: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return code


if __name__ == "__main__":
    sys.exit(run())

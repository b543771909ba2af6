"""Columns of a data file: what the problems made from measurements read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import CheckpointError

Table = dict[str, list[str]]


def _columns(name: str, value: Any, sizes: checks.Sizes) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise checks.refuse(name, "a list of column names", value, TypeError)
    if not value:
        raise ValueError(f"{name} must name at least one column, got {value!r}.")
    return [checks.text(f"{name}[{k}]", word) for k, word in enumerate(value)]


columns_kind = checks.Kind(
    "a list of column names", _columns, (5, "duration", checks.NAN, [], [1], [None], [["a"]])
)


def read_table(path: str) -> Table:
    """The columns of a comma-separated file with a header line, as words, by their stripped names."""
    try:
        with open(path, newline="", encoding="utf8") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"path {path!r} could not be read: {error}") from None
    if len(rows) < 2:
        raise ValueError(f"path must be a file with a header and at least one row, got {path!r}.")
    header = [word.strip() for word in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise ValueError(
                f"path {path!r} must have {len(header)} columns in every row, got {len(row)} in row {number}."
            )
    return {name: [row[k].strip() for row in rows[1:]] for k, name in enumerate(header)}


def _column(table: Table, name: str, argument: str) -> list[str]:
    if name not in table:
        raise ValueError(f"{argument} must be among {list(table)}, got {name!r}.")
    return table[name]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_numbers(path: str, columns: Sequence[str] | None = None, without: str | None = None) -> np.ndarray:
    """(n, d) numbers: the named columns, by default all that hold numbers except `without`."""
    table = read_table(path)
    if columns is None:
        columns = [name for name, words in table.items() if name != without and all(map(_is_number, words))]
    if not columns:
        raise ValueError(f"columns must name at least one column of numbers of {path!r}, which has none.")
    values = []
    for name in columns:
        words = _column(table, name, "columns")
        wrong = next((k for k, word in enumerate(words) if not _is_number(word)), None)
        if wrong is not None:
            raise ValueError(f"columns must hold numbers, got {words[wrong]!r} in {name!r}, row {wrong + 2}.")
        values.append([float(word) for word in words])
    result = np.array(values).T
    if not np.isfinite(result).all():
        row, k = np.argwhere(~np.isfinite(result))[0]
        raise ValueError(f"columns must be finite, got {result[row, k]} in {columns[k]!r}, row {row + 2}.")
    return result


def read_label(path: str, label: str) -> np.ndarray:
    """(n,) zeros and ones from a column of two different numbers or words, in sorted order."""
    words = _column(read_table(path), label, "label")
    kinds = sorted(set(words), key=float) if all(map(_is_number, words)) else sorted(set(words))
    if len(kinds) != 2:
        raise ValueError(f"label must be a column of two different values, got {len(kinds)} in {label!r}.")
    return np.array([float(kinds.index(word)) for word in words])


def standardised(x: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1; a constant column has none and is refused."""
    spread = x.std(axis=0)
    if (spread == 0).any():
        raise ValueError(f"columns must vary, got a constant in position {int(np.argmin(spread))}.")
    return (x - x.mean(axis=0)) / spread

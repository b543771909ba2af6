"""Files: npz arrays with a JSON header, written atomically, read without pickle.

A file holds the saved measures (kind + arrays), the record and, in a checkpoint, the last state. It is
written to a temporary file in the same folder, flushed to the disk, then renamed over the old one, so a
kill at any moment leaves the old file or the new one, never half of either.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from wgf.errors import CheckpointError
from wgf.measures import KINDS

FORMAT = "wgf-trajectory"
VERSION = 1


def write(path: str, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write header and arrays to `path` (npz) atomically; CheckpointError naming the path on failure."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    text = json.dumps({"format": FORMAT, "version": VERSION, **header})
    try:
        with open(temporary, "wb") as stream:
            np.savez(stream, header=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # pyright: ignore
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"path {path!r} could not be written: {error}. Choose a writable folder."
        ) from error


def read(path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file written by `write`; CheckpointError naming the path otherwise."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise CheckpointError(f"path {path!r} is not a readable wgf file: {error}.") from error
    if "header" not in arrays:
        raise CheckpointError(f"path {path!r} is an npz file, but not one of wgf (it has no header).")
    try:
        header = json.loads(arrays.pop("header").tobytes().decode())
    except ValueError:
        header = {}
    if not isinstance(header, dict):
        header = {}
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise CheckpointError(
            f"path {path!r} has format {header.get('format')!r} version {header.get('version')!r}; "
            f"this wgf reads {FORMAT!r} version {VERSION}."
        )
    return header, arrays


def remove_stale(path: str) -> None:
    """Delete temporary files a killed run left beside `path`."""
    target = Path(path)
    for stale in target.parent.glob(f".{target.name}.*.tmp"):
        stale.unlink(missing_ok=True)


def pack_measures(measures: list[Any]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Kinds and arrays of saved measures; CheckpointError for a kind of the user's own."""
    kinds, arrays = [], {}
    for i, measure in enumerate(measures):
        if getattr(measure, "kind", None) not in KINDS:
            raise CheckpointError(
                f"a {type(measure).__name__} cannot be saved: files hold {', '.join(KINDS)}. "
                "Return one of these from the scheme's `measure`."
            )
        kinds.append(measure.kind)
        arrays |= {f"measure/{i}/{name}": value for name, value in measure.arrays().items()}
    return kinds, arrays


def unpack_measures(kinds: list[str], arrays: dict[str, np.ndarray]) -> list[Any]:
    """The inverse of `pack_measures`."""
    grouped: list[dict[str, np.ndarray]] = [{} for _ in kinds]
    for key, value in arrays.items():
        if key.startswith("measure/"):
            _, i, name = key.split("/")
            grouped[int(i)][name] = value
    return [KINDS[kind].from_arrays(group) for kind, group in zip(kinds, grouped, strict=True)]


def pack_state(state: Any) -> dict[str, np.ndarray]:
    """The fields of a scheme's state."""
    return {f"state/{name}": np.asarray(value) for name, value in state._asdict().items()}


def unpack_state(template: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A state of the template's type from its packed fields; numbers come back as numbers."""
    values = []
    for name, example in template._asdict().items():
        value = arrays[f"state/{name}"]
        values.append(value if isinstance(example, np.ndarray) else value.item())
    return type(template)(*values)


def plain(value: Any) -> Any:
    """`value` with NumPy numbers and arrays as what JSON knows."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value

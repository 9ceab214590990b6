"""Where models are read from and references are written to, and how references are written.

Models: $ASSAY_MODELS/NAME (default ~/.cache/assay/models), as `models/fetch NAME` leaves them.
References: $ASSAY_REFERENCE/NAME (default ~/.cache/assay/reference), never committed.

A reference is one file `reference.safetensors`: 8 bytes of header length as u64, a JSON header that gives each
tensor's type (U8, U32, F32), shape and place, then the tensors, all little-endian and row by row
(https://github.com/huggingface/safetensors, "Format"). The header's `__metadata__` has strings: programs and their
versions, SHA-256 of the model's files, what was measured. A list of rows of different lengths is two tensors: `NAME`,
the rows one after the other, and `NAME.offsets` U32 [rows + 1], where each begins and the last one ends.
"""
import hashlib
import os
import pathlib
import platform

import numpy
from safetensors.numpy import save_file

CACHE = pathlib.Path.home() / ".cache/assay"
MODELS = pathlib.Path(os.environ.get("ASSAY_MODELS", CACHE / "models"))
REFERENCES = pathlib.Path(os.environ.get("ASSAY_REFERENCE", CACHE / "reference"))


def ragged(name, rows, dtype):
    """The two tensors of a list of rows of different lengths."""
    offsets = numpy.cumsum([0, *map(len, rows)]).astype(numpy.uint32)
    return {name: numpy.concatenate([numpy.asarray(row, dtype) for row in rows]), f"{name}.offsets": offsets}


def texts(name, strings):
    """Strings, in UTF-8, as a ragged list of bytes."""
    return ragged(name, [numpy.frombuffer(s.encode(), numpy.uint8) for s in strings], numpy.uint8)


def write(name, tensors, files, **metadata):
    """Writes a reference made from `files` of the model `name`."""
    import torch
    import transformers

    folder = REFERENCES / name
    folder.mkdir(parents=True, exist_ok=True)
    described = {f"sha256.{file}": hashlib.sha256((MODELS / name / file).read_bytes()).hexdigest() for file in files}
    described |= {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__,
                  "transformers": transformers.__version__}
    described |= {key: str(value) for key, value in metadata.items()}
    tensors = {key: numpy.ascontiguousarray(value) for key, value in tensors.items()}
    path = folder / "reference.safetensors"
    save_file(tensors, path, described)
    print(f"{path}: {path.stat().st_size} bytes")
    for key, value in tensors.items():
        print(f"  {key} {value.dtype} {list(value.shape)}")
    for key, value in metadata.items():
        print(f"  {key}: {value}")

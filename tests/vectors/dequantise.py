#!/usr/bin/env python3
"""Makes dequantise.json: blocks of every encoding that is imported, and the f32 each stands for.

The values are those of the `gguf` package of llama.cpp (numpy, in f32). Besides random bytes there
are blocks with the extremes. Scales are finite: weights that are not are refused.

    python3 -m venv VENV && VENV/bin/pip install gguf==0.19.0
    VENV/bin/python tests/vectors/dequantise.py
"""
import json
import pathlib

import gguf
import numpy
from gguf import GGMLQuantizationType as Kind

HERE = pathlib.Path(__file__).resolve().parent
# Encoding and where in a block the f16 are.
KINDS = [
    (Kind.F32, []), (Kind.F16, [0]), (Kind.BF16, []),
    (Kind.Q4_0, [0]), (Kind.Q4_1, [0, 2]), (Kind.Q5_0, [0]), (Kind.Q5_1, [0, 2]), (Kind.Q8_0, [0]),
    (Kind.Q4_K, [0, 2]), (Kind.Q5_K, [0, 2]), (Kind.Q6_K, [208]),
]
HALVES = [0.013427734, -1.0, 65504.0, 2.0**-24, -(2.0**-14) + 2.0**-24, 0.0, -0.0, 0.33325195]


def main():
    random = numpy.random.default_rng(20)
    rows = []
    for kind, halves in KINDS:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = 64 if elements == 1 else 5
        data = random.integers(0, 256, (blocks, size), dtype=numpy.uint8)
        if elements > 1:
            data[-2], data[-1] = 255, 0
        for block, row in enumerate(data):
            for place, at in enumerate(halves):
                half = numpy.float16(HALVES[(block + 3 * place) % len(HALVES)])
                row[at:at + 2] = numpy.frombuffer(half.tobytes(), numpy.uint8)
            # Floats that are not finite become finite.
            if kind == Kind.F32:
                row[3] &= 0xBF
            if kind == Kind.BF16:
                row[1] &= 0xBF
        if kind in (Kind.F32, Kind.F16):
            values = data.reshape(-1).view(numpy.float32 if kind == Kind.F32 else numpy.float16).astype(numpy.float32)
        else:
            values = gguf.dequantize(data.reshape(-1), kind)
        assert numpy.isfinite(values).all() and values.size == blocks * elements
        bits = values.astype(numpy.float32).reshape(-1).view(numpy.uint32)
        rows.append({"gguf": int(kind), "name": kind.name, "bytes": data.reshape(-1).tolist(), "values": bits.tolist()})
    head = {"made_by": "tests/vectors/dequantise.py", "programs": {"gguf": "0.19.0", "numpy": numpy.__version__}}
    lines = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows)
    (HERE / "dequantise.json").write_text(f"{json.dumps(head, indent=1)[:-2]},\n \"encodings\": [\n{lines}\n ]\n}}\n")


if __name__ == "__main__":
    main()

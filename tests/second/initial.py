"""What parameters begin as: docs/exact/training.md."""

import numpy as np

from scalars import F32, U32, U64, cos_turn, ln, philox

UNIT = F32(2.0**-24)


def _words(seed, parameter, count):
    position = np.arange(count, dtype=U64)
    counter = (np.full(count, parameter), position, np.zeros(count), np.full(count, 2**32 - 1))
    x = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return x[0] >> U64(8), x[1].astype(U32)


def uniform(seed, parameter, count, bound):
    """Elements of parameter number `parameter`, within ±bound."""
    high, _ = _words(seed, parameter, count)
    return (high.astype(F32) * UNIT * F32(2) - F32(1)) * F32(bound)


def normal(seed, parameter, count, deviation):
    high, turn = _words(seed, parameter, count)
    u = (high + U64(1)).astype(F32) * UNIT
    return (np.sqrt(ln(u) * F32(-2)) * cos_turn(turn)) * F32(deviation)

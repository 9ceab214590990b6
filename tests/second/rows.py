"""Rows and products of docs/exact/arithmetic.md: magnitudes, sums, classes of integers, accumulators."""

import numpy as np

from scalars import F32, I64, U32, bits, floats, from_i64, pow2, rne

LEAST, INFINITE, OPERAND = 0x0F800000, 0x7F800000, 0x5F800000
INT8, INT16, INT24 = 0, 1, 2
DIGITS = {INT8: 1, INT16: 2, INT24: 3}
FRACTION = {INT16: 14, INT24: 22}
LIMIT = {INT8: 127, INT16: 2**14, INT24: 2**22}
EXACT = 2**53  # below it binary64 has every integer, so a product of matrices of integers is exact in any order


class Fault(Exception):
    """An operator fails."""


def require(holds, why):
    if not np.all(holds):
        raise Fault(why)


# Magnitudes


def magnitude(x):
    b = (bits(x) & U32(0x7FFFFFFF)).max(axis=-1, initial=LEAST)
    require(b < INFINITE, "an element is not finite")
    return floats(b)


def check(m, below=INFINITE):
    b = bits(m)
    require((b >= LEAST) & (b < below), "no magnitude")


def check_row(x, m, below=INFINITE):
    check(m, below)
    require(np.abs(x) <= m[..., None], "an element is above its row's magnitude")


def exponent(m):
    return (bits(m) >> U32(23)).astype(I64) - 126


def scale(m):
    return m / F32(127)


# Sums


def row_sum(x, m):
    check_row(x, m)
    require(x.shape[-1] <= 2**23, "a row is too long")
    e = exponent(m)
    q = rne(x * pow2(30 - e)[..., None]).astype(I64)
    return from_i64(q.sum(axis=-1)) * pow2(e - 30)


def quantise_column(x, m):
    """Integers of a sum over a column, for x [C, T] and m [C]."""
    check_row(x, m)
    e = exponent(m)
    return rne((x * pow2(30 - e)[..., None]) * F32(2**10)).astype(I64)


def column_sum(total, m):
    e = exponent(m)
    return (from_i64(total) * F32(2.0**-10)) * pow2(e - 30)[..., None]


def weight_sum(w, b):
    require((w >= 0) & (w <= 1), "no weight")
    q = rne(w * F32(2.0**b)).astype(I64)
    return from_i64(q.sum(axis=-1)) * F32(2.0**-b)


# Products


def quantise(x, m, kind):
    """Rows of floats as integers (I64) of a class."""
    check_row(x, m, OPERAND)
    if kind == INT8:
        return rne(x / scale(m)[..., None]).astype(I64)
    return rne(x * pow2(FRACTION[kind] - exponent(m))[..., None]).astype(I64)


def digits(q, count):
    """The digits of integers, the most significant first."""
    found = []
    for _ in range(count):
        d = ((q + 128) & 255) - 128
        q = (q - d) >> 8
        found.insert(0, d)
    require(q == 0, "an integer is outside of its class")
    return found


def factors(q, kind, other, is_left):
    """What an operand brings into its product with one of class `other`: matrices of binary64 with their largest
    elements. The accumulator is the sum of the products of the left ones with the right ones."""
    count, others = DIGITS[kind], DIGITS[other]
    if min(count, others) == 1:
        parts = [q]  # nothing is dropped, and the digits weigh what they do in the integers
    elif is_left:
        parts = digits(q, count)
    else:
        # For digit i of the left operand all digits j with i + j < S, as heavy as they are in the sum.
        s, own = max(count, others), digits(q, count)
        parts = [sum(d << (8 * (s - 1 - i - j)) for j, d in enumerate(own) if i + j < s) for i in range(others)]
    return [(part.astype(np.float64), int(np.abs(part).max(initial=1))) for part in parts]


def accumulate(left, right):
    """acc of all pairs of rows of a [.., M, K] and b [.., N, K], by their factors."""
    acc = 0
    for (a, most_a), (b, most_b) in zip(left, right, strict=True):
        step = max(1, EXACT // (most_a * most_b) - 1)  # so many terms stay exact
        for start in range(0, max(1, a.shape[-1]), step):
            part = slice(start, start + step)
            acc = acc + (a[..., part] @ np.swapaxes(b[..., part], -1, -2)).astype(I64)
    return acc


def finish(acc, kind_a, m_a, kind_b, m_b):
    """The product out of acc [.., M, N]; m_a [.., M] and m_b [.., N], or None."""
    least = min(DIGITS[kind_a], DIGITS[kind_b])
    y = from_i64(acc)
    if kind_a in FRACTION:
        e = 0 if m_a is None else exponent(m_a)[..., :, None]
        y = y * pow2(e - FRACTION[kind_a] + 8 * (least - 1))
    if kind_b in FRACTION:
        e = 0 if m_b is None else exponent(m_b)[..., None, :]
        y = y * pow2(e - FRACTION[kind_b])
    if kind_a == INT8 and m_a is not None:
        y = y * scale(m_a)[..., :, None]
    if kind_b == INT8 and m_b is not None:
        y = y * scale(m_b)[..., None, :]
    return y

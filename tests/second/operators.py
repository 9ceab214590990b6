"""The operators of docs/exact/operators.md, each over whole tensors.

A tensor is a numpy array of float32, int8, int16, uint32 or uint64. A step is the pair L, P. A dimension is
(constant, l, p). Operators are called as the table there has them, with parameters in the order of the encoding.
"""

import math
from typing import NamedTuple

import numpy as np

import rows
import scalars
from rows import Fault, require
from scalars import F32, I64, U32, U64


class Step(NamedTuple):
    """The number of the step's tokens, and that of the steps before."""

    length: int
    position: int


class Dim(NamedTuple):
    """constant + length * L + position * P."""

    constant: int
    length: int
    position: int

    def at(self, step):
        return self.constant + self.length * step.length + self.position * step.position


class Coordinate(NamedTuple):
    """(offset + sum of factor * coordinate of the output) / divisor."""

    offset: Dim
    terms: tuple
    divisor: int


class Side(NamedTuple):
    """How an operand enters a product."""

    kind: int
    scaled: bool


UNARY = [
    scalars.neg,
    np.abs,
    np.sqrt,
    scalars.exp,
    scalars.ln,
    scalars.tanh,
    scalars.erf,
    scalars.sigmoid,
    scalars.silu,
    scalars.silu_derivative,
    scalars.gelu,
    scalars.gelu_derivative,
    scalars.gelu_tanh,
    scalars.gelu_tanh_derivative,
    scalars.relu,
    scalars.rne,
    scalars.floor,
    lambda x: scalars.pow2(np.clip(rows.exponent(x), -126, 127)),
]
BINARY = [np.add, np.subtract, np.multiply, np.divide, scalars.maximum, scalars.minimum]
COMPARE = [np.less, np.equal]
CAUSAL = 1

# Elements by themselves


def map_(step, inputs, nodes):
    shape = np.broadcast_shapes(*(x.shape for x in inputs))
    values = []
    for node in nodes:
        tag, *rest = node
        if tag == 0:
            value = inputs[rest[0]].astype(F32)
        elif tag == 1:
            value = np.asarray(scalars.constant(rest[0]))
        elif tag == 2:
            value = np.arange(shape[-1 - rest[0]]).astype(F32).reshape((-1,) + (1,) * rest[0])
        elif tag == 3:
            value = UNARY[rest[0]](values[rest[1]])
        elif tag == 4:
            value = BINARY[rest[0]](values[rest[1]], values[rest[2]])
        else:
            compare, a, b, yes, no = rest
            value = np.where(COMPARE[compare](values[a], values[b]), values[yes], values[no])
        values.append(value)
    return np.broadcast_to(values[-1], shape)


def view(step, inputs, shape, coordinates):
    (x,) = inputs
    shape = tuple(dim.at(step) for dim in shape)
    places, inside = [], True
    for size, (offset, terms, divisor) in zip(x.shape, coordinates, strict=True):
        place = np.full((1,) * len(shape), offset.at(step), I64)
        for dimension, factor in terms:
            axis = [1] * len(shape)
            axis[dimension] = -1
            place = place + factor * np.arange(shape[dimension], dtype=I64).reshape(axis)
        inside = inside & (place % divisor == 0) & (place >= 0) & (place < size * divisor)
        places.append(np.clip(place // divisor, 0, max(size - 1, 0)))
    if 0 in x.shape:
        return np.zeros(shape, x.dtype)
    found = np.broadcast_to(x[tuple(places)], shape)
    return np.where(inside, found, x.dtype.type(0))


def reshape(step, inputs, shape):
    return inputs[0].reshape([dim.at(step) for dim in shape])


def concat(step, inputs, axis):
    return np.concatenate(inputs, axis=inputs[0].ndim - 1 - axis)


# Reductions of rows


def _counts(step, x, visible):
    """Whether each element counts, to be broadcast."""
    if visible != CAUSAL:
        return np.True_
    row = np.arange(x.shape[-2])[:, None]
    return np.arange(x.shape[-1])[None, :] < step.position + row + 1


def magnitude(step, inputs):
    return rows.magnitude(inputs[0])


GROUP = 2_048


def _largest(x, counts):
    """The largest of those that count in each row, and its index; group by group, for the sake of NaN."""
    best = place = None
    counts = np.broadcast_to(counts, x.shape)
    for start in range(0, x.shape[-1], GROUP):
        part, counted = x[..., start : start + GROUP], counts[..., start : start + GROUP]
        values = np.where(counted & ~np.isnan(part), part, F32(-np.inf))
        at = values.argmax(axis=-1)
        value = np.where(np.isnan(part[..., 0]), part[..., 0], values.max(axis=-1))
        value = np.where(counted[..., 0], value, x[..., 0])  # of a group of which none counts
        if best is None:
            best, place = value, at
        else:
            greater = value > best
            best, place = np.where(greater, value, best), np.where(greater, start + at, place)
    require(np.isfinite(best), "the largest is not finite")
    return best + F32(0), place.astype(U32)


def maximum(step, inputs, visible):
    return _largest(inputs[0], _counts(step, inputs[0], visible))[0]


def arg_max(step, inputs):
    return _largest(inputs[0], np.True_)[1]


def sum_(step, inputs):
    return rows.row_sum(*inputs)


def weights(step, inputs, visible):
    x, t = inputs
    return np.where(_counts(step, x, visible), scalars.exp(x - t[..., None]), F32(0))


def weight_sum(step, inputs, b):
    return rows.weight_sum(inputs[0], b)


def quantise(step, inputs, kind):
    type_ = np.int8 if kind == rows.INT8 else np.int16
    if inputs[0].size == 0:
        return np.zeros(inputs[0].shape, type_)
    return rows.quantise(*inputs, kind).astype(type_)


# Products


# Elements of a row that share a multiplier.
BLOCK = 32

_REMEMBERED = {}


def remember(weight):
    """Keeps what products make of a weight from one step to the next. For speed only."""
    _REMEMBERED[id(weight)] = weight, {}


def _factors(x, m, kind, other, is_left, multipliers=None):
    if x.dtype == F32:
        return rows.factors(rows.quantise(x, m, kind), kind, other, is_left)
    if m is not None:
        rows.check(m, rows.OPERAND)
    _, known = _REMEMBERED.get(id(x), (x, {}))
    if other not in known:
        q = x.astype(I64)
        require(np.abs(q) <= rows.LIMIT[kind], "an integer is outside of its class")
        if multipliers is not None:
            c = multipliers.astype(I64)
            require(np.abs(c) <= rows.LIMIT[rows.INT16], "a multiplier is outside of its class")
            q = q * np.repeat(c, BLOCK, axis=-1)
        known[other] = rows.factors(q, kind, other, is_left)
    return known[other]


def product(step, inputs, side_a, side_b):
    a, b, *magnitudes = inputs
    shape = a.shape[:-1] + b.shape[-2:-1]
    if 0 in shape:
        return np.zeros(shape, F32)
    m_a = magnitudes.pop(0) if side_a.scaled else None
    m_b = magnitudes.pop(0) if side_b.scaled else None
    left = _factors(a, m_a, side_a.kind, side_b.kind, True)
    multipliers = magnitudes.pop(0) if magnitudes else None
    right = _factors(b, m_b, side_b.kind, side_a.kind, False, multipliers)
    # Parts of a that share a part of b lie next to each other.
    parts_b = math.prod(b.shape[:-2])
    shared = math.prod(a.shape[:-2]) // parts_b
    left = [(q.reshape(parts_b, shared, *a.shape[-2:]), most) for q, most in left]
    right = [(q.reshape(parts_b, 1, *b.shape[-2:]), most) for q, most in right]
    acc = rows.accumulate(left, right)
    m_a = m_a if m_a is None else m_a.reshape(parts_b, shared, a.shape[-2])
    m_b = m_b if m_b is None else m_b.reshape(parts_b, 1, b.shape[-2])
    return rows.finish(acc, side_a.kind, m_a, side_b.kind, m_b).reshape(shape)


# Tables, positions


def _index(indices, below):
    require(indices < below, "an index is behind the end")
    return indices.astype(I64)


def lookup(step, inputs):
    table, indices = inputs
    if 0 in table.shape[1:]:
        return np.zeros(indices.shape + table.shape[1:], table.dtype)
    return table[_index(indices, table.shape[0])]


def pick(step, inputs):
    x, indices = inputs
    return np.take_along_axis(x, _index(indices, x.shape[-1])[..., None], axis=-1)[..., 0]


def scatter(step, inputs, count):
    x, m, indices = inputs
    total = np.zeros((count.at(step), x.shape[0]), I64)
    if total.size == 0:
        return total.T.astype(F32)
    np.add.at(total, _index(indices, count.at(step)), rows.quantise_column(x, m).T)
    return rows.column_sum(total.T, m)


def rotate(step, inputs, axis, inverse):
    x, frequencies = inputs
    half = x.shape[-1] // 2
    along = x.ndim - 1 - axis
    places = np.arange(x.shape[along], dtype=U64).reshape([-1 if i == along else 1 for i in range(x.ndim)])
    first, second = x[..., :half], x[..., half:]

    def turned(places, sign, own, other):
        phase = (((U64(step.position) + places) * frequencies) >> U64(32)).astype(U32)  # products wrap at 2^64
        sine, cosine = scalars.sin_turn(phase), scalars.cos_turn(phase)
        if inverse:
            sine = scalars.neg(sine)
        return own * cosine - other * sine if sign < 0 else own * cosine + other * sine

    # Both elements of a pair have a position of their own, which is another one if it counts along the row.
    low, high = (places[..., :half], places[..., half:]) if axis == 0 else (places, places)
    return np.concatenate([turned(low, -1, first, second), turned(high, 1, second, first)], axis=-1)


# Drawing a token


def chance(step, inputs):
    y, t = inputs
    w = scalars.exp(y - t[..., None])
    require(w <= 1, "a score is above the maximum")
    return scalars.rne(w * F32(2.0**30)).astype(U32)


def _order(y):
    """Indices, the highest score first, of equal scores the lowest index, and last what is no number, which nothing
    precedes."""
    return np.argsort(-y, axis=-1, kind="stable")


def rank(step, inputs):
    order = _order(inputs[0])
    ranks = np.empty(order.shape, U32)
    np.put_along_axis(ranks, order, np.arange(order.shape[-1], dtype=U32)[(None,) * (order.ndim - 1)], axis=-1)
    return np.where(np.isnan(inputs[0]), U32(0), ranks)


def mass(step, inputs):
    y, w = inputs
    order = _order(y)
    sorted_w = np.take_along_axis(w, order, axis=-1).astype(U64)
    masses = np.empty(w.shape, U64)
    np.put_along_axis(masses, order, np.cumsum(sorted_w, axis=-1, dtype=U64) - sorted_w, axis=-1)
    return np.where(np.isnan(y), U64(0), masses)


def keep_ranks(step, inputs):
    w, ranks, k = inputs
    k = k[..., None]
    return np.where((k == 0) | (ranks < k), w, U32(0))


def keep_mass(step, inputs):
    w, masses, totals, p = inputs
    left = masses.astype(object) * 2**16
    right = p.astype(object) * totals.astype(object)
    return np.where(np.asarray(left < np.asarray(right)[..., None], bool), w, U32(0))


def total(step, inputs):
    return inputs[0].sum(axis=-1, dtype=U64)


def draw(step, inputs):
    w, totals, r = inputs
    running = np.cumsum(w, axis=-1, dtype=U64)
    bound = (r.astype(object) * totals.astype(object)) // 2**64
    beyond = running > np.asarray(bound, dtype=U64)[..., None]
    require(beyond.any(axis=-1), "nothing to draw from")
    return beyond.argmax(axis=-1).astype(U32)


def random(step, inputs, stream):
    seed, sequences = inputs
    seed = int(seed)
    counter = (sequences, np.full(sequences.shape, step.position + step.length), np.zeros(sequences.shape), U64(stream))
    x = scalars.philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return x[0] | (x[1] << U64(32))


def count(step, inputs, rows_):
    size = rows_.at(step)
    if size == 0:
        return np.zeros(0, U32)
    return np.bincount(_index(inputs[0], size), minlength=size).astype(U32)


# By the byte of the encoding.
OPERATORS = [
    map_,
    view,
    reshape,
    concat,
    magnitude,
    maximum,
    arg_max,
    sum_,
    weights,
    weight_sum,
    quantise,
    product,
    lookup,
    pick,
    scatter,
    rotate,
    chance,
    rank,
    mass,
    keep_ranks,
    keep_mass,
    total,
    draw,
    random,
    count,
]


COPIES = (view, reshape, concat, lookup)


def run(step, operator, inputs):
    """The operator's output; raises Fault."""
    tag, *parameters = operator
    y = np.asarray(OPERATORS[tag](step, inputs, *parameters))
    if y.dtype == F32 and OPERATORS[tag] not in COPIES:
        require(np.isfinite(y), "an element is not finite")
    return y

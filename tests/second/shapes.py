"""What an operator's output is without computing it, and the work units of a step: operators.md and programs.md."""

import math

import numpy as np

import operators as op
from program import DTYPES, HANDED_ON, OPERATOR, shape_of
from rows import DIGITS, INT8

F32, I8, I16, U32, U64 = range(5)
MOST = 2**64 - 1
MAX_BYTES = 256 << 20

# Types of outputs that have an element for each row of the first input, and for each of its elements.
BY_ROW = {
    op.magnitude: F32,
    op.maximum: F32,
    op.arg_max: U32,
    op.sum_: F32,
    op.weight_sum: F32,
    op.pick: F32,
    op.total: U64,
    op.draw: U32,
}
BY_ELEMENT = {
    op.weights: F32,
    op.rotate: F32,
    op.chance: U32,
    op.rank: U32,
    op.mass: U64,
    op.keep_ranks: U32,
    op.keep_mass: U32,
}


def output(operator, inputs, step):
    """Type and shape of the output, for inputs (type, shape)."""
    function, parameters = op.OPERATORS[operator[0]], operator[1:]
    type_, shape = inputs[0] if inputs else (F32, ())
    if function in BY_ROW:
        return BY_ROW[function], shape[:-1]
    if function in BY_ELEMENT:
        return BY_ELEMENT[function], shape
    if function is op.map_:
        return F32, np.broadcast_shapes(*(shape for _, shape in inputs))
    if function in (op.view, op.reshape):
        return type_, tuple(dim.at(step) for dim in parameters[0])
    if function is op.concat:
        at = len(shape) - 1 - parameters[0]
        return type_, (*shape[:at], sum(other[at] for _, other in inputs), *shape[at + 1 :])
    if function is op.quantise:
        return (I8 if parameters[0] == INT8 else I16), shape
    if function is op.product:
        return F32, (*shape[:-1], inputs[1][1][-2])
    if function is op.lookup:
        return type_, inputs[1][1] + shape[1:]
    if function is op.scatter:
        return F32, (shape[0], parameters[0].at(step))
    if function is op.random:
        return U64, inputs[1][1]
    return U32, (parameters[0].at(step),)


def _multiply_adds(operator, inputs, elements):
    function, parameters = op.OPERATORS[operator[0]], operator[1:]
    if function is op.product:
        a, b = (DIGITS[side.kind] for side in parameters)
        pairs = sum(i + j < max(a, b) for i in range(a) for j in range(b))
        return elements * inputs[0][1][-1] * pairs
    if function is op.map_:
        return elements * 4 * len(parameters[0])
    if function in (op.weights, op.rotate):
        return elements * 16
    if function in (op.rank, op.mass):
        return elements * 64
    if function is op.scatter:
        return math.prod(inputs[0][1])
    return elements + sum(math.prod(shape) for _, shape in inputs)


def units(program, step):
    """Work units of a step."""
    given = [[(each.type, shape_of(each, step)) for each in kind] for kind in program[:3]]
    size = lambda tensor: math.prod(tensor[1]) * np.dtype(DTYPES[tensor[0]]).itemsize
    handed_on, total = [], 0
    for segment in program.segments:
        outputs = []

        def find(value):
            kind, index, *which = value
            if kind == OPERATOR:
                return outputs[index]
            return handed_on[index][which[0]] if kind == HANDED_ON else given[kind][index]

        for operator, sources in segment.instructions:
            inputs = [find(value) for value in sources]
            result = output(operator, inputs, step)
            if size(result) > MAX_BYTES or len(result[1]) > 5 or min(result[1], default=0) < 0:
                raise ValueError(f"no tensor: {result}")
            touched = size(result) + sum(map(size, inputs))
            if op.OPERATORS[operator[0]] in (op.lookup, op.pick):
                touched = 2 * size(result)
            total += max(_multiply_adds(operator, inputs, math.prod(result[1])), 17 * touched)
            outputs.append(result)
        handed_on.append([outputs[i] for i in segment.hands_on])
    return min(total, MOST)

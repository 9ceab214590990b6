"""Programs of docs/exact/programs.md: their encoding, read and written, and what a step gives."""

from typing import NamedTuple

import numpy as np

from operators import Coordinate, Dim, Side, run
from rows import Fault

DTYPES = [np.float32, np.int8, np.int16, np.uint32, np.uint64]
WEIGHT, INPUT, STATE, OPERATOR, HANDED_ON = range(5)


class Declaration(NamedTuple):
    name: str
    type: int
    dims: tuple


class Instruction(NamedTuple):
    """An operator, (its byte, parameters …), and where its inputs come from."""

    operator: tuple
    inputs: tuple


class Segment(NamedTuple):
    instructions: list
    hands_on: list


class Program(NamedTuple):
    weights: list
    inputs: list
    states: list
    becomes: list
    segments: list
    results: list


class Reader:
    """What is left of an encoding."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise ValueError("the encoding ends too early")
        self.at += count
        return part

    def integer(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def n(self):
        mode = self.data[self.at] & 3
        if mode == 3:
            return self.integer((self.integer(1) >> 2) + 4)
        return self.integer(1 << mode) >> 2

    def list(self, item):
        return [item() for _ in range(self.n())]

    def signed(self):
        z = self.n()
        return -(z + 1) // 2 if z & 1 else z // 2

    def dim(self):
        n = self.n()
        constant = n >> 2
        constant = -(constant + 1) // 2 if constant & 1 else constant // 2
        length = self.signed() if n & 1 else 0
        position = self.signed() if n & 2 else 0
        return Dim(constant, length, position)

    def value(self):
        n = self.n()
        kind, index = n & 7, n >> 3
        return (kind, index, self.n()) if kind == HANDED_ON else (kind, index)

    def coordinate(self):
        offset = self.dim()
        terms = tuple(self.list(lambda: (self.integer(1), self.integer(4, signed=True))))
        return Coordinate(offset, terms, self.integer(4))

    def node(self):
        tag = self.integer(1)
        if tag == 1:
            return (tag, self.integer(4))
        return (tag, *(self.integer(1) for _ in range({0: 1, 2: 1, 3: 2, 4: 3, 5: 5}[tag])))

    def side(self):
        return Side(self.integer(1), bool(self.integer(1)))

    def operator(self):
        tag = self.integer(1)
        return (tag, *(FIELDS[field][0](self) for field in PARAMETERS.get(tag, ())))


class Writer:
    """An encoding that grows."""

    def __init__(self):
        self.data = bytearray()

    def integer(self, size, value, signed=False):
        self.data += int(value).to_bytes(size, "little", signed=signed)

    def n(self, value):
        if value < 1 << 30:
            mode = 0 if value < 1 << 6 else 1 if value < 1 << 14 else 2
            self.integer(1 << mode, value << 2 | mode)
        else:
            size = max(4, (value.bit_length() + 7) // 8)
            self.integer(1, (size - 4) << 2 | 3)
            self.integer(size, value)

    def list(self, items, item):
        self.n(len(items))
        for each in items:
            item(each)

    def dim(self, dim):
        z = lambda x: 2 * x if x >= 0 else -2 * x - 1
        self.n(4 * z(dim.constant) + 2 * (dim.position != 0) + (dim.length != 0))
        for factor in (dim.length, dim.position):
            if factor:
                self.n(z(factor))

    def value(self, value):
        kind, index, *which = value
        self.n(8 * index + kind)
        for n in which:
            self.n(n)

    def coordinate(self, coordinate):
        def term(each):
            self.integer(1, each[0])
            self.integer(4, each[1], signed=True)

        self.dim(coordinate.offset)
        self.list(coordinate.terms, term)
        self.integer(4, coordinate.divisor)

    def node(self, node):
        tag, *rest = node
        self.integer(1, tag)
        for part in rest:
            self.integer(4 if tag == 1 else 1, part)

    def side(self, side):
        self.integer(1, side.kind)
        self.integer(1, side.scaled)

    def operator(self, operator):
        tag, *parameters = operator
        self.integer(1, tag)
        for field, value in zip(PARAMETERS.get(tag, ()), parameters, strict=True):
            FIELDS[field][1](self, value)


# Kinds of parameters: how each is read and written.
FIELDS = {
    "u8": (lambda r: r.integer(1), lambda w, x: w.integer(1, x)),
    "u32": (lambda r: r.integer(4), lambda w, x: w.integer(4, x)),
    "dim": (Reader.dim, Writer.dim),
    "side": (Reader.side, Writer.side),
    "nodes": (lambda r: tuple(r.list(r.node)), lambda w, x: w.list(x, w.node)),
    "dims": (lambda r: tuple(r.list(r.dim)), lambda w, x: w.list(x, w.dim)),
    "coordinates": (lambda r: tuple(r.list(r.coordinate)), lambda w, x: w.list(x, w.coordinate)),
}
PARAMETERS = {
    0: ("nodes",),
    1: ("dims", "coordinates"),
    2: ("dims",),
    3: ("u8",),
    5: ("u8",),
    8: ("u8",),
    9: ("u8",),
    10: ("u8",),
    11: ("side", "side"),
    14: ("dim",),
    15: ("u8", "u8"),
    23: ("u32",),
    24: ("dim",),
}


def decode(data):
    """The program of these bytes, if they are its encoding."""
    r = Reader(data)
    if r.integer(2) != 1:
        raise ValueError("another version")
    types = r.list(lambda: (r.integer(1), tuple(r.list(r.dim))))
    counts = [r.n() for _ in range(3)]
    name, declared = b"", []
    for count in counts:
        kind = []
        for _ in range(count):
            type_, shared, added = r.n(), r.n(), r.n()
            name = name[:shared] + r.take(added)
            kind.append(Declaration(name.decode(), *types[type_]))
        declared.append(kind)
    becomes = [r.value() for _ in range(counts[2])]
    bodies = r.list(lambda: (r.list(lambda: (r.operator(), r.list(r.n))), r.list(r.n)))
    segments = r.list(lambda: _segment(r, bodies))
    program = Program(*declared, becomes, segments, r.list(r.value))
    if encode(program) != data:
        raise ValueError("not the encoding of the program that it decodes to")
    return program


def _segment(r, bodies):
    instructions, hands_on = bodies[r.n()]
    used = {n >> 1 for _, inputs in instructions for n in inputs if n & 1}
    arguments = [r.value() for _ in used]
    place = lambda n: arguments[n >> 1] if n & 1 else (OPERATOR, n >> 1)
    return Segment([Instruction(op, tuple(map(place, inputs))) for op, inputs in instructions], hands_on)


def encode(program):
    """The one encoding of a program."""
    w = Writer()
    w.integer(2, 1)
    kinds = (program.weights, program.inputs, program.states)
    types = list(dict.fromkeys((each.type, each.dims) for kind in kinds for each in kind))

    def type_(each):
        w.integer(1, each[0])
        w.list(each[1], w.dim)

    w.list(types, type_)
    for kind in kinds:
        w.n(len(kind))
    before = b""
    for each in (each for kind in kinds for each in kind):
        name = each.name.encode()
        shared = next((i for i, (a, b) in enumerate(zip(before, name)) if a != b), min(len(before), len(name)))
        w.n(types.index((each.type, each.dims)))
        w.n(shared)
        w.n(len(name) - shared)
        w.data += name[shared:]
        before = name
    for value in program.becomes:
        w.value(value)
    bodies, segments = {}, []
    for segment in program.segments:
        body, arguments = _body(segment)
        segments.append((bodies.setdefault(body, len(bodies)), arguments))
    w.n(len(bodies))
    w.data += b"".join(bodies)
    w.n(len(segments))
    for body, arguments in segments:
        w.n(body)
        for value in arguments:
            w.value(value)
    w.list(program.results, w.value)
    return bytes(w.data)


def _body(segment):
    w, arguments = Writer(), {}

    def source(value):
        w.n(2 * value[1] if value[0] == OPERATOR else 2 * arguments.setdefault(value, len(arguments)) + 1)

    def instruction(each):
        w.operator(each.operator)
        w.list(each.inputs, source)

    w.list(segment.instructions, instruction)
    w.list(segment.hands_on, w.n)
    return bytes(w.data), list(arguments)


class Failed(Exception):
    """The run fails: segment, operator, why."""


def shape_of(declaration, step):
    return tuple(dim.at(step) for dim in declaration.dims)


def begin(program, step):
    """The states before the first step."""
    return [np.zeros(shape_of(state, step), DTYPES[state.type]) for state in program.states]


def step(program, weights, inputs, states, at):
    """What a step gives: what each segment hands on, the next step's states, results."""
    given = (weights, inputs, states)
    for declared, tensors in zip((program.weights, program.inputs, program.states), given):
        for declaration, tensor in zip(declared, tensors, strict=True):
            got, want = (tensor.dtype, tensor.shape), (DTYPES[declaration.type], shape_of(declaration, at))
            if got != want:
                raise ValueError(f"{declaration.name}: expected {want}, got {got}")
    handed_on = []
    for number, segment in enumerate(program.segments):
        outputs = []

        def find(value):
            kind, index, *which = value
            if kind == OPERATOR:
                return outputs[index]
            return handed_on[index][which[0]] if which else given[kind][index]

        for place, (operator, sources) in enumerate(segment.instructions):
            try:
                outputs.append(run(at, operator, [find(value) for value in sources]))
            except Fault as fault:
                raise Failed(number, place, str(fault)) from fault
        handed_on.append([outputs[i] for i in segment.hands_on])
    return handed_on, [find(value) for value in program.becomes], [find(value) for value in program.results]

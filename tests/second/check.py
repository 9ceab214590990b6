"""Compares this implementation with the committed vectors; see README.md. Exits with 1 if anything differs.

    check.py [FOLDER [MODEL-PRECISION ...]]

FOLDER has packages as blobs. Without it only what needs no package is checked; with names, only those packages.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

import initial
import openings
import operators
import program as programs
import scalars
import shapes
import trace as traces
import training
from operators import Step
from scalars import F32, U32, U64

ROOT = Path(__file__).resolve().parents[2]
EXACT = ROOT / "primitives/exact/src"
FAILED = []


def compare(what, got, want):
    if got != want:
        FAILED.append(what)
    print(f"{'same' if got == want else 'DIFFERS'}  {what}", flush=True)
    if got != want:
        print(f"    expected {want}\n    got      {got}", flush=True)


def tagged(document, marker):
    """The 64-digit hashes in the quotation `marker` of a document."""
    text = (ROOT / document).read_text()
    return re.findall(r"0x([0-9a-f]{64})", text.split(f"<!-- quote: {marker} -->")[1].split("```")[1])


# What needs no package


def check_scalars():
    golden = (EXACT / "scalar/tests/golden.rs").read_text()
    sample = (np.arange(65_536, dtype=U64) * U64(65_537)).astype(U32)
    for name, want in re.findall(r'"(\w+)",\s*"(\w{64})",\s*"\w{64}"', golden):
        results = scalars.FUNCTIONS[name](sample)
        compare(f"scalar {name}", traces.digest(results).hex(), want)
    words = " ".join(f"{int(word):08x}" for word in scalars.philox([0] * 4, [0, 0]))
    compare("random numbers", words, "6627e8d5 e169c58d bc57ac4c 9b00dbd8")


def check_special():
    """Functions of zeros, subnormal numbers, infinities and NaNs; a NaN gives one result, whichever it is."""
    text = (EXACT / "scalar/tests/values.rs").read_text()
    words = lambda text: np.array([int(word, 16) for word in re.findall(r"0x(\w+)", text.replace("_", ""))], U32)
    named = lambda name: words(re.search(rf"\b{name}: [^=]*= \[([^\]]*)\]", text)[1])
    arguments, of_nan = named("NUMBERS"), named("NANS")
    functions = re.findall(r'"(\w+)",\s*\[([^\]]*)\],\s*(0x\w+)', text)
    for function, (name, results, nan) in zip(operators.UNARY, functions, strict=True):
        y = scalars.bits(function(scalars.floats(np.concatenate([arguments, of_nan]))))
        y = np.where((y & U32(0x7FFFFFFF)) > U32(0x7F800000), U32(0x7FC00000), y)
        want = np.concatenate([words(results), np.repeat(words(nan), len(of_nan))])
        compare(f"special values, {name}", [hex(word) for word in y], [hex(word) for word in want])
    y = scalars.floats(np.array([0x3F800000, 0xFFC00000, 0x40000000, 0x7F800001, 0x80000000, 0, 0x3F800000], U32))
    w = np.arange(1, 8).astype(U32)
    compare("ranks beside NaNs", operators.rank(None, [y]).tolist(), [1, 0, 0, 0, 3, 4, 2])
    compare("masses beside NaNs", operators.mass(None, [y, w]).tolist(), [3, 0, 0, 0, 11, 16, 4])


def check_program():
    text = (ROOT / "docs/exact/programs.md").read_text().split("```text\n")[1].split("```")[0]
    data = bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} )+)", text, re.M)))
    program = programs.decode(data)
    compare("encoding of the example", programs.encode(program).hex(), data.hex())
    shape = [(len(program.segments), program.segments[1].instructions, program.results)]
    want = [(2, [programs.Instruction((4,), ((programs.HANDED_ON, 0, 0),))], [(programs.HANDED_ON, 1, 0)])]
    compare("program of the example", shape, want)


def check_traces():
    want = tagged("docs/exact/traces.md", "primitives/exact/src/trace/tests/golden.rs traces")
    digest = lambda k: traces.digest(k.to_bytes(8, "little"))
    got = []
    for key in (None, b"whats the Elvish word for friend"):
        origin = traces.origin(digest(1), digest(2), digest(3), [digest(4), digest(5)], key)

        def run(max_steps, segments):
            trace = traces.Trace(max_steps, 2, origin, key)
            for n in range(segments):
                trace.segment([digest(10 * n + i) for i in range(1 + n % 3)])
            return trace

        completed = run(5_000, 10)
        got += [origin, completed.segments[5], completed.complete(digest(6))]
        got += [run(5_000, 9).fail(7), run(5, 10).complete(digest(6))]
    compare("traces", [value.hex() for value in got], want)


def check_openings():
    """Blobs of the bytes 0 to 250 over and over: openings and subtrees as the document lists them."""
    document, golden = "docs/exact/traces.md", "primitives/exact/src/opening/tests/golden.rs"
    key = b"whats the Elvish word for friend"
    two, three = [(1_500, 1_600), (4_990, 5_000)], [(0, 1), (40_000, 42_000), (99_999, 100_000)]
    blob = lambda length: bytes(i % 251 for i in range(length))
    got, refused = [], True
    for length, ranges in ((5_000, two), (100_000, three)):
        for tree in (openings.Tree(), openings.Tree(key)):
            data = blob(length)
            digest = tree.node(data, 0, openings.chunks_of(length), True)
            opening = openings.open_(data, ranges, tree)
            got += [digest.hex(), traces.digest(opening).hex()]
            shown = openings.verify(opening, digest, length, tree)
            if any(data[1_024 * i :][:1_024] != chunk for i, chunk in shown.items()):
                FAILED.append("chunks of an opening")
            for at in range(0, len(opening), 1_999):
                try:
                    openings.verify(opening[:at] + bytes([opening[at] ^ 1]) + opening[at + 1 :], digest, length, tree)
                    refused = False
                except openings.Refused:
                    pass
    compare("openings", got, tagged(document, f"{golden} openings"))
    compare("openings with a changed bit are refused", refused, True)
    got = []
    for tree in (openings.Tree(), openings.Tree(key)):
        for length in (65_536, 65_537, 100_000):
            values = openings.subtrees(blob(length), tree)
            got.append(traces.digest(b"".join(values)).hex())
            root = tree.node(blob(length), 0, openings.chunks_of(length), True)
            if (openings.merge(values, tree) if len(values) > 1 else values[0]) != root:
                FAILED.append("merged subtrees")
    compare("subtrees", got, tagged(document, f"{golden} subtrees"))
    compare("key of a private job", traces.private_key(bytes(range(32))).hex(), tagged(document, f"{golden} key")[0])


def check_initial():
    text = (ROOT / "worker/programs/src/training/parameter.rs").read_text()
    for name, size, want in re.findall(r"assert_eq!\(bits\(Initial::(\w+)\(([\d.]+)\)\), \[([\d_, ]+)\]\)", text):
        got = getattr(initial, name.lower())(42, 0, 2, float(size)).view(U32)
        compare(f"initial values, {name.lower()}", got.tolist(), [int(bits) for bits in want.split(",")])


def tensors(declarations, values):
    """Tensors that do not depend on the step, by their bytes in hexadecimal."""
    types = [(programs.DTYPES[each.type], programs.shape_of(each, Step(0, 0))) for each in declarations]
    pairs = zip(types, values, strict=True)
    return [np.frombuffer(bytes.fromhex(value), dtype).reshape(shape) for (dtype, shape), value in pairs]


def check_training():
    """A few steps of training, whose programs have no tokens of their own."""
    step = Step(0, 0)
    for vector in json.loads((ROOT / "tests/vectors/training.json").read_text()):
        program = programs.decode(bytes.fromhex(vector["program"]))
        weights, states = tensors(program.weights, vector["weights"]), programs.begin(program, step)
        handed_on, results = b"", []
        for values in vector["inputs"]:
            inputs = tensors(program.inputs, values)
            segments, states, given = programs.step(program, weights, inputs, states, step)
            handed_on += b"".join(traces.digest(tensor) for segment in segments for tensor in segment)
            results.append([result.tobytes().hex() for result in given])
        compare(f"training {vector['name']} results", results, vector["results"])
        compare(f"training {vector['name']} handed on", "0x" + traces.digest(handed_on).hex(), vector["handed_on"])
        states = traces.digest(b"".join(state.tobytes() for state in states))
        compare(f"training {vector['name']} states", "0x" + states.hex(), vector["states"])
        if vector["name"] == "mlp":
            check_formulas(program, vector)


def check_formulas(program, vector):
    """The same steps by the formulas, without the program: AdamW, clipped, down a cosine to 0.1."""
    optimiser, results = training.AdamW(tensors(program.weights, vector["weights"])), []
    for values in vector["inputs"]:
        features, labels, counts, rate, decay, warm_up, steps, most = tensors(program.inputs, values)
        rate = training.cosine_rate(rate, warm_up, steps, F32(0.1), optimiser.steps)
        loss, gradients = training.gradients(optimiser.p, F32(1e-5), features, labels, counts)
        norm = optimiser.step(gradients, rate, decay, most)
        results.append([x.tobytes().hex() for x in (loss, norm)])
    compare("training mlp results, by formulas", results, vector["results"])
    kept = [x for each in zip(optimiser.p, optimiser.m, optimiser.v) for x in each]
    states = b"".join(x.tobytes() for x in (optimiser.steps, *kept, optimiser.c1, optimiser.c2))
    compare("training mlp states, by formulas", "0x" + traces.digest(states).hex(), vector["states"])


# Packages


class Package:
    """A package in a folder of blobs, every byte checked."""

    def __init__(self, folder, hash_):
        self.folder = folder
        manifest = json.loads(self._blob(hash_))
        files = {file["name"]: file["hash"] for file in manifest["files"]}
        self.step = manifest["step"]
        self.program = programs.decode(self._blob(files["program"]))
        self.weights, at, data = [], 0, self._blob(files["weights"])
        for weight in self.program.weights:
            shape, dtype = programs.shape_of(weight, Step(0, 0)), programs.DTYPES[weight.type]
            count = int(np.prod(shape, dtype=int))
            self.weights.append(np.frombuffer(data, dtype, count, at).reshape(shape))
            operators.remember(self.weights[-1])
            at += count * np.dtype(dtype).itemsize
        compare("  length of the weights", at, len(data))
        longest = manifest["profile"]["max_sequence"]
        last = Step(longest, 0) if manifest["task"] == "embed" else Step(1, longest - 1)
        units = -(-shapes.units(self.program, last) // last.length)
        compare("  work units of a token", units, manifest["profile"]["units_per_token"])
        root = traces.list_digest("weights", [traces.digest(weight) for weight in self.weights])
        compare("  root of the weights", root.hex(), manifest["weights"])

    def _blob(self, hash_):
        data = (self.folder / hash_).read_bytes()
        if traces.digest(data).hex() != hash_:
            raise ValueError(f"{hash_}: another blob")
        return data

    def run(self, inputs, states, step):
        """What a step gives: the digests that each segment hands on, the next states, results."""
        handed_on, states, results = programs.step(self.program, self.weights, inputs, states, step)
        return [[traces.digest(x) for x in tensors] for tensors in handed_on], states, results


def embed(package):
    """Digests of the embeddings and of the trace, of the sentences in minilm.json."""
    vectors = json.loads((ROOT / "tests/vectors/minilm.json").read_text())["vectors"]
    trace = traces.Trace(len(vectors), len(package.program.segments), traces.digest(b"golden"))
    embeddings = []
    for vector in vectors:
        step = Step(len(vector["ids"]), 0)
        states = programs.begin(package.program, step)
        segments, _, results = package.run([np.array(vector["ids"], U32)], states, step)
        for digests in segments:
            trace.segment(digests)
        embeddings.append(results[0])
    output = traces.digest(np.concatenate(embeddings))
    return output, trace.complete(output)


# Prompts, and the inputs behind the tokens: seed, sequence, temperature, top_k, top_p, repetition penalty.
GREEDY = (0, 0, 1.0, 1, 1.0, 1.0)
DRAWN = (0x0123_4567_89AB_CDEF, 2, 0.9, 50, 0.9, 1.15)
GENERATIONS = [([1, 9038, 2501, 263, 931], GREEDY), ([1], DRAWN), ([1, 365, 2354, 471, 263], DRAWN)]
TOKENS = 64


def generate(package):
    """Digests of the tokens of all generations, and of the digests of all that their segments hand on."""
    tokens, handed_on = [], []
    for prompt, (seed, sequence, temperature, top_k, top_p, penalty) in GENERATIONS:
        share = max(1, int(float(F32(top_p)) * 65_536 + 0.5))
        settings = [
            np.array(seed, U64),
            np.array([sequence], U32),
            np.array(temperature, F32),
            np.array([top_k], U32),
            np.array([share], U32),
            np.array(penalty, F32),
        ]
        position, states, drawn, left = 0, programs.begin(package.program, Step(0, 0)), [], prompt
        while len(drawn) < TOKENS:
            taken, left = left[: package.step], left[package.step :]
            step = Step(len(taken), position)
            digests, states, results = package.run([np.array(taken, U32), *settings], states, step)
            handed_on += [digest for segment in digests for digest in segment]
            position += len(taken)
            if not left:
                drawn.append(int(results[0][0]))
                left = drawn[-1:]
        print(f"  {drawn}", flush=True)
        tokens += drawn
    return traces.digest(np.array(tokens, U32)), traces.digest(b"".join(handed_on))


def check_packages(folder, names):
    for golden in json.loads((ROOT / "tests/vectors/golden.json").read_text()):
        name, start = f"{golden['model']}-{golden['precision']}", time.time()
        manifest = golden["package"].removeprefix("0x")
        if names and name not in names:
            continue
        if not names and not (folder / manifest).exists():
            print(f"skipped  {name}: no package {manifest}")
            continue
        print(name, flush=True)
        package = Package(folder, manifest)
        output, trace = (embed if golden["model"] == "minilm" else generate)(package)
        compare(f"{name} output", "0x" + output.hex(), golden["output"])
        compare(f"{name} trace", "0x" + trace.hex(), golden["trace"])
        print(f"  {time.time() - start:.0f} s", flush=True)


def main():
    np.seterr(all="ignore")  # infinities and what is no number may occur within expressions
    check_scalars()
    check_special()
    check_program()
    check_traces()
    check_openings()
    check_initial()
    check_training()
    if len(sys.argv) > 1:
        check_packages(Path(sys.argv[1]), sys.argv[2:])
    print("nothing differs" if not FAILED else f"{len(FAILED)} differ: {', '.join(FAILED)}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())

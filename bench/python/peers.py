#!/usr/bin/env python3
"""Measures other programs at the work of `cargo xtask bench engine`: PyTorch, onnxruntime, llama.cpp.

Each measurement is a process of its own, so that its number of threads holds from the start; after two runs to warm up,
the median of at least five. Inputs are the same in all: token ids 1000 + (7·i mod 20000), no padding. Prints JSON lines:

    {"work": "minilm", "peer": "onnxruntime", "class": "int8", "size": "32x128", "threads": 2,
     "unit": "ms", "median": 226.1, "runs": [...], "version": "1.32.0", "host": "..."}

`work` and `size` are: minilm 32x128 and 1x16 (texts × tokens), mlp 64 (a training step of 784-256-10, batch 64, AdamW),
lm 8x128 (a training step of a Llama-like decoder from scratch, 6 layers of 288 as stories15M has them, AdamW, gradients
clipped at 1), decode 64 (tokens after a prompt of 16; unit "tokens/s") and prefill 512 (unit "tokens/s"). llama.cpp runs
SmolLM2 as Q8_0, made here from the GGUF file as it comes; it is left out, with a line that says so, where
`llama-cpp-python` is not installed (`pip install llama-cpp-python==0.3.36`, which compiles it).

    VENV/bin/python bench/python/peers.py [WORK ...]     # default: all
    THREADS=1 RUNS=5 VENV/bin/python bench/python/peers.py minilm mlp
"""
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

RUNS = max(5, int(os.environ.get("RUNS", 5)))
WARM_UP = 2
THREADS = [int(n) for n in os.environ.get("THREADS", "1,2").split(",")]
MINILM_SIZES = ((32, 128), (1, 16))
# work: the (peer, class, size) that are measured
JOBS = {
    "minilm": [(peer, kind, f"{batch}x{length}") for batch, length in MINILM_SIZES
               for peer, kind in (("torch", "f32"), ("onnxruntime", "f32"), ("onnxruntime", "int8"))],
    "mlp": [("torch", "f32", "64")],
    "lm": [("torch", "f32", "8x128")],
    "decode": [("llama.cpp", "Q8_0", "64")],
    "prefill": [("llama.cpp", "Q8_0", "512")],
}
PACKAGES = {"torch": "torch", "onnxruntime": "onnxruntime", "llama.cpp": "llama-cpp-python"}


def measure(step, repeat=1):
    """Milliseconds of each run of `step`, of which a run does `repeat`."""
    for _ in range(WARM_UP):
        step()
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        for _ in range(repeat):
            step()
        times.append((time.perf_counter() - begun) * 1000 / repeat)
    return times


def token_ids(batch, length, numpy):
    return (1000 + 7 * numpy.arange(batch * length) % 20000).reshape(batch, length).astype(numpy.int64)


def minilm_torch(threads, size):
    import numpy
    import torch
    import transformers

    import minilm_reference
    import places

    torch.set_num_threads(threads)
    # PyTorch's own choice of attention, which is its fastest.
    bert = transformers.BertModel.from_pretrained(
        places.MODELS / "minilm", dtype=torch.float32, add_pooling_layer=False).eval()
    ids = torch.from_numpy(token_ids(*size, numpy))
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        return measure(lambda: minilm_reference.embed(bert, ids, mask), 1 if size[0] > 1 else 20)


def minilm_graphs():
    """The ONNX graphs, f32 and with dynamically quantised int8 weights; made once."""
    import places

    folder = places.REFERENCES / "minilm"
    plain, quantised = folder / "minilm.onnx", folder / "minilm.int8.onnx"
    if not plain.exists():
        import minilm_onnx

        folder.mkdir(parents=True, exist_ok=True)
        minilm_onnx.export(plain)
    if not quantised.exists():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8)
    return {"f32": plain, "int8": quantised}


def minilm_onnxruntime(threads, size, kind):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(minilm_graphs()[kind], options, providers=["CPUExecutionProvider"])
    inputs = {"ids": token_ids(*size, numpy)}
    return measure(lambda: session.run(None, inputs), 1 if size[0] > 1 else 20)


def training(threads, net, loss_of, clip, repeat):
    """Steps of AdamW."""
    import torch

    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss_of(net).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimiser.step()

    return measure(step, repeat)


def mlp_torch(threads):
    import torch

    import mnist_reference

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    x, labels = torch.rand(64, 1, 28, 28), torch.randint(10, (64,))
    cross_entropy = torch.nn.functional.cross_entropy
    return training(threads, mnist_reference.mlp(), lambda net: cross_entropy(net(x), labels), None, 50)


def lm_torch(threads, size):
    import numpy
    import torch
    import transformers

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
        num_key_value_heads=6, max_position_embeddings=256, rms_norm_eps=1e-5, tie_word_embeddings=True)).train()
    ids = torch.from_numpy(token_ids(*size, numpy))
    return training(threads, net, lambda net: net(input_ids=ids, labels=ids, use_cache=False).loss, 1.0, 1)


def q8_0():
    """SmolLM2 with every matrix as Q8_0, requantised by llama.cpp itself."""
    import ctypes

    import llama_cpp

    import places

    path = places.REFERENCES / "smollm2" / "model.q8_0.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype, parameters.allow_requantize = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, True
        source = str(places.MODELS / "smollm2/model.gguf").encode()
        if llama_cpp.llama_model_quantize(source, str(path).encode(), ctypes.byref(parameters)):
            sys.exit("llama.cpp could not requantise the model")
    return path


def llama(threads, work):
    """Tokens a second, of decoding or of prefill."""
    import llama_cpp
    import numpy

    model = llama_cpp.Llama(str(q8_0()), n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads,
                            n_threads_batch=threads, verbose=False)

    def prefill(count):
        model.reset()
        model.eval(token_ids(1, count, numpy)[0].tolist())

    def decode():
        for _ in range(64):
            model.eval([1000])

    if work == "prefill":
        return [512_000 / ms for ms in measure(lambda: prefill(512))]
    rates = []
    for run in range(WARM_UP + RUNS):
        prefill(16)
        begun = time.perf_counter()
        decode()
        rates.append(64 / (time.perf_counter() - begun))
    return rates[WARM_UP:]


def one(work, peer, kind, size, threads):
    """Measures in this process."""
    shape = tuple(map(int, size.split("x")))
    match work, peer:
        case "minilm", "torch":
            runs = minilm_torch(threads, shape)
        case "minilm", "onnxruntime":
            runs = minilm_onnxruntime(threads, shape, kind)
        case "mlp", _:
            runs = mlp_torch(threads)
        case "lm", _:
            runs = lm_torch(threads, shape)
        case _:
            runs = llama(threads, work)
    unit = "tokens/s" if work in ("decode", "prefill") else "ms"
    host = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name")), platform.machine())
    return {"work": work, "peer": peer, "class": kind, "size": size, "threads": threads, "unit": unit,
            "median": round(statistics.median(runs), 3), "runs": [round(run, 3) for run in runs],
            "version": importlib.metadata.version(PACKAGES[peer]), "host": host}


def main():
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*sys.argv[2:6], int(sys.argv[6]))))
        return
    works = sys.argv[1:] or list(JOBS)
    if "minilm" in works:
        minilm_graphs()
    for work in works:
        for peer, kind, size in JOBS[work]:
            if importlib.util.find_spec("llama_cpp" if peer == "llama.cpp" else peer) is None:
                print(f"{work}: {peer} is not installed, left out", file=sys.stderr)
                continue
            for threads in THREADS:
                limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
                subprocess.run([sys.executable, __file__, "--one", work, peer, kind, size, str(threads)],
                               check=True, env=os.environ | limits)


if __name__ == "__main__":
    main()

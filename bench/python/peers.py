#!/usr/bin/env python3
"""Measures another program at the work of `cargo xtask bench engine`: PyTorch, onnxruntime or llama.cpp.

    VENV/bin/python bench/python/peers.py PEER THREADS

Prints a JSON line that says what it is, then reads `WORK CLASS SIZE` a line at a time and answers each with a JSON line:

    {"peer": "onnxruntime", "version": "1.32.0"}
    minilm int8 32x128
    {"value": 226.1}

or `{"error": "..."}`. What a work needs is loaded, and run once, when it is first asked for. A value is the mean of as many
runs as take a third of a second, at least one. Inputs are the same in all programs: token ids 1000 + (7·i mod 20000), no
padding. Works, and what their values are:

    minilm BxL   ms to embed B texts of L tokens
    mlp B        ms of a training step of 784-256-10, batch B, AdamW
    lm BxL       ms of a training step of a Llama-like decoder, 6 layers of 288 as stories15M has them, AdamW, gradients
                 clipped at 1
    decode N     tokens/s, N of them behind a prompt of 16
    prefill N    tokens/s, a prompt of N

llama.cpp runs SmolLM2 with every matrix as Q8_0 (q8_0.py). It comes from the wheel `xllamacpp`, whose server tells the times
by itself; the wheel is compiled for AVX2, FMA and F16C.
"""
import functools
import importlib.metadata
import json
import os
import sys
import time

LEAST_SECONDS = 1 / 3
PACKAGES = {"PyTorch": "torch", "onnxruntime": "onnxruntime", "llama.cpp": "xllamacpp"}


def mean_ms(step):
    """Milliseconds of a run of `step`."""
    begun, runs = time.perf_counter(), 0
    while True:
        step()
        runs += 1
        taken = time.perf_counter() - begun
        if taken >= LEAST_SECONDS:
            return taken * 1000 / runs


def token_ids(batch, length):
    import numpy

    return (1000 + 7 * numpy.arange(batch * length) % 20000).reshape(batch, length).astype(numpy.int64)


def minilm_graph(kind):
    """The ONNX graph, f32 or with dynamically quantised int8 weights; made once."""
    import places

    folder = places.REFERENCES / "minilm"
    plain, quantised = folder / "minilm.onnx", folder / "minilm.int8.onnx"
    if not plain.exists():
        import minilm_onnx

        folder.mkdir(parents=True, exist_ok=True)
        minilm_onnx.export(plain)
    if kind == "int8" and not quantised.exists():
        from onnx import TensorProto
        from onnxruntime.quantization import QuantType, quantize_dynamic

        # The shapes behind onnxruntime's own operators are not inferred, so types have to be told
        quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": TensorProto.FLOAT})
    return {"f32": plain, "int8": quantised}[kind]


class PyTorch:
    def __init__(self, threads):
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(1)

    @functools.cache
    def bert(self):
        import torch
        import transformers

        import places

        # PyTorch's own choice of attention, which is its fastest
        return transformers.BertModel.from_pretrained(
            places.MODELS / "minilm", dtype=torch.float32, add_pooling_layer=False).eval()

    def minilm(self, kind, batch, length):
        import torch

        import minilm_reference

        ids, bert = torch.from_numpy(token_ids(batch, length)), self.bert()
        mask = torch.ones_like(ids)

        def step():
            with torch.inference_mode():
                minilm_reference.embed(bert, ids, mask)

        return functools.partial(mean_ms, step)

    def training(self, net, loss_of, clip):
        """Steps of AdamW."""
        import torch

        optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)

        def step():
            optimiser.zero_grad(set_to_none=True)
            loss_of(net).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimiser.step()

        return functools.partial(mean_ms, step)

    def mlp(self, kind, batch):
        import torch

        import mnist_reference

        x, labels = torch.rand(batch, 1, 28, 28), torch.randint(10, (batch,))
        cross_entropy = torch.nn.functional.cross_entropy
        return self.training(mnist_reference.mlp(), lambda net: cross_entropy(net(x), labels), None)

    def lm(self, kind, batch, length):
        import torch
        import transformers

        net = transformers.LlamaForCausalLM(transformers.LlamaConfig(
            vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
            num_key_value_heads=6, max_position_embeddings=256, rms_norm_eps=1e-5, tie_word_embeddings=True)).train()
        ids = torch.from_numpy(token_ids(batch, length))
        return self.training(net, lambda net: net(input_ids=ids, labels=ids, use_cache=False).loss, 1.0)


class OnnxRuntime:
    def __init__(self, threads):
        self.threads = threads

    @functools.cache
    def session(self, kind):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return onnxruntime.InferenceSession(minilm_graph(kind), options, providers=["CPUExecutionProvider"])

    def minilm(self, kind, batch, length):
        session, inputs = self.session(kind), {"ids": token_ids(batch, length)}
        return functools.partial(mean_ms, lambda: session.run(None, inputs))


class LlamaCpp:
    def __init__(self, threads):
        import xllamacpp

        import q8_0

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(q8_0.path())
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch, parameters.n_parallel = 1024, 512, 512, 1
        for cpu in parameters.cpuparams, parameters.cpuparams_batch:
            cpu.n_threads = threads
        self.server = xllamacpp.Server(parameters)

    def timings(self, prompt, tokens):
        """What the server measured of a prompt and as many tokens behind it, all greedy and none of them an end."""
        answer = self.server.handle_completions({
            "prompt": token_ids(1, prompt)[0].tolist(), "n_predict": tokens, "temperature": 0.0, "samplers": ["top_k"],
            "top_k": 1, "ignore_eos": True, "cache_prompt": False})
        timings = (json.loads(answer) if isinstance(answer, (str, bytes)) else answer)["timings"]
        assert (timings["prompt_n"], timings["predicted_n"]) == (prompt, tokens), timings
        return timings

    def decode(self, kind, tokens):
        # The first token comes with the prompt
        return lambda: (lambda t: 1000 * tokens / t["predicted_ms"])(self.timings(16, tokens + 1))

    def prefill(self, kind, tokens):
        return lambda: self.timings(tokens, 1)["prompt_per_second"]


def main():
    peer, threads = sys.argv[1], int(sys.argv[2])
    # Libraries print what they like; only answers go out
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**fields):
        print(json.dumps(fields), file=answers)

    program = {"PyTorch": PyTorch, "onnxruntime": OnnxRuntime, "llama.cpp": LlamaCpp}[peer](threads)
    answer(peer=peer, version=importlib.metadata.version(PACKAGES[peer]))
    ready = {}
    for line in sys.stdin:
        try:
            if line not in ready:
                work, kind, size = line.split()
                ready[line] = getattr(program, work)(kind, *map(int, size.split("x")))
                ready[line]()
            answer(value=ready[line]())
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()

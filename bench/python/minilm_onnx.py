"""Builds all-MiniLM-L6-v2 as an ONNX graph, as onnxruntime's own optimiser for transformers would leave it.

Input `ids` I64 [batch, length], without padding; output `embeddings` F32 [batch, 384]. Attention is onnxruntime's fused
operator, the rest is standard (opset 20), which a session fuses further. Written by hand because torch's exporter needs
more packages and gives a graph that sessions fuse less of, which would make the peer slower than it is.
"""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

import places

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12


class Graph:
    """Nodes and constants, as they are added."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(value), name))
        return name

    def node(self, kind, inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def export(path):
    """Writes the graph."""
    weights = {name: value.astype(numpy.float32)
               for name, value in load_file(places.MODELS / "minilm/model.safetensors").items()
               if value.dtype.kind == "f"}
    graph = Graph()

    def weight(name):
        return weights[name] if name in weights else weights[f"bert.{name}"]

    def linear(x, name):
        product = graph.node("MatMul", [x, graph.constant(f"{name}.weight", weight(f"{name}.weight").T)])
        return graph.node("Add", [product, graph.constant(f"{name}.bias", weight(f"{name}.bias"))])

    def norm(x, name):
        scale = graph.constant(f"{name}.weight", weight(f"{name}.weight"))
        bias = graph.constant(f"{name}.bias", weight(f"{name}.bias"))
        return graph.node("LayerNormalization", [x, scale, bias], axis=-1, epsilon=EPSILON)

    words = graph.constant("words", weight("embeddings.word_embeddings.weight"))
    places_of = graph.constant("positions", weight("embeddings.position_embeddings.weight")
                               + weight("embeddings.token_type_embeddings.weight")[0])
    zero, one, axis0, axis1 = (graph.constant(name, numpy.array(value, numpy.int64))
                               for name, value in (("zero", [0]), ("one", [1]), ("axis0", [0]), ("axis1", [1])))
    length = graph.node("Slice", [graph.node("Shape", ["ids"]), one, graph.constant("two", numpy.array([2])), axis0])
    x = graph.node("Add", [graph.node("Gather", [words, "ids"]),
                           graph.node("Slice", [places_of, zero, length, axis0])])
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        qkv = graph.constant(f"{at}.qkv.weight", numpy.concatenate([weight(f"{part}.weight").T for part in parts], 1))
        bias = graph.constant(f"{at}.qkv.bias", numpy.concatenate([weight(f"{part}.bias") for part in parts]))
        y = graph.node("Attention", [x, qkv, bias], domain="com.microsoft", num_heads=HEADS)
        y = graph.node("Add", [linear(y, f"{at}.attention.output.dense"), x])
        x = norm(y, f"{at}.attention.output.LayerNorm")
        y = graph.node("Gelu", [linear(x, f"{at}.intermediate.dense")])
        y = graph.node("Add", [linear(y, f"{at}.output.dense"), x])
        x = norm(y, f"{at}.output.LayerNorm")
    mean = graph.node("ReduceMean", [x, axis1], keepdims=0)
    length = graph.node("ReduceL2", [mean, axis1], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, length], ["embeddings"], name="embeddings"))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "minilm", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
            [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", WIDTH])], graph.constants),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)], ir_version=9)
    onnx.save(model, str(path))

"""SmolLM2 as llama.cpp has it at eight bits: every matrix as Q8_0, made from the GGUF file as it comes (Q4_1).

Each matrix is dequantised to f32 and quantised again by llama.cpp's own `gguf`, whose Q8_0 is that of llama.cpp's reference
code; all else stays. So llama.cpp and the package that is imported from the same file have the same weights but for rounding
to eight bits.
"""
import gguf

import places

Q8_0 = gguf.GGMLQuantizationType.Q8_0


def write(source, to):
    """Writes the file `to` from the file `source`."""
    reader = gguf.GGUFReader(source)
    fields = reader.fields
    writer = gguf.GGUFWriter(to, fields["general.architecture"].contents())
    for name, field in fields.items():
        # What the writer says by itself
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = int(gguf.LlamaFileType.MOSTLY_Q8_0) if name == "general.file_type" else field.contents()
        of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, field.types[0], of)
    for tensor in reader.tensors:
        if len(tensor.shape) > 1:
            data = gguf.quantize(gguf.dequantize(tensor.data, tensor.tensor_type), Q8_0)
            writer.add_tensor(tensor.name, data, raw_dtype=Q8_0)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def path():
    """The file, which is made if it is not there."""
    to = places.REFERENCES / "smollm2" / "model.q8_0.gguf"
    if not to.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not there at all
        unfinished = to.with_suffix(".unfinished")
        write(places.MODELS / "smollm2/model.gguf", unfinished)
        unfinished.rename(to)
    return to

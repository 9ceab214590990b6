#!/usr/bin/env python3
"""Makes minilm.json: reference embeddings of all-MiniLM-L6-v2 by programs that are not ours.

sentence-transformers (on PyTorch, in f32 on the CPU) reads the same config.json, model.safetensors
and tokenizer.json that `assay-engine` imports, tokenizes the sentences below, and embeds each one
alone. Tests compare our token ids with these exactly, and our embeddings by cosine.

    python3 -m venv VENV && VENV/bin/pip install sentence-transformers==6.2.0
    VENV/bin/python tests/vectors/minilm.py            # reads $ASSAY_MODELS/minilm

PyPI's torch for Linux brings CUDA along, about 3 GB; only its CPU part is used.
"""
import hashlib
import json
import os
import pathlib
import platform

import numpy
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("ASSAY_MODELS", pathlib.Path.home() / ".cache/assay/models")) / "minilm"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
# What the position embeddings allow: the limit that `assay-engine` imports this folder with.
MAX_SEQUENCE = 512

SENTENCES = [
    "A chain on which computing for AI can be proved.",
    "Anyone can check a result by running the job again.",
    "The cat sleeps on the warm windowsill.",
    "",
    "Prix: 12,50 € – naïve café, Straße, ΑΘΗΝΑ, Київ.",
    "東京は日本の首都です。",
    "🚀 to the moon 🌕 (unknown: \u2603\ufe0f \U0001f9ff)",
    "tabs\tand\nnew lines\u00a0and control\u0000characters\u200b",
    "antidisestablishmentarianism " + "x" * 120,
    # Longer than 128 tokens, where this tokenizer.json by itself would cut off.
    "Every verified job runs in an arithmetic that gives the same bits on every processor. " * 12,
    # Longer than the model takes: cut off at MAX_SEQUENCE.
    "one two three four five six seven eight nine ten " * 60,
]


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformer = Transformer(
        str(FOLDER), max_seq_length=MAX_SEQUENCE, model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"})
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
    assert all(p.dtype == torch.float32 for p in model.parameters())

    vectors = []
    for sentence in SENTENCES:
        (ids,) = model.preprocess([sentence])["input_ids"].tolist()
        (embedding,) = model.encode([sentence], batch_size=1, convert_to_numpy=True)
        assert embedding.dtype == numpy.float32 and abs(numpy.linalg.norm(embedding) - 1) < 1e-5
        # Nine significant digits name an f32 exactly.
        vectors.append({"text": sentence, "ids": ids, "embedding": [float(f"{x:.9g}") for x in embedding]})

    out = {
        "made_by": "tests/vectors/minilm.py",
        "programs": {
            "python": platform.python_version(),
            "sentence-transformers": sentence_transformers.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "torch": torch.__version__.split("+")[0],
            "numpy": numpy.__version__,
        },
        "sha256": {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in FILES},
        "max_sequence": MAX_SEQUENCE,
        "dimensions": len(vectors[0]["embedding"]),
    }
    head = json.dumps(out, indent=1, ensure_ascii=False)[:-2]
    rows = ",\n".join("  " + json.dumps(vector, ensure_ascii=True, separators=(",", ":")) for vector in vectors)
    (HERE / "minilm.json").write_text(f"{head},\n \"vectors\": [\n{rows}\n ]\n}}\n")


if __name__ == "__main__":
    main()

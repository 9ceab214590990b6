#!/usr/bin/env python3
"""Makes the reference for all-MiniLM-L6-v2: 1,000 texts of 3 to 200 tokens, their token ids and embeddings.

transformers on PyTorch, f32, one text at a time, mean over the tokens, divided by its length. The texts are sentences
and runs of sentences (corpus.py), 250 from each of four ranges of lengths. Writes minilm/reference.safetensors
(places.py has the format):

    texts        U8  ragged    the 1,000 texts in UTF-8
    ids          U32 ragged    token ids of each, [CLS] and [SEP] among them, neither cut off nor padded
    embeddings   F32 [1000, 384]

    VENV/bin/python bench/python/minilm_reference.py
"""
import random
import time

import numpy
import tokenizers
import torch
import transformers

import corpus
import places

FILES = ("config.json", "model.safetensors", "tokenizer.json")
RANGES = ((3, 15), (16, 40), (41, 90), (91, 200))
PER_RANGE = 250
SEED = 20


def tokenizer():
    """The model's tokenizer without the truncation to 128 tokens and the padding that its file asks for."""
    own = tokenizers.Tokenizer.from_file(str(places.MODELS / "minilm/tokenizer.json"))
    own.no_truncation()
    own.no_padding()
    return own


def model():
    """The model as transformers reads it, in f32."""
    return transformers.BertModel.from_pretrained(
        places.MODELS / "minilm", dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False).eval()


def embed(bert, ids, mask):
    """Embeddings of a batch."""
    hidden = bert(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    pooled = (hidden * weights).sum(1) / weights.sum(1)
    return torch.nn.functional.normalize(pooled, dim=1)


def choose(own):
    """Texts and their ids, evenly from the ranges."""
    chance = random.Random(SEED)
    sentences, runs = set(), set()
    for document in corpus.documents():
        found = [sentence for paragraph in corpus.paragraphs(document) for sentence in paragraph]
        sentences.update(found)
        at = 0
        while at < len(found):
            count = chance.randint(2, 9)
            runs.add(" ".join(found[at:at + count]))
            at += count
    candidates = sorted(sentences | runs)
    chance.shuffle(candidates)
    left, chosen = [PER_RANGE] * len(RANGES), []
    for text in candidates:
        ids = own.encode(text).ids
        for index, (shortest, longest) in enumerate(RANGES):
            if shortest <= len(ids) <= longest and left[index]:
                left[index] -= 1
                chosen.append((text, ids))
    assert not any(left), f"too little text: {left} are missing"
    return chosen


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    chosen = choose(tokenizer())
    bert = model()
    begun = time.perf_counter()
    with torch.inference_mode():
        rows = [embed(bert, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))[0].numpy()
                for _, ids in chosen]
    lengths = [len(ids) for _, ids in chosen]
    places.write(
        "minilm",
        places.texts("texts", [text for text, _ in chosen])
        | places.ragged("ids", [ids for _, ids in chosen], numpy.uint32)
        | {"embeddings": numpy.stack(rows).astype(numpy.float32)},
        FILES,
        seconds=round(time.perf_counter() - begun, 1),
        tokens=f"{sum(lengths)} in all, {min(lengths)} to {max(lengths)}",
    )


if __name__ == "__main__":
    main()

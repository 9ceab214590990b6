#!/usr/bin/env python3
"""Makes the references for the decoders stories15m and smollm2: what f32 predicts for text that is given.

transformers on PyTorch, f32 on one thread, each window by itself and from position 0. The windows of stories15m are
sampled from the model (temperature 1, fixed seed, from <s> on); those of smollm2 are real English (corpus.py). Writes
NAME/reference.safetensors (places.py has the format):

    ids             U32 [windows, length]       the windows' tokens
    top1            U32 [windows, length - 1]   the most probable successor of ids[:, :-1], given all before it too
    margins         F32 [windows, length - 1]   by how much its logit is above the second largest
    log_probs       F32 [windows, length - 1]   natural logarithm of the probability of ids[:, 1:]
    prompts         U8  ragged                  three prompts in UTF-8
    prompts.ids     U32 ragged                  their tokens (with its own `.offsets`)
    greedy          U32 [3, 64]                 the most probable successors; an end of text does not end them
    greedy_margins  F32 [3, 64]                 as `margins`

    VENV/bin/python bench/python/decoder_reference.py stories15m smollm2
"""
import sys
import time

import gguf
import numpy
import tokenizers
import torch
import transformers

import corpus
import places

SEED = 20
GREEDY = 64


def stories15m():
    """Model, tokenizer and files of a folder in Hugging Face's layout."""
    folder = places.MODELS / "stories15m"
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    own = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return model.eval(), own, ("config.json", "model.safetensors", "tokenizer.json")


def halves(rows, heads):
    """Rows of a query or key matrix as transformers has them: llama.cpp's have the two halves of a head interleaved."""
    size = len(rows) // heads
    return rows.reshape(heads, size // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def smollm2():
    """Model, tokenizer and files of a GGUF file, every tensor dequantised to f32 by llama.cpp's `gguf`."""
    reader = gguf.GGUFReader(places.MODELS / "smollm2/model.gguf")
    value = {name: field.contents() for name, field in reader.fields.items()}
    config = transformers.LlamaConfig(
        vocab_size=value["llama.vocab_size"], hidden_size=value["llama.embedding_length"],
        intermediate_size=value["llama.feed_forward_length"], num_hidden_layers=value["llama.block_count"],
        num_attention_heads=value["llama.attention.head_count"],
        num_key_value_heads=value["llama.attention.head_count_kv"],
        max_position_embeddings=value["llama.context_length"],
        rms_norm_eps=value["llama.attention.layer_norm_rms_epsilon"], tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": value["llama.rope.freq_base"]},
        attn_implementation="eager", dtype=torch.float32)
    names = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    state = {}
    for tensor in reader.tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        if tensor.name.startswith("blk."):
            _, layer, kind, _ = tensor.name.split(".")
            weight = halves(weight, heads[kind]) if kind in heads else weight
            name = f"model.layers.{layer}.{names[kind]}.weight"
        else:
            name = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[
                tensor.name]
        state[name] = torch.from_numpy(numpy.array(weight))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(state, strict=True, assign=True)
    assert not missing and not unexpected
    # Its frequencies are not in the state and were not computed on "meta".
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    vocabulary = {token: at for at, token in enumerate(value["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ")) for merge in value["tokenizer.ggml.merges"]]
    own = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    # "smollm": every digit by itself, then GPT-2's pattern.
    own.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    own.decoder = tokenizers.decoders.ByteLevel()
    kinds = value["tokenizer.ggml.token_type"]
    own.add_special_tokens([token for token, at in vocabulary.items() if kinds[at] == gguf.TokenType.CONTROL])
    return model.eval(), own, ("model.gguf",)


def sampled(model, own):
    """Windows of stories that the model tells: 16 of 256 tokens, its whole context."""
    chance = torch.Generator().manual_seed(SEED)
    ids, cache = torch.full((16, 1), model.config.bos_token_id), None
    while ids.shape[1] < model.config.max_position_embeddings:
        output = model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        ids = torch.cat([ids, torch.multinomial(output.logits[:, -1].softmax(-1), 1, generator=chance)], 1)
    return ids


def english(model, own):
    """Windows of real text: 10 of 256 tokens, from the beginnings of documents of different kinds."""
    windows = []
    for documents, count in (corpus.topics(), 4), (corpus.docstrings(), 3), (corpus.readmes(), 3):
        prose = ["\n\n".join(" ".join(sentences) for sentences in corpus.paragraphs(text)) for text in documents]
        for text in sorted(prose, key=len, reverse=True)[:count]:
            windows.append(own.encode(text[:4000]).ids[:256])
    return torch.tensor(windows)


PROMPTS = {
    "stories15m": ("Once upon a time", "Lily and her dog went to the park.", "The old tree was sad because"),
    "smollm2": (
        "The capital of France is",
        "A hash function is",
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"),
}
MODELS = {"stories15m": (stories15m, sampled), "smollm2": (smollm2, english)}


def greedy(model, prompt):
    """Successors of a prompt, and the margins of each."""
    ids, cache, tokens, margins = torch.tensor([prompt]), None, [], []
    for _ in range(GREEDY):
        output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = output.past_key_values
        best = output.logits[0, -1].topk(2)
        tokens.append(best.indices[0].item())
        margins.append((best.values[0] - best.values[1]).item())
        ids = best.indices[None, :1]
    return tokens, margins


def reference(name):
    load, windows = MODELS[name]
    begun = time.perf_counter()
    model, own, files = load()
    ids = windows(model, own)
    print(f"{name}: {list(ids.shape)} after {time.perf_counter() - begun:.1f} s", flush=True)
    top1, margins, log_probs = [], [], []
    for window in ids:
        logits = model(input_ids=window[None, :-1], use_cache=False).logits[0]
        best = logits.topk(2)
        top1.append(best.indices[:, 0])
        margins.append(best.values[:, 0] - best.values[:, 1])
        log_probs.append(logits.double().log_softmax(-1).gather(1, window[1:, None])[:, 0].float())
    top1, margins, log_probs = map(torch.stack, (top1, margins, log_probs))
    prompts = [own.encode(prompt).ids for prompt in PROMPTS[name]]
    generated = [greedy(model, prompt) for prompt in prompts]
    right = (top1 == ids[:, 1:]).double().mean().item()
    places.write(
        name,
        {"ids": ids.numpy().astype(numpy.uint32), "top1": top1.numpy().astype(numpy.uint32),
         "margins": margins.numpy(), "log_probs": log_probs.numpy()}
        | places.texts("prompts", PROMPTS[name]) | places.ragged("prompts.ids", prompts, numpy.uint32)
        | {"greedy": numpy.array([tokens for tokens, _ in generated], numpy.uint32),
           "greedy_margins": numpy.array([margins for _, margins in generated], numpy.float32)},
        files,
        predictions=log_probs.numel(),
        perplexity=(-log_probs.double().mean()).exp().item(),
        top1_is_true=right,
        margins_below_0_01=(margins < 0.01).sum().item(),
        seconds=round(time.perf_counter() - begun, 1),
    )
    for prompt, (tokens, _) in zip(PROMPTS[name], generated):
        print(f"  {prompt!r} … {own.decode(tokens)!r}")


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    with torch.inference_mode():
        for name in sys.argv[1:] or MODELS:
            reference(name)


if __name__ == "__main__":
    main()

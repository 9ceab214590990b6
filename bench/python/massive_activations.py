#!/usr/bin/env python3
"""Makes a Qwen2 model with massive activations, and the reference for it: what f32 predicts for text that is given.

No Qwen2 is among the models that can be fetched, so this one is made: random weights with tails as trained ones have, and
planted in them what Sun et al. 2024 (arXiv:2402.17762) and others measured in trained models:

- at the first token and at delimiters, a feed-forward layer near the beginning writes 12,000 and 1,500 into one channel each
  of the hidden state, where everything else is below ten; they stay there until the last layer takes most of it back;
- biases of keys of up to 150, in the dimensions that rotate slowest, so that attention depends little on them.

The model goes to MODELS/massive (config.json, model.safetensors). Windows are sampled from the model itself (temperature 1,
fixed seed), five of 256 tokens, but every tenth token or so is a delimiter. The reference has `ids`, `top1`, `margins` and `log_probs` as in decoder_reference.py, and

    scores          F32 [windows, length - 1, vocabulary]   the logits
    delimiters      U32 [windows, length - 1]   1 where the token is one of those with massive activations

    VENV/bin/python bench/python/massive_activations.py
"""
import json

import numpy
import torch
import transformers
from safetensors.torch import save_file

import places

NAME = "massive"
SEED = 30
WIDTH, LAYERS, HEADS, KEYS, INNER, VOCABULARY = 256, 8, 4, 2, 768, 2048
DIMENSION = WIDTH // HEADS
WINDOWS, LENGTH = 5, 256
# The first token, and three that the text is made to have more often than others.
FIRST, DELIMITERS = 0, (1, 2, 3)
# Channels that say which of these a token is, and channels in which they become massive.
MARKS, MASSIVE, HEIGHTS = (7, 8), (100, 201), (12_000.0, 1_500.0)
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": VOCABULARY, "hidden_size": WIDTH,
    "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KEYS,
    "hidden_act": "silu", "max_position_embeddings": LENGTH, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
    "tie_word_embeddings": False, "use_sliding_window": False, "bos_token_id": None, "eos_token_id": VOCABULARY - 1,
}


def noise(generator, *shape):
    """Student's t with five degrees of freedom, of variance one: weights have heavier tails than a normal distribution."""
    normal = torch.randn(shape, generator=generator)
    squares = sum(torch.randn(shape, generator=generator) ** 2 for _ in range(5))
    return normal / (squares / 5).sqrt() / (5 / 3) ** 0.5


def spread(generator, count, by):
    return (by * torch.randn(count, generator=generator)).exp()


def weights():
    """All tensors by their names."""
    generator = torch.Generator().manual_seed(SEED)

    def matrix(rows, columns, gain):
        spreads = spread(generator, (rows, 1), 0.3) * spread(generator, (1, columns), 0.2)
        return gain * noise(generator, rows, columns) * spreads / columns ** 0.5

    model = {"model.embed_tokens.weight": noise(generator, VOCABULARY, WIDTH)}
    model["lm_head.weight"] = matrix(VOCABULARY, WIDTH, 1.6)
    model["model.norm.weight"] = spread(generator, WIDTH, 0.3)
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        for norm in "input_layernorm", "post_attention_layernorm":
            model[f"{name}.{norm}.weight"] = spread(generator, WIDTH, 0.4)
        for part, heads, gain in ("q", HEADS, 1.2), ("k", KEYS, 1.2), ("v", KEYS, 1.0):
            model[f"{name}.self_attn.{part}_proj.weight"] = matrix(heads * DIMENSION, WIDTH, gain)
            model[f"{name}.self_attn.{part}_proj.bias"] = 0.3 * noise(generator, heads * DIMENSION)
        keys = model[f"{name}.self_attn.k_proj.bias"].view(KEYS, DIMENSION)
        for slowest in range(DIMENSION // 2 - 3, DIMENSION // 2):
            for half in 0, DIMENSION // 2:
                signs = torch.randint(0, 2, (KEYS,), generator=generator) * 2 - 1
                keys[:, slowest + half] += signs * (30 + 120 * torch.rand(KEYS, generator=generator))
        model[f"{name}.self_attn.o_proj.weight"] = matrix(WIDTH, HEADS * DIMENSION, 0.35)
        model[f"{name}.mlp.gate_proj.weight"] = matrix(INNER, WIDTH, 1.0)
        model[f"{name}.mlp.up_proj.weight"] = matrix(INNER, WIDTH, 1.0)
        model[f"{name}.mlp.down_proj.weight"] = matrix(WIDTH, INNER, 0.4)
    plant(model)
    return {name: tensor.contiguous() for name, tensor in model.items()}


def plant(model):
    """Makes the activations of the first token and of delimiters massive."""
    table = model["model.embed_tokens.weight"]
    table[:, list(MARKS)] = 0
    table[FIRST, MARKS[0]] = 12
    table[list(DELIMITERS), MARKS[1]] = 12
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        # Nothing else writes into these channels, and what reads the massive ones is trained not to drown in them.
        for matrix in "self_attn.o_proj", "mlp.down_proj":
            model[f"{name}.{matrix}.weight"][list(MARKS + MASSIVE)] *= 0.01
        for norm in "input_layernorm", "post_attention_layernorm":
            model[f"{name}.{norm}.weight"][list(MASSIVE)] = 0.25
    for which, height in enumerate(HEIGHTS):
        # Three units of the second layer see the mark; of the last one, the massive channel itself.
        for layer, channel, sign in (1, MARKS[which], 1), (LAYERS - 1, MASSIVE[which], -1):
            name = f"model.layers.{layer}.mlp"
            gain = model[f"model.layers.{layer}.post_attention_layernorm.weight"][channel].item()
            # What the norm leaves of a channel that is far above all others, and of a mark.
            seen = gain * WIDTH ** 0.5 * (1.0 if sign < 0 else 12 / (WIDTH + 144) ** 0.5)
            units = [16 * which + unit for unit in range(3)]
            for unit, share in zip(units, (0.5, 0.3, 0.2)):
                for part in "gate_proj", "up_proj":
                    model[f"{name}.{part}.weight"][unit] *= 0.02
                    model[f"{name}.{part}.weight"][unit, channel] = 25.0 / seen * (1 + share / 7)
                model[f"{name}.down_proj.weight"][:, unit] *= 0.01
                made = (25.0 * (1 + share / 7)) ** 2
                model[f"{name}.down_proj.weight"][MASSIVE[which], unit] = sign * share * height / made
    model["model.norm.weight"][list(MASSIVE)] = 0.02


def run(model, ids):
    """What the model gives for one window, with all hidden states."""
    return model(input_ids=ids[None], use_cache=False, output_hidden_states=True)


def calibrate(model):
    """Brings massive activations to their heights: how much the units see of a mark depends on all that is beside it."""
    generator = torch.Generator().manual_seed(SEED)
    ids = torch.randint(4, VOCABULARY, (64,), generator=generator)
    ids[8::8] = DELIMITERS[0]
    ids[0] = FIRST
    hidden = run(model, ids).hidden_states[2][0]
    down = model.model.layers[1].mlp.down_proj.weight
    for channel, height, rows in zip(MASSIVE, HEIGHTS, (hidden[:1], hidden[8::8])):
        got = rows[:, channel].mean()
        units = down[channel].abs() > 0.1 * down[channel].abs().max()
        down[channel, units] *= height / got


def sampled(model):
    """Windows that the model writes, each from the first token on."""
    chance = torch.Generator().manual_seed(SEED)
    ids, cache = torch.full((WINDOWS, 1), FIRST), None
    while ids.shape[1] < LENGTH:
        output = model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        following = torch.multinomial(output.logits[:, -1].softmax(-1), 1, generator=chance)
        delimiters = torch.tensor(DELIMITERS)[torch.randint(0, len(DELIMITERS), (WINDOWS, 1), generator=chance)]
        ends = torch.rand((WINDOWS, 1), generator=chance) < 0.1
        ids = torch.cat([ids, torch.where(ends, delimiters, following)], 1)
    return ids


def main():
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    folder = places.MODELS / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1))
    with torch.no_grad():
        model = transformers.Qwen2ForCausalLM(
            transformers.Qwen2Config(**CONFIG, dtype=torch.float32, attn_implementation="eager")).eval()
        model.load_state_dict(weights(), strict=True)
        calibrate(model)
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
        ids = sampled(model)
        outputs = [run(model, window[:-1]) for window in ids]
    scores = torch.cat([output.logits for output in outputs])
    best = scores.topk(2)
    chosen = scores.double().log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    is_massive = torch.isin(ids[:, :-1], torch.tensor([FIRST, *DELIMITERS]))
    # Largest of each layer, where activations are massive and elsewhere.
    hidden = [torch.cat([output.hidden_states[layer] for output in outputs]).abs().amax(-1)
              for layer in range(LAYERS + 1)]
    heights = "; ".join(f"{of[:, 0].mean():.0f} {of[:, 1:][is_massive[:, 1:]].mean():.0f} {of[~is_massive].mean():.1f}"
                        for of in hidden)
    places.write(
        NAME,
        {"ids": ids.numpy().astype(numpy.uint32), "top1": best.indices[..., 0].numpy().astype(numpy.uint32),
         "margins": (best.values[..., 0] - best.values[..., 1]).numpy(), "log_probs": chosen.float().numpy(),
         "scores": scores.numpy(), "delimiters": is_massive.numpy().astype(numpy.uint32)},
        ("config.json", "model.safetensors"),
        predictions=chosen.numel(),
        perplexity=(-chosen.mean()).exp().item(),
        massive=is_massive.sum().item(),
        largest_by_layer=f"(first, delimiters, others) {heights}",
        margins_below_0_1=((best.values[..., 0] - best.values[..., 1]) < 0.1).double().mean().item(),
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes texts.json: token ids and chat texts of the test models by programs that are not ours.

- `tokenizers` (Hugging Face) reads the tokenizer.json of minilm and stories15m.
- llama.cpp (in `xllamacpp`) reads smollm2's GGUF file as it is; with other names in `tokenizer.ggml.pre`, which make it
  cut text in other ways; and a GGUF file of SentencePiece's kind, made from stories15m's vocabulary with the scores that
  Llama 2's own has (0 for the first 259 tokens, then -1, -2, ...).
- `transformers` renders smollm2's chat template and templates like those of other families.
- `gguf` (llama.cpp's Python package) gives weights of smollm2; rows of queries and keys are put into Hugging Face's order
  as transformers does when it loads such files.

Texts are in Unicode's form C, into which `qwen2` brings them and llama.cpp does not.

    python3 -m venv VENV && VENV/bin/pip install gguf==0.19.0 tokenizers==0.23.3 transformers==5.24.0 jinja2 \\
        xllamacpp==2026.10.11549
    VENV/bin/python tests/vectors/texts.py          # reads $ASSAY_MODELS/{minilm,stories15m,smollm2}
"""
import json
import os
import pathlib
import tempfile
import unicodedata
import urllib.request

import gguf
import numpy
import tokenizers
import transformers
import xllamacpp
from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).resolve().parent
MODELS = pathlib.Path(os.environ.get("ASSAY_MODELS", pathlib.Path.home() / ".cache/assay/models"))

TEXTS = [
    "",
    " ",
    "     ",
    "a",
    "Hello world",
    " Hello  world ",
    "The cat's tail, it'S, we'll, I'D, they've, you're, I'm, don't, 'tis",
    "tabs\tand\ttabs\t\tnew lines\nand\n\nmore\r\nwindows \n trailing  \n",
    "0 1 12 123 1234 12345 123456 1234567 3.14159 1,000,000 0x1F 1e-5 ½ ² ٣٤٥ ⅷ 一二三",
    "def f(x):\n    if x != 0:\n        return {\"a\": [x**2, -x], 'b': `x`}  # comment\n",
    "for (int i=0;i<n;++i){sum+=a[i]*b[i];} // x->y; a&&b||c; $foo = \"${bar}\";",
    "<html><body class=\"x\">&amp;&lt;</body></html>",
    "https://example.com/path?query=1&other=%20#fragment me@example.org",
    "Prix: 12,50 € – naïve café, Straße, ΑΘΗΝΑ, Київ, İstanbul",
    "東京は日本の首都です。中文字符，測試！한국어 텍스트",
    "العربية עברית हिन्दी ไทย ქართული",
    "🚀 to the moon 🌕 👩‍👩‍👧‍👦 🏳️‍🌈 🇺🇦 ☃️ 🧿",
    "zero\u200bwidth\u200djoiner\ufeffbom non\u00a0breaking\u2003em\u3000ideographic\u0085next",
    "control\u0001\u0002\u007f characters\u0000nul",
    "e\u0301 combining was composed",
    "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𐍈 \U0001f9ff \U0010ffff \ufffd",
    "x" * 100,
    "antidisestablishmentarianism Donaudampfschifffahrtsgesellschaft",
    "!!!???...,,,;;;:::--- ___ *** === ~~~ ^^^ ||| <<< >>> +++ $$$",
    "UPPER lower MiXeD camelCase snake_case kebab-case SCREAMING_SNAKE",
    "▁ already ▁there Ġ ġ Ċ",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|>",
    "<s>begin</s> <unk> [CLS] [SEP] <0x0A>",
    "word<|im_end|>word <|im_end|> word",
    "a\n b\n  c\n   d\n\n\n e",
    "«quotes» “curly” ‘single’ „low“ 'straight' \"double\"",
    "1st 2nd 3rd 4th 10th 21st Q4 H2O CO2 v1.2.3-rc.4+build.5",
]
# `tokenizer.ggml.pre` for smollm2's vocabulary. Each stands for a way to cut text.
PRE = ["default", "gpt-2", "llama-bpe", "smaug-bpe", "qwen2", "stablelm2", "smollm", "falcon"]

CHATS = {
    "user": [{"role": "user", "content": "Hi, who are you?"}],
    "system": [
        {"role": "system", "content": "You are terse.\n"},
        {"role": "user", "content": " What is 2 + 2? "},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "And <b>\"3 + 3\"</b>?\n"},
    ],
}
TEMPLATES = {
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
        "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
        "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if loop.index0 == 0 and system_message != false %}"
        "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}"
        "{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
        "{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"),
    "llama3": (
        "{{- bos_token }}\n{%- if not date_string is defined %}\n    {%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}\n"
        "{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n"
        "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n"
        "    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = \"\" %}\n{%- endif %}\n\n"
        "{#- System message #}\n{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n"
        "{%- if tools is not none %}\n    {{- \"Environment: ipython\\n\" }}\n{%- endif %}\n"
        "{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n{{- system_message }}\n{{- \"<|eot_id|>\" }}\n"
        "{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or "
        "'tool_calls' in message) %}\n        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
        "message['content'] | trim + '<|eot_id|>' }}\n    {%- endif %}\n{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"),
    "qwen2": (
        "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- for tool in tools %}\n        {{- tool | tojson }}\n"
        "    {%- endfor %}\n{%- else %}\n    {%- if messages[0]['role'] == 'system' %}\n"
        "        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n    {%- else %}\n"
        "        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}\n"
        "    {%- endif %}\n{%- endif %}\n{%- for message in messages %}\n"
        "    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) or "
        "(message.role == \"assistant\" and not message.tool_calls) %}\n"
        "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- endif %}\n"
        "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n"),
    "trimmed": (
        "{% for m in messages %}\n    {% if loop.first %}\n  first\n    {% endif %}\n"
        "{% if m.role == 'assistant' %}{% continue %}{% endif %}\n"
        "  {{ m.content.split(' ')[0] | upper }} {{ m | tojson }} {{ m.content.replace('?', '!').rstrip() }}\n{% endfor %}\n"),
}


def llama_cpp(path, requests):
    """Token ids of (text, add_special) by llama.cpp's server."""
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.warmup, params.verbosity = str(path), 256, False, 0
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    out = []
    for text, special in requests:
        body = json.dumps({"content": text, "add_special": special, "parse_special": True}).encode()
        request = urllib.request.Request(
            server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            out.append(json.load(answer)["tokens"])
    del server
    return out


def tiny(path, model, tokens, kinds, **more):
    """A GGUF file with a vocabulary and the smallest model that llama.cpp loads."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if "pre" in more:
        writer.add_tokenizer_pre(more["pre"])
        writer.add_token_merges(more["merges"])
    if "scores" in more:
        writer.add_token_scores(more["scores"])
    half = numpy.float16
    writer.add_tensor("token_embd.weight", numpy.zeros((len(tokens), 32), half))
    writer.add_tensor("output_norm.weight", numpy.ones(32, numpy.float32))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", numpy.ones(32, numpy.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", numpy.zeros((32, 32), half))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def digest(values):
    """Of f32, in order: the sum of each one's bits times its number, counted from one, modulo 2^64."""
    bits = numpy.ascontiguousarray(values, numpy.float32).reshape(-1).view(numpy.uint32).astype(numpy.uint64)
    return int((bits * numpy.arange(1, bits.size + 1, dtype=numpy.uint64)).sum(dtype=numpy.uint64))


def weights(path):
    """Names by Hugging Face, shapes and digests of some of smollm2's tensors."""
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    layer = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
             "attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    for number in (0, 29):
        names.update({f"blk.{number}.{a}.weight": f"model.layers.{number}.{b}.weight" for a, b in layer.items()})
    rows = []
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.name in names:
            values = gguf.dequantize(tensor.data, tensor.tensor_type)
            heads = {"attn_q": 9, "attn_k": 3}.get(tensor.name.split(".")[-2])
            if heads:
                half = values.shape[0] // heads // 2
                values = values.reshape(heads, half, 2, -1).swapaxes(2, 1).reshape(values.shape)
            rows.append({"name": names[tensor.name], "shape": list(values.shape), "digest": digest(values)})
    assert len(rows) == len(names)
    return sorted(rows, key=lambda row: row["name"])


def main():
    assert all(unicodedata.is_normalized("NFC", text) for text in TEXTS[:19] + TEXTS[20:])
    texts = [unicodedata.normalize("NFC", text) for text in TEXTS]
    both = [(text, special) for text in texts for special in (True, False)]
    sets = []

    for name in ("minilm", "stories15m"):
        tokenizer = tokenizers.Tokenizer.from_file(str(MODELS / name / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        ids = [tokenizer.encode(text, add_special_tokens=special).ids for text, special in both]
        decoded = [tokenizer.decode(row, skip_special_tokens=True) for row in ids[::2]]
        sets.append({"name": name, "by": "tokenizers", "ids": ids, "decoded": decoded})

    path = MODELS / "smollm2/model.gguf"
    sets.append({"name": "smollm2", "by": "llama.cpp", "ids": llama_cpp(path, both)})
    fields = {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.gguf"
        for pre in PRE:
            tiny(path, "gpt2", fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"],
                 pre=pre, merges=fields["tokenizer.ggml.merges"])
            sets.append({"name": pre, "by": "llama.cpp", "ids": llama_cpp(path, both)})
        vocabulary = json.loads((MODELS / "stories15m/tokenizer.json").read_text())["model"]["vocab"]
        tokens = sorted(vocabulary, key=vocabulary.get)
        kinds = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
        scores = [0.0] * 259 + [-float(i) for i in range(len(tokens) - 259)]
        tiny(path, "llama", tokens, kinds, scores=scores)
        sets.append({"name": "sentencepiece", "by": "llama.cpp", "ids": llama_cpp(path, both)})

    templates = {"smollm2": fields["tokenizer.chat_template"], **TEMPLATES}
    chats = []
    for name, template in templates.items():
        for chat, messages in CHATS.items():
            for prompt in (True, False):
                (text,), _ = render_jinja_template(
                    conversations=[messages], chat_template=template, add_generation_prompt=prompt,
                    bos_token="<s>", eos_token="</s>")
                chats.append({"template": name, "chat": chat, "prompt": prompt, "text": text})

    programs = {module.__name__: module.__version__ for module in (tokenizers, transformers, xllamacpp)}
    head = {"made_by": "tests/vectors/texts.py", "programs": programs}
    compact = lambda row: json.dumps(row, separators=(",", ":"))
    parts = [json.dumps(head, indent=1)[:-2]]
    tensors = weights(MODELS / "smollm2/model.gguf")
    for key, rows in (("texts", texts), ("sets", sets), ("chats", chats), ("weights", tensors)):
        parts.append(f" {json.dumps(key)}: [\n" + ",\n".join("  " + compact(row) for row in rows) + "\n ]")
    parts.append(' "templates": ' + compact(TEMPLATES))
    parts.append(' "conversations": ' + compact(CHATS))
    (HERE / "texts.json").write_text(",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes PyPI's torch wheel for Linux importable without CUDA's libraries, for work on the CPU only.

The wheel (540 MB) is linked against a dozen of NVIDIA's libraries, which are another 2 to 3 GB. This
builds an empty library with the same name and symbols for each one that is missing, beside torch's own;
every function in them returns 100, "no device" (or a text, if it names an error), so that torch finds no GPU.
Where the real ones are installed it does nothing. Needs gcc and readelf.

    python3 -m venv VENV && VENV/bin/pip install -r bench/python/requirements.txt
    VENV/bin/pip install --no-deps torch==2.15.0
    VENV/bin/python bench/python/torch_cpu.py
"""
import ctypes
import importlib.util
import pathlib
import re
import subprocess
import tempfile

# A symbol without a version does not say which library it is from; its name does.
PREFIXES = {
    "libcusparseLt": "cusparseLt", "libnccl": "nccl", "libcufile": "cuFile", "libnvshmem_host": "nvshmem",
    "libcupti": "cupti", "libcublas": "cublas", "libcudart": "cuda", "libcusolver": "cusolver",
}


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *map(str, arguments)], check=True, text=True, capture_output=True).stdout


def present(name):
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def build(folder, name, node, symbols):
    """One library `name` in which every symbol is a function that fails; `node` is their version, if any."""
    with tempfile.TemporaryDirectory() as tmp:
        source, script = pathlib.Path(tmp) / "stub.c", pathlib.Path(tmp) / "stub.map"
        names = re.compile("(Error|Result|Status)_?(String|Name)", re.IGNORECASE)
        source.write_text("".join(
            f'const char *{s}(void) {{ return "no CUDA library"; }}\n' if names.search(s)
            else f"long {s}(void) {{ return 100; }}\n" for s in sorted(symbols)))
        script.write_text(f"{node} {{ global: *; }};\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O0", "-w", f"-Wl,-soname,{name}",
                        f"-Wl,--version-script={script}", "-o", folder / name, source], check=True)


def main():
    folder = pathlib.Path(importlib.util.find_spec("torch").submodule_search_locations[0]) / "lib"
    needed, symbols, nodes = set(), set(), {}
    for file in folder.glob("*.so"):
        needed |= set(re.findall(r"NEEDED.*\[(lib(?:cu|nccl|nv)\S+)\]", readelf("-d", file)))
        symbols |= set(re.findall(r" UND ([\w@.]+)", readelf("--dyn-syms", file)))
        nodes |= dict(re.findall(r"File: (lib(?:cu|nccl|nv)\S+).*\n.*Name: (\S+)", readelf("-V", file)))
    for name in sorted(needed - {"libcuda.so.1"}):
        if (folder / name).exists() or present(name) or list(folder.parent.parent.glob(f"nvidia/*/lib/{name}")):
            continue
        node, prefix = nodes.get(name, ""), PREFIXES.get(name.split(".so")[0])
        own = {s.split("@")[0] for s in symbols if node and s.endswith(f"@{node}")}
        own |= {s for s in symbols if prefix and re.fullmatch(f"{prefix}\\w+", s)}
        build(folder, name, node, own)
        print(f"{folder / name}: empty, {len(own)} symbols")


if __name__ == "__main__":
    main()

"""Real English text that is there without a network: what comes with Python and with the pinned packages.

Python's language reference (`pydoc_data.topics`), the docstrings of its standard library, and the READMEs of the
installed packages. The same versions of Python and packages give the same text.
"""
import ast
import importlib.metadata
import pathlib
import pydoc_data.topics
import re
import sysconfig

PACKAGES = ("huggingface_hub", "networkx", "numpy", "onnx", "onnxruntime", "requests", "rich", "safetensors", "sympy",
            "tokenizers", "torch", "transformers")


def topics():
    """Chapters of the language reference."""
    return [text for _, text in sorted(pydoc_data.topics.topics.items())]


def docstrings():
    """One document a module of the standard library: its docstrings in order."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    documents = []
    for file in sorted(library.glob("*.py")) + sorted(library.glob("[a-z]*/*.py")):
        if re.search(r"/(site-packages|test|tests|idlelib|lib2to3|turtledemo|pydoc_data)/", str(file)):
            continue
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        documents.append("\n\n".join(text for text in found if text))
    return documents


def readmes():
    """What packages say of themselves."""
    return [importlib.metadata.metadata(package).get_payload() or "" for package in PACKAGES]


def is_prose(text):
    """Whether it reads as a sentence and not as code, a table or a list."""
    letters = sum(c.isalpha() or c == " " for c in text)
    return (letters >= 0.88 * len(text) and text[:1].isupper() and text[-1:] in ".!?" and " " in text
            and not re.search(r">>>|[|{}<>=]|__|https?:", text))


def paragraphs(document):
    """Its paragraphs of prose, each a list of sentences."""
    for block in re.split(r"\n\s*\n", document):
        text = re.sub(r"\s+", " ", block).strip()
        sentences = [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text) if is_prose(s)]
        if sentences:
            yield sentences


def documents():
    """All of it."""
    return topics() + docstrings() + readmes()

"""The reference of the SDK is made from its signatures and docstrings."""

from __future__ import annotations

import inspect
import os
import re
from typing import TYPE_CHECKING, Any

import pydantic

import frond
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "reference" / "sdk.md"
HEAD = """# The SDK

What `frond` exports, made from its docstrings by `tests/unit/docs/test_sdk_reference.py`. How to begin:
[integrate](../guides/integrate.md). The models of the wire contract (`frond.types`) are in the service's OpenAPI
document as well.

"""
WIRE_MODELS = {"ClientInfo", "Diagnosis", "ImageReference", "PlantContext"}


def signature(name: str, item: Any) -> str:
    """On one line, without `self` and without the addresses of default factories."""
    text = str(inspect.signature(item)).replace("(self, ", "(").replace("(self)", "()")
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    return name + re.sub(r"<[^>]*>", "…", re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", text))


def text_of(item: Any) -> str:
    return inspect.getdoc(item) or ""


def methods_of(item: type) -> Iterator[tuple[str, Any]]:
    """Its own public ones, in the order of the source."""
    for name, member in vars(item).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member


def section(name: str, item: Any) -> Iterator[str]:
    yield f"## {name}\n"
    is_exception = isinstance(item, type) and issubclass(item, Exception)
    is_model = isinstance(item, type) and issubclass(item, pydantic.BaseModel)
    if not is_exception and not is_model:
        yield f"```python\n{signature(name, item)}\n```\n"
    if is_exception:
        line = (f"`{base.__name__}`" for base in item.__mro__ if issubclass(base, Exception))
        yield f"An exception: {' ← '.join(line)}.\n"
    if text_of(item):
        yield text_of(item) + "\n"
    if isinstance(item, type) and not is_model:
        for method, member in methods_of(item):
            head = method if isinstance(member, property) else signature(method, member)
            yield f"**`{head}`**\n"
            yield text_of(member) + "\n" if text_of(member) else ""


def reference() -> str:
    names = [name for name in frond.__all__ if name not in WIRE_MODELS]
    parts = (part for name in names for part in section(name, getattr(frond, name)))
    return HEAD + "\n".join(part for part in parts if part)


def test_the_page_says_what_the_docstrings_say() -> None:
    """FROND_WRITE_DOCS=1 writes it."""
    if os.environ.get("FROND_WRITE_DOCS"):
        PAGE.write_text(reference())
    assert PAGE.read_text() == reference(), "FROND_WRITE_DOCS=1 writes it anew"


def test_everything_that_is_exported_says_what_it_is() -> None:
    silent = {name for name in frond.__all__ if not (getattr(frond, name).__doc__ or "").strip()}
    assert not silent

"""The reference of the SDK is made from its signatures and docstrings."""

from __future__ import annotations

import inspect
import os
import re
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import pydantic

import frond
from frond.types import Error, ModelInfo, Timing
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "reference" / "sdk.md"
HEAD = """# The SDK

What `frond` exports, made from its docstrings by `tests/unit/docs/test_sdk_reference.py`. How to begin:
[integrate](../guides/integrate.md). The models of the wire contract, those of `frond.types`, are in the service's
OpenAPI document as well, where their names are in camelCase.

"""
INDIRECT = [Error, ModelInfo, Timing]  # of `frond.types`: parts of models that are exported


def signature(name: str, item: Any) -> str:
    """On one line, without `self` and without the addresses of default factories."""
    name = f"async def {name}" if inspect.iscoroutinefunction(item) else name
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


def fields_of(model: type[pydantic.BaseModel]) -> Iterator[str]:
    rows = ["| field | type | default | |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else f"`{field.default!r}`"
        kind = re.sub(r"[\w.]*\.(?=\w)", "", field_type(field.annotation)).replace("|", "\\|")
        rows.append(f"| `{name}` | `{kind}` | {default} | {field.description or ''} |")
    yield "\n".join(rows) + "\n"


def field_type(annotation: Any) -> str:
    """Without what pydantic checks besides."""
    arguments = [field_type(argument) for argument in get_args(annotation)]
    match get_origin(annotation):
        case None:
            return "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
        case origin if origin is Annotated:
            return arguments[0]
        case origin if origin is Literal:
            return " | ".join(map(repr, get_args(annotation)))
        case origin if origin in {Union, UnionType}:
            return " | ".join(arguments)
        case origin:
            return f"{origin.__name__}[{', '.join(arguments)}]"


def section(name: str, item: Any) -> Iterator[str]:
    yield f"## {name}\n"
    is_exception = isinstance(item, type) and issubclass(item, Exception)
    is_model = isinstance(item, type) and issubclass(item, pydantic.BaseModel)
    is_enum = isinstance(item, type) and issubclass(item, Enum)
    is_protocol = getattr(item, "_is_protocol", False)
    if not (is_exception or is_model or is_enum or is_protocol):
        yield f"```python\n{signature(name, item)}\n```\n"
    if is_exception:
        line = (f"`{base.__name__}`" for base in item.__mro__ if issubclass(base, Exception))
        yield f"An exception: {' ← '.join(line)}.\n"
    if text_of(item):
        yield text_of(item) + "\n"
    if is_model:
        yield from fields_of(item)
    if is_enum:
        yield "Values: " + ", ".join(f"`{member.value}`" for member in item) + ".\n"
    if isinstance(item, type) and not is_model:
        for method, member in methods_of(item):
            head = method if isinstance(member, property) else signature(method, member)
            yield f"**`{head}`**\n"
            yield text_of(member) + "\n" if text_of(member) else ""


def reference() -> str:
    items = {name: getattr(frond, name) for name in frond.__all__} | {item.__name__: item for item in INDIRECT}
    parts = (part for name in sorted(items) for part in section(name, items[name]))
    return HEAD + "\n".join(part for part in parts if part)


def test_the_page_says_what_the_docstrings_say() -> None:
    """FROND_WRITE_DOCS=1 writes it."""
    if os.environ.get("FROND_WRITE_DOCS"):
        PAGE.write_text(reference())
    assert PAGE.read_text() == reference(), "FROND_WRITE_DOCS=1 writes it anew"


def test_everything_that_is_exported_says_what_it_is() -> None:
    silent = {name for name in frond.__all__ if not (getattr(frond, name).__doc__ or "").strip()}
    assert not silent

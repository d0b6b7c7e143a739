"""`python -m client.typescript.generate`: the types of the OpenAPI document's schemas, into `frond.ts` beside it.

Own, because it is short: the document's schemas use a dozen keywords, and one that is not known here ends it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.document import document

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).with_name("frond.ts")
HEAD = """\
// The wire contract of Frond, generated from its OpenAPI document: `make typescript`. Do not edit.
"""
# What narrows a value further than TypeScript can say stands in its comment.
LIMITS = ("format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
KNOWN = {
    *LIMITS, "$ref", "additionalProperties", "anyOf", "default", "description", "enum", "items", "properties",
    "required", "title", "type",
}  # fmt: skip
PRIMITIVES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
RENAMED = {"Error": "WireError"}  # what imports it would lose the language's own
PLAIN_NAME = re.compile(r"[A-Za-z_$][\w$]*")
METHODS = ("get", "put", "post", "patch", "delete")


class UnknownSchemaError(Exception):
    """A schema that this generator does not understand."""


def render(openapi: dict[str, Any]) -> str:
    """TypeScript without code: an interface or a union for each schema, and what each operation takes and answers."""
    schemas = openapi["components"]["schemas"]
    parts = [HEAD, *(declaration(name, schemas[name]) for name in sorted(schemas)), operations(openapi["paths"])]
    return "\n".join(parts)


def declaration(component: str, schema: dict[str, Any]) -> str:
    name = name_of(component)
    comment = remark(schema.get("description"), "")
    if "properties" not in schema:
        return f"{comment}export type {name} = {type_of(schema)};\n"
    required = set(schema.get("required", ()))
    lines = [member(each, field, "" if each in required else "?") for each, field in schema["properties"].items()]
    return "\n".join([f"{comment}export interface {name} {{", *lines, "}\n"])


def name_of(component: str) -> str:
    return RENAMED.get(component, component)


def member(name: str, schema: dict[str, Any], mark: str) -> str:
    limits = [f"{key} {value}" for each in (schema, *schema.get("anyOf", ())) for key, value in limits_of(each)]
    note = "; ".join(filter(None, (schema.get("description"), ", ".join(limits))))
    return f"{remark(note, '  ')}  {key_of(name)}{mark}: {type_of(schema)};"


def limits_of(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, schema[key]) for key in LIMITS if key in schema)


def key_of(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else json.dumps(name)


def type_of(schema: dict[str, Any]) -> str:
    """Raises `UnknownSchemaError`."""
    if unknown := set(schema) - KNOWN:
        raise UnknownSchemaError(f"{', '.join(sorted(unknown))} in {schema}")
    if "$ref" in schema:
        return name_of(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(map(type_of, schema["anyOf"])))
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    return PRIMITIVES.get(schema.get("type", "any")) or composite_type_of(schema)


def composite_type_of(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        of = type_of(schema["items"])
        return f"({of})[]" if " " in of else f"{of}[]"
    if schema.get("type") == "object" and "properties" not in schema:
        values = schema.get("additionalProperties", True)
        return f"Record<string, {type_of(values) if isinstance(values, dict) else 'unknown'}>"
    raise UnknownSchemaError(str(schema))


def operations(paths: dict[str, Any]) -> str:
    """`Operations["POST /v1/uploads"]["body"]`, and `["answer"]`: what a success answers."""
    lines = ["/** What each operation takes and answers. */", "export interface Operations {"]
    for path, item in paths.items():
        for method in filter(item.__contains__, METHODS):
            operation = item[method]
            answers = [answer for status, answer in operation["responses"].items() if status < "300"]
            lines += [
                f"{remark(operation.get('summary'), '  ')}  {json.dumps(f'{method.upper()} {path}')}: {{",
                f"    body: {bodies(operation.get('requestBody', {}))};",
                f"    answer: {' | '.join(dict.fromkeys(map(bodies, answers)))};",
                "  };",
            ]
    return "\n".join([*lines, "}\n"])


def bodies(holder: dict[str, Any]) -> str:
    """Of a request or an answer, by its media types."""
    kinds = {body(media, each["schema"]) for media, each in holder.get("content", {}).items()}
    return " | ".join(sorted(kinds)) or "undefined"


def body(media: str, schema: dict[str, Any]) -> str:
    """JSON by its schema, a form as the browser has it, photos as bytes."""
    if media.startswith("multipart/"):
        return "FormData"
    return "Blob" if media.startswith("image/") else type_of(schema)


def remark(text: str | None, indent: str) -> str:
    return f"{indent}/** {' '.join(text.split()).replace('*/', '* /')} */\n" if text else ""


if __name__ == "__main__":
    TARGET.write_text(render(document()), encoding="utf-8")

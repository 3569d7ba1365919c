"""Writes `docs/reference/settings.md` from the settings' own docstrings.

The sentences stand in the source only, so this needs the source file; that is fine for
documentation and for `xmppconf config --reference`, and nothing else uses it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from typing import Any

from xmppconf import config
from xmppconf.config_file import toml_value

HEAD = """# Settings

One optional TOML file, given with `--config FILE` or found as
`$XDG_CONFIG_HOME/xmppconf/xmppconf.toml`. Every key has a default; an unknown key stops the
program with the nearest name. This page is made by `xmppconf config --reference`.
"""


def reference() -> str:
    """The whole page."""
    documents = _documents()
    lines = [HEAD]
    _section(config.Settings(), "", documents, lines)
    return "\n".join(lines)


def _section(
    table: Any, title: str, documents: dict[str, dict[str, str]], lines: list[str]
) -> None:
    own = documents[type(table).__name__]
    fields = dataclasses.fields(table)
    lines += [f"## {f'[{title}]' if title else 'Top level'}", "", own[""], ""]
    lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
    inner = []
    for field in fields:
        value = getattr(table, field.name)
        if dataclasses.is_dataclass(value):
            inner.append((field.name, value))
            continue
        kind = str(field.type).replace("tuple[str, ...]", "list of texts")
        kind = kind.replace("dict[str, str]", "table of texts")
        kind = kind.replace("dict[str, int]", "table of numbers").replace("str", "text")
        if field.metadata.get("secret"):
            kind += ", secret"
        default = toml_value(value)
        lines.append(f"| `{field.name}` | {kind} | `{default}` | {own[field.name]} |")
    lines.append("")
    for name, value in inner:
        _section(value, f"{title}.{name}" if title else name, documents, lines)


def _documents() -> dict[str, dict[str, str]]:
    """Class name to field name to sentence; the class's own is under ''."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(config)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        own = {"": _flat(ast.get_docstring(node) or "")}
        for field, after in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                own[field.target.id] = _flat(str(after.value.value))
        found[node.name] = own
    return found


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

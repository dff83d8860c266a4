"""What can be read off an entry point as a person writes it: a Python expression, or a sentence that begins with one."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

_INPUTS = {"prediction", "target"}


@dataclass(frozen=True)
class Expression:
    """The parts of one that a reader goes by; all are empty where the text begins with none."""

    callee: str = ""
    """What is called first of all: ``torch.mean`` of ``torch.mean(…) / 2``."""
    keywords: frozenset[str] = frozenset()
    """The names of all keywords, of inner calls too."""
    reduction: str = ""
    """What the keyword of that name says: ``sum`` of ``reduction="sum"`` and of ``reduction=Reduction.SUM``."""
    reduction_text: str = ""
    """The keyword and its value as they are written."""
    plain: bool = False
    """Whether the inputs, and not parts of them, are given to what is called first: it is no call inside another one."""


@lru_cache(maxsize=4096)
def read(text: str) -> Expression:
    """The parts of an entry point's text."""
    source = text.replace("…", "___")  # a value that is left out, in as many bytes
    nodes = _nodes(source)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    callee = next((name for call in calls if call.col_offset == 0 and (name := _dotted(call.func))), "")
    keywords = sorted(
        (node for node in nodes if isinstance(node, ast.keyword) and node.arg), key=lambda node: (node.lineno, node.col_offset)
    )
    reduction = next((keyword for keyword in keywords if keyword.arg == "reduction"), None)
    parts = any(isinstance(node, ast.Subscript) and _dotted(node.value) in _INPUTS for node in nodes)
    inner = any(not isinstance(call.func, ast.Call) and _dotted(call.func) != callee for call in calls if _takes_inputs(call))
    return Expression(
        callee,
        frozenset(str(keyword.arg) for keyword in keywords),
        _last_word(reduction.value) if reduction else "",
        (ast.get_source_segment(source, reduction) or "") if reduction else "",
        plain=not parts and not inner,
    )


def _nodes(source: str) -> list[ast.AST]:
    """All nodes of an expression, or of what a sentence begins with as far as that is one."""
    try:
        return list(ast.walk(ast.parse(source, mode="eval")))
    except SyntaxError as error:
        begins = source[: max((error.offset or 1) - 1, 0)].rstrip(" ,") if error.lineno == 1 else ""
        return _nodes(begins) if 0 < len(begins) < len(source) else []
    except (ValueError, RecursionError, MemoryError):
        return []


def _takes_inputs(call: ast.Call) -> bool:
    return {_dotted(argument) for argument in call.args[:2]} == _INPUTS


def _dotted(node: ast.expr) -> str:
    """A name with dots, or nothing."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _last_word(node: ast.expr) -> str:
    said = str(node.value) if isinstance(node, ast.Constant) else _dotted(node)
    return said.rpartition(".")[2].lower()

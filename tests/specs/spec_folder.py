"""A minimal folder of specs, in which one thing can be made wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

from conformance.specs.load import specs_root

HEAD = """\
format = 1
operation = "mse/mean"
title = "Mean"
laws = ["exact-arithmetic"]
families = ["ordinary"]

[definition]
factor = 1
over = "all"
divisor = "count"
weights = "none"

[flags]
overflow = "Infinity where there should be a number."
"""

CASE = """\
[[case]]
id = "thirds"
why = "Not dyadic."
level = "must"
dtypes = ["float16", "float32"]
prediction = [1.5, -2, 0.25]
target = [0.5, 1, -0.75]
value = "11/3"
gradient = ["2/3", -2, "2/3"]
"""

DEVIATION = """\
format = 1

[[deviation]]
check = "mse/mean/case/thirds"
where = { framework = "tensorflow", version = ">=2.13,<2.22", mode = ["eager", "graph"] }
signature = { observed = "inf" }
because = "It accumulates in float16."
url = "https://example.org/1"
review-by = 2027-06-30
"""


def write(folder: Path, text: str, name: str = "mse/mean.toml") -> Path:
    """A folder with the shipped error model and checks, and ``text`` as one file of it."""
    for shipped in ("error-model.toml", "checks.toml"):
        if not (folder / shipped).exists():
            shutil.copy(specs_root() / shipped, folder / shipped)
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def change(text: str, old: str, new: str) -> str:
    """``text`` with ``old``, which occurs once, replaced."""
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


def with_line(line: str, text: str = CASE) -> str:
    """``text`` and one line more."""
    return f"{text}{line}\n"

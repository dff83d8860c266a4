"""What pydantic finds wrong with a file of specs, in the words of the other problems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

from pydantic import ValidationError

from conformance.specs.grammar import Table, keys_at
from conformance.specs.literals import show

_EXPECTED = {
    "string_too_short": "a sentence, not an empty one",
    "string_type": "a string",
    "list_type": "a list",
    "int_type": "an integer",
    "bool_type": "true or false",
    "date_type": "a date such as 2027-06-30",
    "date_from_datetime_inexact": "a date such as 2027-06-30",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "too_short": "at least one element",
}
_BRANCH = re.compile(r"\[key\]$|constrained-|(list|literal)\[")
"""How pydantic names, after the place, a branch of a union or the key of a mapping."""
_UNIONS = {
    "count": 'an integer from 1 to 16, "n-1" or "division"',
    **dict.fromkeys(("check", "framework", "implementation", "device", "mode"), "a string that is not empty, or a list of such"),
    "dtype": "one or a list of float16, bfloat16, float32 and float64",
}
_PATTERNS = {
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "lower-case letters and digits, words joined by hyphens",
    r"^[a-z0-9-]+/[a-z0-9-]+$": "a family and a name, such as mse/mean",
    r"^https?://[^\s]+$": "a link that begins with https://",
    r"^3\.[0-9]{1,2}$": "a version of Python, such as 3.11",
}


def complaints(error: ValidationError, model: type[Table]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every complaint of pydantic as (place, found, expected), in the words of the other problems."""
    seen: set[tuple[str | int, ...]] = set()
    errors = error.errors(include_url=False)
    for one in sorted(errors, key=lambda one: one["type"] != "extra_forbidden"):  # a misspelt key explains the missing one
        kind, context = one["type"], one.get("ctx", {})
        place = tuple(takewhile(lambda part: not (isinstance(part, str) and _BRANCH.match(part)), one["loc"]))
        if place in seen:
            continue
        seen.add(place)
        names = tuple(part for part in place if isinstance(part, str))
        if place != one["loc"] and (either := _UNIONS.get(names[-1])):
            yield place, show(one["input"]), either
        elif kind == "extra_forbidden":
            keys = ", ".join(keys_at(model, names[:-1])) or "no key"
            yield place, f"unknown key {names[-1]}", f"one of {keys}"
        elif kind == "missing":
            yield place, "nothing", "this key"
        elif kind == "literal_error":
            yield place, show(one["input"]), str(context["expected"]).replace("'", '"')
        elif kind == "string_pattern_mismatch":
            yield place, show(one["input"]), _PATTERNS.get(str(context["pattern"]), f"a match of {context['pattern']}")
        else:
            message = re.sub(r"^(Input|String|List|Value) should (be|have) ", "", one["msg"])
            yield place, show(one["input"]), _EXPECTED.get(kind, message)

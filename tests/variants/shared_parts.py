"""Lets the files of this folder import the parts beside the mutants (``conformance/_mutants`` in a wheel): both are made of them."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path.append(str(_HERE.with_name(_HERE.name.replace("variants", "mutants"))))

"""Advice for who ports training code from one framework to another, made from results files and specs only.

``sides`` chooses what is compared, ``advice`` is the model, ``compare`` brings the topics together, ``render`` and ``page`` show them.
"""

from conformance.reports.compare.advice import Porting
from conformance.reports.compare.compare import port
from conformance.reports.compare.sides import SideError

__all__ = ["Porting", "SideError", "port"]

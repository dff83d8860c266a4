"""A cross-framework conformance suite for mean squared error."""

from conformance.frameworks.domain import Known
from conformance.subject import implementation

__version__ = "0.1.0"

__all__ = ["Known", "__version__", "implementation"]

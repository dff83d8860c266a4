"""What each adapter answers beyond value and gradients; see ``conformance.frameworks.probe``."""

"""What runs beside the framework: it knows no check, no spec and no expectation."""

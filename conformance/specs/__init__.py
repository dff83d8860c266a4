"""Reading and linting the TOML files in ``specs/``."""

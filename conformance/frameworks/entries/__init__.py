"""The entry points of each framework, as tables of implementations: name, operation, entry and call."""

"""``pytest --pyargs conformance`` collects this file, through the plugin: one item per check and target."""

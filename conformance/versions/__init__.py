"""Which release of a framework changed a cell: a search over releases, and environments made with uv to look at each."""

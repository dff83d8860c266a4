"""One folder per framework behind the protocol of ``base``; ``registry`` finds them without importing any."""

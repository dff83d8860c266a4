"""The power of the suite itself: its checks must reject every wrong miniature, whatever the seed, and none of the right ones."""

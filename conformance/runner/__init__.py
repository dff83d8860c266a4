"""The process of a framework, which answers calls and knows no check, no spec and no expectation. ``workers`` starts and asks it."""

"""Inside the process of a framework: the parts of it that know no check, no spec and no expectation. ``workers`` starts and asks it."""

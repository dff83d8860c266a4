"""What a person can set right: the base of the exceptions that the command line shows as one sentence."""


class Mistake(Exception):
    """Something that was asked for cannot be had; the message is one sentence on what was found and what was expected."""

    exit_code = 2

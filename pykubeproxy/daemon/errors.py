"""What ends the daemon."""


class FatalError(Exception):
    """The loop has to end, and the process with it: why, in one line."""

"""The base of all errors whose text is one line for the user: what is wrong, where, and what would be right."""


class ReportedError(Exception):
    """An error that a command prints as it is, and then ends."""

    needs_root = False
    """True where the same command works for root."""

    @property
    def what(self) -> str:
        """The text without advice on what rights are needed."""
        return str(self)

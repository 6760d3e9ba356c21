"""The base of all errors whose text is one line for the user: what is wrong, where, and what would be right."""


class ReportedError(Exception):
    """An error that a command prints as it is, and then ends."""

    needs_root = False
    """True where the same command works for root."""

    def __init__(self, what: str = "", advice: str = "") -> None:
        """`what` has happened; `advice` says which rights are needed, if they are missing."""
        super().__init__(f"{what}: {advice}" if advice else what)
        self.what = what

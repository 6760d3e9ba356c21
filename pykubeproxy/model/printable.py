"""Text that somebody else has written, made fit for one line of a log or a message."""


def printable(text: str) -> str:
    """The text, with line breaks and other control characters, and what is no character at all, shown as escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)

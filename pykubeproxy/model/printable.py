"""Texts from elsewhere, such as API objects or other programs, made safe for one line of a log or a message."""


def printable(text: str) -> str:
    """The text, with line breaks, other control characters and invalid characters shown as escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)

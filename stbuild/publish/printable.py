"""What a stranger says, as it may be shown."""

_LIMIT = 4096


def printable(text: object) -> str:
    """The beginning of a text, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in str(text)[:_LIMIT])

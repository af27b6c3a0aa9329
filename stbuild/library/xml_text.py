"""Text as XML can hold it."""

import re

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Text without what XML cannot hold, such as the escape sequences of colours."""
    return _NOT_XML.sub("", text)

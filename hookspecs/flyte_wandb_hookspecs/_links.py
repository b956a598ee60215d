"""Writing names into URLs without hurting Flyte's placeholders."""

import re
from typing import Final
from urllib.parse import quote

_PLACEHOLDER: Final = re.compile(r"(\{\{\.\w+\}\})")


def quote_segment(name: str) -> str:
    """Percent-encode `name` as one segment of a URL path, leaving placeholders such as ``{{.runName}}`` as they are.

    Flyte fills the placeholders in only after the link was built, and does not find them when they are encoded.

    >>> quote_segment("team a/{{.runName}}-{{.actionName}}")
    'team%20a%2F{{.runName}}-{{.actionName}}'
    """
    return "".join(
        piece if _PLACEHOLDER.fullmatch(piece) else quote(piece, safe="") for piece in _PLACEHOLDER.split(name)
    )

"""/debug/flags/v: how much is logged, changed while the proxy runs.

Source: `docs/reference/health-and-metrics.md` section 7.
"""

import re
from collections.abc import Callable
from http import HTTPStatus

from pykubeproxy.web.messages import Request, Response, text_response

_NUMBER = re.compile(r"[-+]?[0-9]{1,9}", re.ASCII)
_FLAG = "klog.logging.verbosity"


def change_verbosity(request: Request, change: Callable[[int], None]) -> Response:
    """PUT a number as the body: `change` is called with it."""
    if request.method != "PUT":
        return text_response("unsupported http method", HTTPStatus.NOT_ACCEPTABLE)
    text = request.body.decode("utf-8", "replace")
    if not _NUMBER.fullmatch(text):
        return text_response(f'failed set {_FLAG} {text}: parsing "{text}": invalid syntax', HTTPStatus.BAD_REQUEST)
    change(int(text))
    return text_response(f"successfully set {_FLAG} to {text}")

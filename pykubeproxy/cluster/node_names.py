"""The names of the cluster's Nodes, for suggestions in an error message about an unknown one."""

import msgspec

from pykubeproxy.cluster import wire
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.timeouts import Timeouts
from pykubeproxy.config.completed import Completed

# More would take long in a large cluster, for the sake of a hint.
_MOST = "500"
_SECONDS = 3.0


class _Page(msgspec.Struct):
    items: list[wire.Node] | None = None


def node_names(completed: Completed) -> tuple[str, ...]:
    """The names of the first Nodes that the API server lists; none if it does not list any."""
    timeouts = Timeouts(connect=_SECONDS, silence=_SECONDS)
    session = connect(completed.config.client_connection, completed.master, timeouts).session()
    try:
        page = msgspec.json.decode(session.get("/api/v1/nodes", {"limit": _MOST}), type=_Page)
    except (ApiError, msgspec.DecodeError):
        return ()
    finally:
        session.close()
    return tuple(node.metadata.name for node in page.items or ())

"""What `status` says about a node, line by line, as values: each has a topic, and tells whether that is well.

Times are in seconds since 1970, and `seconds` a length of time. The kinds are in modules by what they are about.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec


class Level(StrEnum):
    """How well it is: well; worth knowing; wrong; or it could not be looked at."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


class Topic(StrEnum):
    """What it is about, in the order of the screen."""

    PROXY = "proxy"
    HEALTH = "health"
    CONFIGURATION = "configuration"
    OBJECTS = "objects"
    BACKEND = "backend"
    LAYOUT = "layout"
    NODE = "node"
    FAMILIES = "families"
    LAST_SYNC = "last sync"
    RULES = "rules"
    DRIFT = "drift"
    ENDPOINTS = "endpoints"
    CONNECTIONS = "connections"
    KERNEL = "kernel"
    TABLES = "other tables"
    LEFTOVERS = "leftovers"
    KERNEL_VERSION = "version"
    NODE_PORTS = "node ports"
    LOCALHOST = "localhost"
    INVALID = "odd packets"
    FIREWALL = "firewall"
    OTHER_RULES = "other rules"
    OPTIONS = "options"


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="kind", rename="camel"):
    """Something that was found out about the node."""

    topic: ClassVar[Topic]
    level: ClassVar[Level]

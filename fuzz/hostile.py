"""Texts that somebody may put where a name, an address or a word is expected, hoping that it gets through."""

import copy
from random import Random
from typing import Any

LONG = "x" * 4000

NAMES = (
    "evil\n-A INPUT -j ACCEPT",
    "web\r\nCOMMIT",
    'web" -j ACCEPT -m comment --comment "',
    "web' -j ACCEPT '",
    "-j ACCEPT",
    "--wait",
    "$(reboot)",
    "`reboot`",
    "web;reboot",
    "web\\",
    "web -j DROP",
    "web\x00",
    "web\u2028x",
    "wéb",
    "\uff57\uff45\uff42",
    "web\u200b",
    "WEB",
    "web_1",
    "-web",
    "web-",
    "web.",
    "..",
    "../../etc/passwd",
    "%s%n",
    "{0}",
    "COMMIT",
    "*nat",
    ":INPUT ACCEPT [0:0]",
    "#",
    " ",
    "",
    LONG,
)

ADDRESSES = (
    "10.96.0.1 -j ACCEPT",
    "10.96.0.1\n-A INPUT -j ACCEPT",
    "10.96.0.1\n",
    " 10.96.0.1",
    "10.96.0.1/32",
    "10.96.0.1:80",
    "10.96.1",
    "10.96.0.1.5",
    "10.96.0.256",
    "10.96.0.-1",
    "10.96.0.+1",
    "10.96.0.1_0",
    "0x0a.96.0.1",
    "\u0661\u0660.96.0.1",
    "10.96.0.²",
    "fe80::1%eth0",
    "::1%lo",
    "fd00:96::1 -j ACCEPT",
    "[fd00:96::1]",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    ":::",
    "::1::",
    "12345::",
    "::ffff:1.2.3",
    "$(reboot)",
    "localhost",
    "None ",
    "none",
    "",
    "   ",
    LONG,
)

# Odd, and yet addresses as Kubernetes reads them.
SLOPPY = (
    "010.096.000.007",
    "192.168.099.022",
    "::ffff:192.168.99.23",
    "::FFFF:c0a8:6318",
    "FD00:96::0007",
    "fd00:0096:0:0:0:0:0:8",
    "fd00:96::192.168.0.1",
)

# No machine has these. (As an endpoint, the API refuses them; the kernel takes them for "leave it as it is".)
UNSPECIFIED = ("0.0.0.0", "::")  # noqa: S104  not bound to

RANGES = (
    " 203.0.113.7/24 ",
    "203.0.113.0/024",
    "\t192.168.0.0/16\n",
    "010.0.0.0/8",
    "::ffff:10.0.0.0/104",
    "::ffff:0:0/96",
    "::ffff:10.0.0.0/95",
    "0.0.0.0/0",
    "::/0",
    "203.0.113.0/33",
    "2001:db8::/129",
    "203.0.113.0/-1",
    "203.0.113.0/",
    "203.0.113.0/24/24",
    "203.0.113.0",
    "203.0.113.0/24,192.168.0.0/16",
    "203.0.113.0/24 -j ACCEPT",
    "203.0.113.0/²",
    "any",
    "",
    "  ",
)

# What no field of an object holds.
WRONG: tuple[Any, ...] = ("80", -1, 65536, 2**40, True, False, [], {}, [None], "x", ["-j", "ACCEPT"], {"a": {}}, 10**18)


def spoil(value: Any, random: Random) -> None:
    """Put something that does not belong there into some field of an object, in place."""
    place = value
    while isinstance(place, (dict, list)) and place:
        key = random.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]
        # Kind and identity stay: without them, nobody could say what an object replaces.
        if key in ("kind", "apiVersion"):
            return
        if isinstance(inner, (dict, list)) and inner and random.random() < 0.85:
            place = inner
            continue
        if key not in ("metadata", "name", "namespace", "resourceVersion"):
            place[key] = copy.deepcopy(random.choice((None, *WRONG, *NAMES)))
        return

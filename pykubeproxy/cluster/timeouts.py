"""How long the API server may take, and when it is asked again: values, without the client that uses them."""

import msgspec


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for the API server, in seconds.

    `silence` is the longest time in which nothing arrives, neither an answer nor a byte of one. A healthy server never
    takes so long: it gives up any request that is no watch after 60 s (its --request-timeout), and sends a bookmark
    over every watch once a minute. So the server of a watch that is silent for longer is gone, though its TCP peer, a
    load balancer perhaps, may be alive and acknowledge every keepalive probe. Should a server send no bookmarks, then
    nothing is lost either: the next watch goes on from the last version, and the rules are not touched.

    `list_silence` is the same for a watch that begins with a list, until that is complete: a server sends it without a
    pause, but a proxy on the way may hold it back for ever. A list in pages is asked for then, which costs little.

    `connect` is short, since the kernel repeats an attempt that nobody answers after 1, 3 and 7 seconds: so a server
    that is back is reached within two seconds.
    """

    connect: float = 5.0
    silence: float = 75.0
    list_silence: float = 3.0


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before a request is made again, in seconds.

    `probe_interval` lies between two attempts to reach a server that gives no answer. The pause after an answer that is
    no success doubles from `initial` to `maximum`, of which half is at random; for a watch that has been refused for
    `refused_after` (its permissions are missing, for example), it doubles further, up to `refused_maximum`. A watch
    that fails again within `stable_after` of working has never quite worked, and its failure is not logged anew.
    """

    probe_interval: float = 5.0
    initial: float = 1.0
    maximum: float = 4.5
    refused_maximum: float = 30.0
    refused_after: float = 60.0
    stable_after: float = 10.0

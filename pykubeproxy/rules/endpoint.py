"""Endpoint chains: the end of the way, where the destination is rewritten (`docs/reference/iptables-rules.md` 8)."""

from collections.abc import Iterator

from pykubeproxy.rules import names, text
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing
from pykubeproxy.rules.ruleset import Lines


def endpoint_chains(routing: Routing, options: RuleOptions, *, comments: bool) -> Iterator[tuple[str, Lines]]:
    """The chain of each endpoint that traffic may reach: rewrite the destination to it.

    A pod that reaches itself through its own Service is masqueraded, or it would answer itself without the node
    noticing (hairpin). With ClientIP affinity the chain remembers the client under its own name.
    """
    # Most rules of a cluster are made here: what all endpoints of a ServicePort share is made once.
    port = routing.port
    word = port.protocol.lower()
    note = f"{text.comment(routing.title)} " if comments else ""
    mask = text.full_mask(options.family)
    has_affinity = port.affinity_seconds is not None
    for endpoint in routing.endpoints.reachable:
        chain = routing.names.endpoint(endpoint.text)
        remember = f"-m recent --set --name {chain} --mask {mask} --rsource " if has_affinity else ""
        to = text.endpoint(endpoint.text)
        hairpin = f"-A {chain} -s {text.host(endpoint.ip)} {note}-j {names.MARK_MASQ}"
        yield chain, (hairpin, f"-A {chain} -p {word} {note}{remember}-m {word} -j DNAT --to-destination {to}")

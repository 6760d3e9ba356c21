"""Rules of the endpoint chains: the end of the way, where the destination is rewritten (`iptables-rules.md` 8)."""

from collections.abc import Iterator

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.rules import names, text
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing


def endpoint_rules(
    chain: str, endpoint: Endpoint, routing: Routing, options: RuleOptions, *, comments: bool
) -> Iterator[str]:
    """Rewrite the destination to `endpoint`, whose chain is `chain`.

    A pod that reaches itself through its own Service is masqueraded, or it would answer itself without the node
    noticing (hairpin). With ClientIP affinity the chain remembers the client under its own name.
    """
    port = routing.port
    word = port.protocol.lower()
    note = f"{text.comment(port.title)} " if comments else ""
    remember = ""
    if port.affinity_seconds is not None:
        remember = f"-m recent --set --name {chain} --mask {text.full_mask(options.family)} --rsource "
    yield f"-A {chain} -s {text.host(endpoint.ip)} {note}-j {names.MARK_MASQ}"
    yield f"-A {chain} -p {word} {note}{remember}-m {word} -j DNAT --to-destination {text.endpoint(endpoint.text)}"

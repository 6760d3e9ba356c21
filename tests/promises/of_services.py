"""What is promised of each kind of Service, shown by asking: three nodes, and clients everywhere."""

from tests.promises.promise import Broken, Promise

_CASES = "tests/e2e/test_three_nodes_cases.py"
_ENDPOINTS = "tests/e2e/test_three_nodes_endpoints.py"
_HERE = "nft-tree"

PROMISES = (
    Promise(
        words="Every endpoint gets its equal share of connections",
        test="tests/e2e/test_three_nodes_sharing.py",
        only=f"{_HERE} and not crowd",
        broken=Broken(
            how="each choice is made with the chance that the next one should have",
            file="pykubeproxy/rules/spread.py",
            old="text.probability(target.endpoints, left)",
            new="text.probability(target.endpoints, left + 1)",
        ),
    ),
    Promise(
        words="Also where there are so many that a group is chosen first",
        test="tests/e2e/test_three_nodes_sharing.py",
        only=f"{_HERE} and crowd",
        broken=Broken(
            how="every group has the same chance, however many endpoints it has",
            file="pykubeproxy/rules/spread.py",
            old="    return JumpTarget(group, note, len(targets))",
            new="    return JumpTarget(group, note)",
        ),
    ),
    Promise(
        words="Headless Services have no rule",
        test="tests/rules/test_golden.py",
        only="headless",
        broken=Broken(
            how="the cluster IP None passes for an address",
            file="pykubeproxy/cluster/translate.py",
            old='is not an IP address, "None" or empty\')\n    return text\n',
            new="is not an IP address, \"None\" or empty')\n    return '10.96.250.250' if text == 'None' else text\n",
        ),
    ),
    Promise(
        words="Node ports answer on every node",
        test=_CASES,
        only=f"{_HERE} and answered and shop",
        broken=Broken(
            how="only nodes that have an endpoint open them",
            file="pykubeproxy/rules/external.py",
            old="    if not port.node_port:\n",
            new="    if not port.node_port or not any(each.is_local for each in routing.endpoints.reachable):\n",
        ),
    ),
    Promise(
        words="External IPs are served",
        test=_CASES,
        only=f"{_HERE} and answered and branch",
        broken=Broken(
            how="they are forgotten",
            file="pykubeproxy/rules/external.py",
            old="    if not options.external_ips:\n",
            new="    if options.external_ips:\n",
        ),
    ),
    Promise(
        words="Who is not in loadBalancerSourceRanges is dropped",
        test=_CASES,
        only=f"{_HERE} and refused_or_dropped and office",
        broken=Broken(
            how="nothing drops what the ranges do not let in",
            file="pykubeproxy/rules/firewall.py",
            old="    if routing.firewall_chain:\n",
            new="    if not routing.firewall_chain and routing.port.source_ranges:\n",
        ),
    ),
    Promise(
        words="ipMode Proxy: the load balancer itself is asked",
        test=_CASES,
        only=f"{_HERE} and proxied",
        broken=Broken(
            how="its address is taken as any other",
            file="pykubeproxy/cluster/translate.py",
            old='if entry.ip and entry.ip_mode in (None, "", "VIP"))',
            new="if entry.ip)",
        ),
    ),
    Promise(
        words="externalTrafficPolicy Local keeps the client's address",
        test=_CASES,
        only=f"{_HERE} and audit and answered",
        broken=Broken(
            how="all traffic from outside is masqueraded",
            file="pykubeproxy/rules/external.py",
            old="    if port.external_policy_local:\n",
            new="    if False:\n",
        ),
    ),
    Promise(
        words="Policy Local drops where no endpoint is local",
        test=_CASES,
        only=f"{_HERE} and refused_or_dropped and (audit or agent)",
        broken=Broken(
            how="it is rejected instead",
            file="pykubeproxy/rules/routing.py",
            old='if decision.refusal is Refusal.NO_ENDPOINTS else "DROP"',
            new='if decision.refusal else "DROP"',
        ),
    ),
    Promise(
        words="internalTrafficPolicy Local: who asks on a node is served by that node's endpoints alone",
        test=_CASES,
        only=f"{_HERE} and answered and agent",
        broken=Broken(
            how="it is served by all endpoints",
            file="pykubeproxy/rules/routing.py",
            old="local_only=port.internal_policy_local)",
            new="local_only=False)",
        ),
    ),
    Promise(
        words="A Service without endpoints is refused at once",
        test=_CASES,
        only=f"{_HERE} and refused_or_dropped and soon",
        broken=Broken(
            how="it is dropped instead, so that clients wait",
            file="pykubeproxy/rules/routing.py",
            old='if decision.refusal is Refusal.NO_ENDPOINTS else "DROP"',
            new='if decision.refusal is None else "DROP"',
        ),
    ),
    Promise(
        words="A pod can reach itself by its own Service (hairpin)",
        test=_CASES,
        only=f"{_HERE} and alone",
        broken=Broken(
            how="it is not masqueraded",
            file="pykubeproxy/rules/endpoint.py",
            old="        yield chain, (hairpin, f",
            new="        yield chain, (f",
        ),
    ),
    Promise(
        words="Session affinity: a client stays with its endpoint",
        test="tests/e2e/test_three_nodes_affinity.py",
        only="endpoints_come_and_go",
        broken=Broken(
            how="nobody asks which endpoint remembers the client",
            file="pykubeproxy/rules/spread.py",
            old="        yield chain, _with_affinity(chain, targets, routing, options)\n",
            new="        yield chain, _choose(chain, targets)\n",
        ),
    ),
    Promise(
        words="also after it was silent for less than the timeout of the Service",
        test="tests/e2e/test_three_nodes_affinity.py",
        only="silent_for_the_timeout",
        broken=Broken(
            how="the timeout is always a second",
            file="pykubeproxy/rules/spread.py",
            old="--rcheck --seconds {routing.port.affinity_seconds} ",
            new="--rcheck --seconds 1 ",
        ),
    ),
    Promise(
        words="and is free after the timeout of the Service",
        test="tests/e2e/test_three_nodes_affinity.py",
        only="silent_for_the_timeout",
        broken=Broken(
            how="the timeout is always three hours",
            file="pykubeproxy/rules/spread.py",
            old="--rcheck --seconds {routing.port.affinity_seconds} ",
            new="--rcheck --seconds 10800 ",
        ),
    ),
    Promise(
        words="Rolling update with policy Local: terminating endpoints stand in, and no request fails",
        test=_ENDPOINTS,
        only="rolling_update and external",
        broken=Broken(
            how="an endpoint that terminates is not used any more",
            file="pykubeproxy/model/topology.py",
            old="    local = _ready(here) or _terminating(here)\n",
            new="    local = _ready(here)\n",
        ),
    ),
    Promise(
        words="Rolling update with internalTrafficPolicy Local: the same within the cluster",
        test=_ENDPOINTS,
        only=f"{_HERE} and rolling_update and internal",
        broken=Broken(
            how="an endpoint that terminates is not used any more",
            file="pykubeproxy/model/topology.py",
            old="    local = _ready(here) or _terminating(here)\n",
            new="    local = _ready(here)\n",
        ),
    ),
    Promise(
        words="A changed selector moves all traffic and loses none",
        test=_ENDPOINTS,
        only=f"{_HERE} and selector",
        broken=Broken(
            how="slices that are deleted leave the endpoints behind",
            file="pykubeproxy/model/snapshot.py",
            old="        if siblings:\n            self._slices_of[old.service] = siblings\n",
            new="        self._slices_of[old.service] = (*siblings, old)\n",
        ),
    ),
    Promise(
        words="Topology hints are followed when all endpoints have them",
        test="tests/e2e/test_three_nodes_services.py",
        only="hints",
        broken=Broken(
            how="they are followed when only some have them",
            file="pykubeproxy/model/topology.py",
            old="    if not here or not all(hints(endpoint) for endpoint in ready):\n",
            new="    if not here:\n",
        ),
    ),
    Promise(
        words="The health-check node port tells whether the node has endpoints",
        test="tests/e2e/test_three_nodes_services.py",
        only="health_check_follows",
        broken=Broken(
            how="endpoints that come or go later do not count",
            file="pykubeproxy/observe/service_health.py",
            old="            if after is not None:\n",
            new="            if before is not None and after is not None:\n"
            "                after = before\n"
            "            if after is not None:\n",
        ),
    ),
    Promise(
        words="Services that come, change and go disturb no other",
        test=_ENDPOINTS,
        only="come_and_go",
        broken=Broken(
            how="every change first empties the chain of all Services, and then fills it again",
            file="pykubeproxy/daemon/sync/family.py",
            old="        plan = diff_chains(self.desired, believed, self._desired.changed)\n",
            new="        self._host.restore(['*nat', ':KUBE-SERVICES - [0:0]', 'COMMIT'])\n"
            "        plan = diff(self.desired, self._read().ruleset)\n",
        ),
    ),
    Promise(
        words="A UDP client that keeps its socket follows its endpoint: replaced, to zero, and back",
        test="tests/e2e/test_three_nodes_udp.py",
        only="through_replacement",
        broken=Broken(
            how="nobody forgets the flows of endpoints that are gone",
            file="pykubeproxy/flows/stale.py",
            old="            return flow.answered_by not in serving\n",
            new="            return False\n",
        ),
    ),
)

"""What is promised of the rules, and of what is said about them."""

from tests.promises.promise import Broken, Promise

_FINDS = "tests/fuzz/test_fuzz_states.py"

PROMISES = (
    Promise(
        words="The rules are kube-proxy's, byte by byte (linear)",
        test="tests/rules/test_golden.py",
        broken=Broken(
            how="chances are not rounded as the kernel does",
            file="pykubeproxy/rules/text.py",
            old="int(written * 2**31 + 0.5)",
            new="int(written * 2**31)",
        ),
    ),
    Promise(
        words="The tree means the same as kube-proxy's layout",
        test="tests/rules/test_tree_is_linear.py",
        broken=Broken(
            how="a range of ports ends one too early",
            file="pykubeproxy/rules/tree_keys.py",
            old="        last = first | (1 << open_bits) - 1\n",
            new="        last = first | (1 << open_bits) - 2\n",
        ),
    ),
    Promise(
        words="Any order of events leads to the same rules as a fresh start",
        test=_FINDS,
        only="order",
        broken=Broken(
            how="a slice that goes to another Service leaves the rules of its old one as they are",
            file="pykubeproxy/model/snapshot.py",
            old="        return touched | {slice_.service}\n",
            new="        return frozenset({slice_.service})\n",
        ),
    ),
    Promise(
        words="What a packet may reach, with which share, is what the API documentation says",
        test=_FINDS,
        only="meaning",
        broken=Broken(
            how="endpoints that are not ready are used",
            file="pykubeproxy/model/topology.py",
            old="    return tuple(endpoint for endpoint in endpoints if endpoint.ready)\n",
            new="    return endpoints\n",
        ),
    ),
    Promise(
        words="No bytes make a parser fail in a way that nobody expects",
        test=_FINDS,
        only="parsers",
        broken=Broken(
            how="a line that makes no sense is an error of another kind",
            file="pykubeproxy/rules/parse.py",
            old='            raise DumpError(number, f"{text[:60]!r} is not a line of iptables-save")\n',
            new="            raise ValueError(text)\n",
        ),
    ),
    Promise(
        words="trace and diff name native nftables tables that they do not look at, and mark what those could change",
        test="tests/kernel/test_kernel_native_tables.py",
        broken=Broken(
            how="tables of the family inet are not listed",
            file="pykubeproxy/cli/notes.py",
            old="INET, *LINK_FAMILIES)\n",
            new="*LINK_FAMILIES)\n",
        ),
    ),
    Promise(
        words="trace says what the kernel does",
        test="tests/netfilter/test_trace_kernel_corpus.py",
        only="nodeport",
        broken=Broken(
            how="a mark is cleared where it should be set",
            file="pykubeproxy/netfilter/targets/marks.py",
            old='    "--set-xmark": lambda value, mask: (mask, value),\n',
            new='    "--set-xmark": lambda value, mask: (mask, 0),\n',
        ),
    ),
)

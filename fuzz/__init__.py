"""Differential fuzzing: random clusters and random bytes, held against what must hold for all of them.

`tests/fuzz` runs it with hypothesis: few examples in tests, 10,000 of each kind by `make fuzz`. A state is a cluster
and a node's flags. Four oracles know what is right:

- order: a fresh compile, and packets between commits, whatever the order of events
- meaning: an independent model of what the API promises, and the grammar of rule lines
- kernel: what iptables-save prints after iptables-restore
- peer: kube-proxy itself, where KUBE_PROXY_BIN is set

And the parsers are given bytes that nobody should write.

- hostile, services, states, history: what is made up
- addresses, shapes, proxy, backends, model: what is promised; nothing of the project is used there
- compiling, rule_lines, meaning, order, kernel, peer: the checks; findings: what they say
- parsers, parser_targets: bytes
"""

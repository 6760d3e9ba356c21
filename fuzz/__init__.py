"""Differential fuzzing: random clusters and random bytes, held against what must hold for all of them.

    python -m fuzz --states 1000 --seed 0        states 0 to 999, each through every check
    python -m fuzz --states 1 --seed 611         one of them again

A state is a cluster and a node's flags, made from its number alone. Four oracles know what is right:

- order: a fresh compile, and packets between commits, whatever the order of events
- meaning: an independent model of what the API promises, and the grammar of rule lines
- kernel: what iptables-save prints after iptables-restore
- peer: kube-proxy itself, where KUBE_PROXY_BIN and KUBEBUILDER_ASSETS are set

And the parsers are given bytes that nobody should write.

- hostile, services, states, history: what is made up
- addresses, shapes, proxy, backends, model: what is promised; nothing of the project is used there
- compiling, rule_lines, meaning, order, kernel, peer: the checks
- mutation, parsers, parser_targets: the same for bytes
- findings, checks, shrinking, running: a run
"""

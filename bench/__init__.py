"""How fast, how large, and how both grow: a suite that anybody can repeat, `make bench` or `python -m bench`.

What is measured, each in a module with a function `figures`:

- latency: what a new connection waits for, through Services and past them
- one_change: one event, until it is in the kernel
- growth: the program's own work, without the tools
- first_sync: an empty node, and a restart on one that is in sync
- reading: all live rules read and compared
- many_changes: a thousand changes at once, and ten a second
- memory: the running daemon, with manifests
- following: the running daemon, with an API server
- peer: kube-proxy beside it, where KUBE_PROXY_BIN names one
- conntrack, reflector, trace: parts of the program; each a program of its own

What they have in common:

- synthetic: the clusters
- harness: samples, medians, turns
- figures: what was measured, and against what it is held
- namespaces: network namespaces, and processes in them
- in_process: the daemon's loop within the measuring process
- program: the real program
- api: an API server
- runs: one run of the suite
- report, plots: what is done with the figures
"""

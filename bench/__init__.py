"""How fast, how large, and how both grow: a suite that anybody can repeat, `make bench` or `python -m bench`.

What is measured, each in a module with a function `figures`:

- latency: what a new connection waits for, through Services and past them
- one_change: one event, until it is in the kernel; kernel_check: what the kernel itself adds to that
- growth: the program's own work, without the tools
- first_sync: an empty node, and a restart on one that is in sync
- many_changes: a thousand changes at once
- memory: the running daemon, with manifests
- following: the running daemon, with an API server
- trace: `trace` and `diff`
- conntrack: stale UDP flows
- peer: kube-proxy beside it, where KUBE_PROXY_BIN names one

What they have in common:

- synthetic: the clusters
- harness: one run of the suite; samples, medians, turns
- figures: what was measured, and against what it is held
- namespaces: network namespaces, and processes in them
- in_process: the daemon's loop within the measuring process
- program: the real program
- report, plots: what is done with the figures
"""

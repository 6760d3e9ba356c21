"""pykubeproxy: the Service proxy of a Kubernetes node, kube-proxy's iptables mode in Python.

One pipe runs through the package: objects -> Snapshot (`model`) -> Ruleset (`rules`) -> Plan (`plan`) -> `host`.
Every command is that pipe, cut off at some point. `docs/architecture.md` tells the rest.
"""

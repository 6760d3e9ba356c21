"""A Kubernetes node network on one machine, and the cases that Services must pass in it.

- topology: what to build: nodes, pods, the outside (values)
- objects: Kubernetes objects, made and read
- netns: one network namespace, and the programs in it
- wiring: interfaces, addresses, routes and switches
- lab: builds a topology out of namespaces, and takes it down again
- pod_server: what runs in a pod: answers with its own name and the client's address
- asking: asks once, many times, or all the time (client is what it runs)
- cases, judging: the cases, the words in which they are written, and their judge
- proxies: real proxy processes on nodes
- cluster: a lab whose nodes follow an API server
- three_nodes: every kind of Service, dual stack, on three nodes in two zones
- demo: what `make run` shows
"""

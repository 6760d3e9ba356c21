"""A Kubernetes node network on one machine, and the cases that Services must pass in it.

- topology: what to build: nodes, pods, the outside (values)
- objects: the parts of Kubernetes objects that a lab needs (values)
- examples: a topology and Services read from a folder of manifests
- netns: one network namespace: create, run commands in it, remove
- processes: the programs that a lab started, so that none outlives it
- signals: SIGTERM as an exception, and none while cleaning up
- wiring: interfaces, addresses, routes and switches
- lab: builds a topology out of namespaces, and takes it down again
- sweep: removes what killed labs have left behind
- pod_server: what runs in a pod: answers with its own name and the client's address
- socket_client: asks pods' servers where curl cannot, or not as fast
- asking: asks once, and says what came of it
- resident: asks many questions with one process per place
- steady: asks all the time (steady_client is what it runs)
- expectation: a test case as a value, and its judge
- vocabulary: the words in which cases are written
- cases: the cases of examples/, one definition for every kind of cluster
- running: puts cases to a lab
- proxies: one real proxy process per node
- cluster: a lab whose nodes follow an API server
- making: objects for that API server
- three_nodes: every kind of Service, dual stack, on three nodes in two zones
- changing: changes a manifest under running proxies
- demo: what `make run` shows
"""

"""The cases of a lab in a real cluster made by kind: for a person with docker, kind and kubectl.

`fresh` and `swap` are the scripts to run. Every node, pod and outsider of a scenario becomes a kind node, a pod and a
container, and is asked from by `kubectl exec` and `docker exec`.

- scenarios: what is made and asked: examples/, and the three nodes of e2e/three_nodes
- exclusions: what cannot be asked everywhere, and why
- rendering: the objects of a scenario as a real cluster takes them
- live: what the cluster says of itself
- tools: kubectl and docker
- cluster: makes a scenario in the cluster, and finds it there again
- places: where questions come from
- requests: asks without a pause
"""

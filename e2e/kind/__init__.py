"""The cases of e2e/cases.py in a real cluster made by kind: for a person with docker, kind and kubectl.

`fresh` and `swap` are the scripts to run. The nodes, pods and outsiders of examples/ become a kind node, a pod and a
container each, and are asked from by `kubectl exec` and `docker exec`.
"""

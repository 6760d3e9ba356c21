"""Three nodes in two zones, with every kind of Service, dual stack.

- places: the nodes, the pods and the machines outside
- services: the Services and their endpoints, as objects for an API server
- cases: what is asked of them, from where, and what should come of it
- exposed: Services that change while they are asked
- asker: who asks from anywhere, and waits for answers
- sharing: whether connections are shared fairly
"""

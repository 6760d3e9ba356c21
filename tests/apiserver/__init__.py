"""A small Kubernetes API server for tests, with faults on demand.

    with ApiServer() as api:
        api.create({"apiVersion": "v1", "kind": "Service", ...})
        api.kubeconfig(tmp_path / "kubeconfig")
        api.faults.break_watches("reset")

It checks no objects, has no RBAC, and knows only the kinds that a proxy reads and writes.
"""

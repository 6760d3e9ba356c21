"""A small, faithful Kubernetes API server for tests, with faults on demand; and the real one behind the same calls.

    with ApiServer() as api:
        api.create({"apiVersion": "v1", "kind": "Service", ...})
        api.kubeconfig(tmp_path / "kubeconfig")
        api.faults.break_watches("reset")

``python -m tests.apiserver --help`` runs it as a process of its own. The ``api`` fixture
(``tests.apiserver.fixtures``) gives a test this server, or, if KUBEBUILDER_ASSETS names a folder with ``etcd`` and
``kube-apiserver``, those.

What it does not have: server-side apply's field ownership, protobuf, tables, RBAC, admission, namespaces that must
exist, and cluster IPs limited to the configured ranges.
"""

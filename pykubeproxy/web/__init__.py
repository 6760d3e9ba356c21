"""A small HTTP/1.1 server for health checks and metrics: it knows bytes, requests and sockets, and no Kubernetes."""

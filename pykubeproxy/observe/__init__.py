"""Logs, metrics and health of this program, and the HTTP servers that serve them.

    loop --> Metrics, ProxyHealth, HealthChecks          state that the loop keeps up to date
    Servers --> pages --> the same state                 one thread that answers with it

Source: `docs/reference/health-and-metrics.md`. The HTTP server itself is `pykubeproxy.web`, which does not know what is
served.
"""

"""What the program tells about itself: logs, metrics, health, and the HTTP servers that serve them.

    loop --> Metrics, ProxyHealth, HealthChecks          state that the loop tells news to
    Servers --> pages --> the same state                 one thread that answers with it

Source: `docs/reference/health-and-metrics.md`. `web` is HTTP as values, `web_connection` and `web_thread` serve it;
nothing of those three knows what is served.
"""

"""Flows and frontends from their texts."""

from pykubeproxy.flows.stale import Flow, Frontend, pack_port, pack_socket


def frontend(text: str) -> Frontend:
    """`ip:port` or `[ip]:port`, or `:port` for a node port, as packets hold it."""
    address, _, port = text.rpartition(":")
    return pack_socket(address.strip("[]"), int(port)) if address else pack_port(int(port))


def flow(text: str) -> Flow:
    """`original destination -> reply source`."""
    destination, _, answered_by = text.partition(" -> ")
    return Flow(frontend(destination), frontend(answered_by))

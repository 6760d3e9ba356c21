"""Asks pods' servers again and again: `python steady_client.py SECONDS INTERVAL PROTOCOL/ADDRESS/PORT[/kept] …`.

Every destination has a thread of its own, which asks every INTERVAL seconds, each time over a new connection, or with
`kept` over one that is kept as long as it works. An answer must come within SECONDS. Prints `ready` once each
destination has been asked, a line of JSON for every failure as it happens, and, when standard input ends, a last one
with the sum for each destination. Standard library only.
"""

import json
import socket
import sys
import threading
import time
from contextlib import closing, suppress

STREAMS = {"TCP": socket.IPPROTO_TCP, "SCTP": socket.IPPROTO_SCTP}


class Destination:
    """One destination, the connection to it if one is kept, and what came of the questions."""

    def __init__(self, text: str, seconds: float) -> None:
        self.protocol, self.address, port, *kept = text.split("/")
        self.port, self.is_kept, self.seconds = int(port), bool(kept), seconds
        self.name = text
        self.asked = self.failed = 0
        self.slowest = 0.0
        self.pods: dict[str, int] = {}
        self.connection: socket.socket | None = None

    def ask(self) -> None:
        """Ask once, and count what came of it."""
        begun = time.monotonic()
        try:
            answer = json.loads(self._answer())
            self.pods[answer["pod"]] = self.pods.get(answer["pod"], 0) + 1
        except (OSError, ValueError) as error:
            self.failed += 1
            self._drop()
            failure = {"failed": self.name, "why": str(error) or type(error).__name__, "at": time.time()}
            print(json.dumps(failure | {"after": time.monotonic() - begun}), flush=True)
        self.asked += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def sum(self) -> dict[str, object]:
        """What came of all questions."""
        counts = {"asked": self.asked, "failed": self.failed, "slowest": self.slowest, "pods": self.pods}
        return {"to": self.name, **counts}

    def _answer(self) -> bytes:
        if not self.is_kept:
            with closing(self._connect()) as connection:
                return self._exchange(connection)
        self.connection = self.connection or self._connect()
        return self._exchange(self.connection)

    def _connect(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        if self.protocol == "UDP":
            connection = socket.socket(family, socket.SOCK_DGRAM)
        else:
            connection = socket.socket(family, socket.SOCK_STREAM, STREAMS[self.protocol])
        try:
            connection.settimeout(self.seconds)
            connection.connect((self.address, self.port))
        except OSError:
            connection.close()
            raise
        return connection

    def _exchange(self, connection: socket.socket) -> bytes:
        if self.protocol == "UDP":
            connection.send(b"/")
            return connection.recv(65535)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}\n"):
            piece = connection.recv(65535)
            if not piece:
                raise ConnectionError("the connection was closed")
            answer += piece
        return answer.partition(b"\r\n\r\n")[2]

    def _drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def ask_on(destination: Destination, interval: float, stopped: threading.Event, is_asked: threading.Barrier) -> None:
    """Ask until told to stop."""
    destination.ask()
    is_asked.wait()
    while not stopped.wait(interval):
        destination.ask()


def main(seconds: str, interval: str, *destinations: str) -> None:
    """Ask, until standard input ends."""
    asked = [Destination(text, float(seconds)) for text in destinations]
    stopped, is_asked = threading.Event(), threading.Barrier(len(asked) + 1)
    threads = [threading.Thread(target=ask_on, args=(each, float(interval), stopped, is_asked)) for each in asked]
    for thread in threads:
        thread.start()
    is_asked.wait()
    print("ready", flush=True)
    with suppress(KeyboardInterrupt):
        sys.stdin.read()
    stopped.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"sums": [each.sum() for each in asked]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

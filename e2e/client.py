"""Asks pods' servers over plain sockets, for what curl does not speak, or not as fast. Standard library only.

    python client.py

reads questions from standard input, a line of JSON for each: {"protocol": "TCP", "address": …, "port": …, "seconds": …,
"times": 1, "kept": false}. For each it prints a line: the list of what came of it, in so many objects: {"fate":
"answered", "reply": …} or {"fate": "refused" or another, "detail": …}, each with the "seconds" that it took. Every time
is a new connection, or with `kept` a datagram from one socket that stays, whatever becomes of its questions.

    python client.py SECONDS INTERVAL PROTOCOL/ADDRESS/PORT[/kept] …

asks again and again. Every destination has a thread of its own, which asks every INTERVAL seconds, each time over a new
connection, or with `kept` over one that is kept as long as it works. An answer must come within SECONDS. Prints `ready`
once each has been asked, a line of JSON for every failure as it happens, and, when standard input ends, a last one: how
often it has asked, and which pods have answered.
"""

import errno
import itertools
import json
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

REPORT_ERRORS = {  # IP_RECVERR and IPV6_RECVERR of linux/in.h and linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 11, 1),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25, 1),
}
FATES = {errno.ECONNREFUSED: "refused", errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable"}


class Client:
    """Asks one destination: over a new connection each time, or with `is_kept` over one that stays until it is closed.

    It waits at most `seconds` for an answer.
    """

    def __init__(self, protocol: str, address: str, port: int, *, seconds: float, is_kept: bool = False) -> None:
        self.protocol, self.address, self.port = protocol, address, port
        self.seconds, self.is_kept = seconds, is_kept
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None

    def ask(self) -> Any:
        """The answer to one question. Raises OSError, or ValueError for nonsense."""
        path = f"/{next(self._numbers)}"
        try:
            self._socket = self._socket or self._connected()
            return self._datagram(self._socket, path) if self.protocol == "UDP" else self._http(self._socket, path)
        finally:
            if not self.is_kept:
                self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connected(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        if self.protocol == "UDP":
            made = socket.socket(family, socket.SOCK_DGRAM)
            # It hears of errors: else "no route" stays untold, and looks like silence.
            made.setsockopt(*REPORT_ERRORS[family])
        else:
            made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(self.seconds)
            made.connect((self.address, self.port))
        except OSError:
            made.close()
            raise
        return made

    def _datagram(self, connection: socket.socket, path: str) -> Any:
        deadline = time.monotonic() + self.seconds
        connection.settimeout(self.seconds)
        # A rule on this machine makes sending fail; whether it refused or dropped, receiving tells.
        with suppress(PermissionError):
            connection.send(path.encode())
        # A late answer to an earlier question is not taken for one to this.
        while (answer := json.loads(connection.recv(65535)))["path"] != path:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            connection.settimeout(left)
        return answer

    def _http(self, connection: socket.socket, path: str) -> Any:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"}\n"):
            piece = connection.recv(65535)
            if not piece:
                raise ConnectionError("the connection was closed")
            answer += piece
        return json.loads(answer.partition(b"\r\n\r\n")[2])


def answer_questions() -> None:
    kept: dict[tuple[str, str, int], Client] = {}
    for line in sys.stdin:
        question = json.loads(line)
        where = question["protocol"], question["address"], question["port"]
        client = Client(*where, seconds=question["seconds"], is_kept=question["kept"])
        if client.is_kept:
            client = kept.setdefault(where, client)
            client.seconds = question["seconds"]
        print(json.dumps([outcome(client) for _ in range(question["times"])]), flush=True)


def outcome(client: Client) -> dict[str, Any]:
    """What comes of asking once, and how long that took."""
    begun = time.monotonic()
    try:
        what = {"fate": "answered", "reply": client.ask()}
    except TimeoutError:
        what = {"fate": "dropped"}
    except (OSError, ValueError) as error:
        what = {"fate": FATES.get(getattr(error, "errno", None) or 0, "broken"), "detail": str(error)}
    return what | {"seconds": time.monotonic() - begun}


class Steady:
    """One destination of steady traffic, and what came of the questions."""

    def __init__(self, text: str, seconds: float) -> None:
        protocol, address, port, *kept = text.split("/")
        self.name = text
        self.client = Client(protocol, address, int(port), seconds=seconds, is_kept=bool(kept))
        self.asked = 0
        self.pods: set[str] = set()

    def ask(self) -> None:
        self.asked += 1
        came = outcome(self.client)
        if came["fate"] == "answered":
            self.pods.add(came["reply"]["pod"])
            return
        self.client.close()
        failure = {"failed": self.name, "why": came.get("detail", came["fate"]), "after": came["seconds"]}
        print(json.dumps(failure | {"at": time.time()}), flush=True)

    def ask_on(self, interval: float, stopped: threading.Event, is_asked: threading.Barrier) -> None:
        self.ask()
        is_asked.wait()
        while not stopped.wait(interval):
            self.ask()


def ask_steadily(seconds: str, interval: str, *destinations: str) -> None:
    all_asked = [Steady(text, float(seconds)) for text in destinations]
    stopped, is_asked = threading.Event(), threading.Barrier(len(all_asked) + 1)
    threads = [threading.Thread(target=each.ask_on, args=(float(interval), stopped, is_asked)) for each in all_asked]
    for thread in threads:
        thread.start()
    is_asked.wait()
    print("ready", flush=True)
    with suppress(KeyboardInterrupt):
        sys.stdin.read()
    stopped.set()
    for thread in threads:
        thread.join()
    pods = set.union(*(each.pods for each in all_asked))
    print(json.dumps({"asked": sum(each.asked for each in all_asked), "pods": sorted(pods)}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        ask_steadily(*sys.argv[1:])
    else:
        answer_questions()

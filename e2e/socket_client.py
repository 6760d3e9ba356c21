"""Asks pods' servers over plain sockets, for what curl does not speak, or not as fast.

    python socket_client.py UDP|SCTP|TCP ADDRESS PORT PATH SECONDS

asks one question and prints the answer's line, if one comes, and in another line how many seconds it took. Exit status
0 with an answer; 28 without one in time and 7 if the connection failed, as curl has it.

    python socket_client.py

reads questions from standard input, a line of JSON for each: {"protocol": "TCP", "address": …, "port": …, "path": …,
"seconds": …, "times": 1, "kept": false}. For each it prints a line: the list of what came of it, in so many objects:
{"fate": "answered", "reply": …} or {"fate": "refused" or another, "detail": …}, each with its "seconds". Every time is
a new connection, or with `kept` a datagram from one socket that stays, whatever becomes of its questions. Standard
library only.
"""

import errno
import json
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

NO_ANSWER, NO_CONNECTION = 28, 7
STREAMS = {"TCP": socket.IPPROTO_TCP, "SCTP": socket.IPPROTO_SCTP}
REPORT_ERRORS = {  # IP_RECVERR and IPV6_RECVERR of linux/in.h and linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 11, 1),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25, 1),
}
FATES = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}

_kept: dict[tuple[str, int], socket.socket] = {}


def ask_datagram(address: str, port: int, path: str, seconds: float) -> bytes:
    """Sends the path as a datagram; the answer is one too."""
    with datagram_socket(address, port) as client:
        client.settimeout(seconds)
        send(client, path)
        return client.recv(65535)


def ask_on_kept_socket(address: str, port: int, path: str, seconds: float) -> bytes:
    """The same from a socket that stays. A late answer to an earlier question is not taken for one to this."""
    client = _kept.get((address, port))
    if client is None:
        client = _kept[address, port] = datagram_socket(address, port)
    deadline = time.monotonic() + seconds
    client.settimeout(seconds)
    send(client, path)
    while json.loads(answer := client.recv(65535))["path"] != path:
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError
        client.settimeout(left)
    return answer


def send(client: socket.socket, path: str) -> None:
    """Sends a datagram. A rule on this machine makes sending fail; whether it refused or dropped, receiving tells."""
    with suppress(PermissionError):
        client.send(path.encode())


def datagram_socket(address: str, port: int) -> socket.socket:
    """A socket that hears of errors: else "no route" stays untold, and looks like silence."""
    family = family_of(address)
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.setsockopt(*REPORT_ERRORS[family])
    client.connect((address, port))
    return client


def ask_stream(protocol: str, address: str, port: int, path: str, seconds: float) -> bytes:
    """Sends one HTTP request, and returns the body of the answer."""
    with socket.socket(family_of(address), socket.SOCK_STREAM, STREAMS[protocol]) as client:
        client.settimeout(seconds)
        client.connect((address, port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := client.recv(65535):
            answer += piece
        return answer.partition(b"\r\n\r\n")[2]


def ask(protocol: str, address: str, port: int, path: str, seconds: float) -> bytes:
    """Asks once, over a new connection; the line that was answered. Raises OSError."""
    if protocol == "UDP":
        return ask_datagram(address, port, path, seconds)
    return ask_stream(protocol, address, port, path, seconds)


def family_of(address: str) -> socket.AddressFamily:
    """The IP family of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def outcome(question: Mapping[str, Any]) -> dict[str, object]:
    """What comes of asking a question once, and how long that took."""
    begun = time.monotonic()
    return _outcome(question) | {"seconds": time.monotonic() - begun}


def _outcome(question: Mapping[str, Any]) -> dict[str, object]:
    where = question["address"], question["port"], question["path"], question["seconds"]
    try:
        answer = ask_on_kept_socket(*where) if question["kept"] else ask(question["protocol"], *where)
        return {"fate": "answered", "reply": json.loads(answer)}
    except TimeoutError:
        return {"fate": "dropped"}
    except (OSError, ValueError) as error:
        return {"fate": FATES.get(getattr(error, "errno", None) or 0, "broken"), "detail": str(error)}


def answer_questions() -> None:
    """Asks what standard input says, until it ends."""
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps([outcome(question) for _ in range(question["times"])]), flush=True)


def ask_once(protocol: str, address: str, port: str, path: str, seconds: str) -> int:
    """Asks, prints, and returns the exit status."""
    begun = time.monotonic()
    try:
        sys.stdout.write(ask(protocol, address, int(port), path, float(seconds)).decode())
    except TimeoutError:
        return NO_ANSWER
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return NO_CONNECTION
    finally:
        sys.stdout.write(f"\n{time.monotonic() - begun:.6f}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(ask_once(*sys.argv[1:]))
    answer_questions()

"""Besieges servers of this machine: `python siege.py HELD PORT …`.

Holds so many connections to each port, on each of which it sends a byte of a request at a time; those that are thrown
out come back at once. Ends when standard input does. A program of its own, so that those who ask meanwhile have their
interpreter for themselves. Standard library only.
"""

import select
import socket
import sys

TRICKLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1000
PAUSE = 0.05


def main(held: str, *ports: str) -> None:
    besiegers: dict[int, dict[socket.socket, int]] = {int(port): {} for port in ports}
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        for port, its in besiegers.items():
            trickle(its)
            while len(its) < int(held):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
                its[sock] = 0


def trickle(held: dict[socket.socket, int]) -> None:
    """Send the next byte on each connection; forget those that are closed."""
    for sock, sent in tuple(held.items()):
        try:
            sock.send(TRICKLE[sent : sent + 1])
            held[sock] += 1
        except BlockingIOError:
            continue
        except OSError:
            del held[sock]
            sock.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

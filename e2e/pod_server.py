"""What runs in a pod: `python pod_server.py POD TCP/8080 UDP/53 …` answers every question with one line of JSON.

Over TCP it speaks HTTP/1.1, over UDP each datagram is a question. It serves IPv4 and
IPv6, prints `ready` once all ports are open, and ends when its standard input does. Standard library only.

The answer: {"pod": …, "client": the client's address as seen in here, "path": … or the datagram's text, "port": 8080}.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from typing import Any, cast

Answer = Callable[[str, str], bytes]


def plain(address: str) -> str:
    """An address as people write it: without a zone, IPv4 as IPv4 though it came in through an IPv6 socket."""
    parsed = IPv6Address(address.partition("%")[0])
    return str(parsed.ipv4_mapped or parsed)


def answer(pod: str, port: int, client: str, path: str) -> bytes:
    return json.dumps({"pod": pod, "client": plain(client), "path": path, "port": port}).encode() + b"\n"


async def serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, its_answer: Answer) -> None:
    """Answers the requests of one connection until the client, or its `Connection: close`, ends it."""
    client = writer.get_extra_info("peername")[0]
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            request, _, fields = head.decode("latin-1").partition("\r\n")
            body = its_answer(client, request.split(" ")[1] if " " in request else "")
            close = "connection: close" in fields.lower()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                + (b"Connection: close\r\n" if close else b"")
                + b"Content-Length: %d\r\n\r\n" % len(body)
                + body
            )
            await writer.drain()
            if close:
                break
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # the client left, or does not speak HTTP
    finally:
        writer.close()


class Echo(asyncio.DatagramProtocol):
    def __init__(self, its_answer: Answer) -> None:
        self.answer = its_answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.transport.sendto(self.answer(addr[0], data.decode("utf-8", "replace")), addr)


def listening_socket(protocol: str, port: int) -> socket.socket:
    """A socket for both IP families."""
    opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("::", port))
    return opened


async def serve(pod: str, *listeners: str) -> None:
    loop = asyncio.get_running_loop()
    for protocol, _, port in (text.partition("/") for text in listeners):
        its_answer = partial(answer, pod, int(port))
        opened = listening_socket(protocol, int(port))
        if protocol == "UDP":
            await loop.create_datagram_endpoint(partial(Echo, its_answer), sock=opened)
        else:
            opened.listen(512)
            await asyncio.start_server(partial(serve_http, its_answer=its_answer), sock=opened)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))

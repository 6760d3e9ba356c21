"""Asks a pod's server over a plain socket: `python socket_client.py UDP|SCTP|TCP ADDRESS PORT PATH SECONDS`.

For what curl does not speak. Prints the answer's line. Exit status 0 with an answer; 28 without one in time and 7 if
the connection failed, as curl has it. Standard library only.
"""

import socket
import sys

NO_ANSWER, NO_CONNECTION = 28, 7
STREAMS = {"TCP": socket.IPPROTO_TCP, "SCTP": socket.IPPROTO_SCTP}
REPORT_ERRORS = {  # IP_RECVERR and IPV6_RECVERR of linux/in.h and linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 11, 1),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25, 1),
}


def ask_datagram(address: str, port: int, path: str, seconds: float) -> bytes:
    """Sends the path as a datagram; the answer is one too."""
    family = family_of(address)
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.setsockopt(*REPORT_ERRORS[family])  # else "no route" stays untold, and looks like silence
        client.connect((address, port))
        client.send(path.encode())
        return client.recv(65535)


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


def family_of(address: str) -> socket.AddressFamily:
    """The IP family of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def main(protocol: str, address: str, port: str, path: str, seconds: str) -> int:
    """Asks, prints, and returns the exit status."""
    try:
        if protocol == "UDP":
            answer = ask_datagram(address, int(port), path, float(seconds))
        else:
            answer = ask_stream(protocol, address, int(port), path, float(seconds))
    except TimeoutError:
        return NO_ANSWER
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return NO_CONNECTION
    sys.stdout.write(answer.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

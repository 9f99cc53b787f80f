"""What testssl.sh finds of a server with certificates and nothing else said of TLS.

    run.py PROXYD

Starts it on a free port of this machine with two self-signed certificates, ECDSA and RSA, and lets
testssl.sh look at all that it looks at. Every finding that is worse than INFO is shown; it is a
failure unless it is one that no server with such certificates is without, which EXPECTED explains.
Takes a minute, or some on a busy machine.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TIMEOUT = 900
OK_LEAST = 40  # findings that are good: fewer, and it has not looked at all there is

CONFIG = """
daemon off;
pid {dir}/pid;
error_log {dir}/error.log;
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {dir}/ecdsa.pem;
        ssl_certificate_key {dir}/ecdsa.key;
        ssl_certificate {dir}/rsa.pem;
        ssl_certificate_key {dir}/rsa.key;
        return 200 hello;
    }}
}}
"""

EXPECTED = {
    "cert_chain_of_trust": "the certificate is self-signed",
    "cert_revocation": "nobody revokes a self-signed certificate",
    "DNS_CAArecord": "localhost has no records",
    "HSTS": "a field that sites add",
    "security_headers": "fields that sites add",
    "sessionresumption_ticket": "its client leaves before TLS 1.3 gives it a ticket",
}


def certify(directory, name, *key):
    base = os.path.join(directory, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", "90",
                    "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", base + ".key",
                    "-out", base + ".pem"], check=True, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(port, process):
    for _ in range(300):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("testssl: the server does not serve")


def look(port, directory):
    """Its findings."""
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if not program:
        sys.exit("testssl: needs apt-get install testssl.sh")
    out = os.path.join(directory, "findings.json")
    subprocess.run([program, "--warnings", "off", "--color", "0", "--quiet", "--jsonfile", out,
                    f"https://127.0.0.1:{port}/"], timeout=TIMEOUT, cwd=directory,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(out) as f:
        return json.load(f)


def judge(findings):
    """True: no weakness."""
    good = sum(f["severity"] == "OK" for f in findings)
    bad = 0 if good >= OK_LEAST else 1
    print(f"testssl: {len(findings)} findings, {good} good")
    for f in findings:
        if f["severity"] in ("OK", "INFO"):
            continue
        why = EXPECTED.get(re.sub(r"[ _]*<.*", "", f["id"]))
        bad += not why
        print(f'{f["severity"]:8} {f["id"]}: {f["finding"][:60]} ({why or "A WEAKNESS"})')
    return not bad


def main():
    with tempfile.TemporaryDirectory() as directory:
        certify(directory, "ecdsa", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        certify(directory, "rsa", "rsa:2048")
        port = free_port()
        path = os.path.join(directory, "proxyd.conf")
        with open(path, "w") as f:
            f.write(CONFIG.format(dir=directory, port=port))
        server = subprocess.Popen([os.path.abspath(sys.argv[1]), "-p", directory, "-c", path])
        try:
            await_port(port, server)
            ok = judge(look(port, directory))
        finally:
            server.terminate()
            server.wait()
    sys.exit(0 if ok else 1)


main()

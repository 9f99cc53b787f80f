#include "tests/e2e/peer.h"

#include <string.h>
#include <unistd.h>

#include "tests/e2e/keeper.h"

static pid_t start(const char *name, const char *const argv[])
{
    const char *output = file_path(text("%s.txt", name));
    int status;
    pid_t pid = keeper_run(argv, harness_dir(), output);
    bool up = EVENTUALLY(harness_accepts(harness_port(name)) || keeper_wait(pid, 0, &status));
    cr_assert(up && !keeper_wait(pid, 0, &status), "%s does not start:\n%s", argv[0],
              file_read(output));
    return pid;
}

/* Debian's, which has Debian's modules. */
static const char *python(void)
{
    return access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
}

pid_t peer_python(const char *name, const char *directory)
{
    const char *argv[] = {python(),
                          "-u",
                          "-m",
                          "http.server",
                          "--bind",
                          "127.0.0.1",
                          "--directory",
                          file_path(directory),
                          text("%u", harness_port(name)),
                          NULL};
    return start(name, argv);
}

pid_t peer_python_script(const char *name, const char *script)
{
    const char *file = text("peer_%s.py", name); /* NAME.py might be a module that it imports */
    const char *argv[] = {python(), "-u", file_path(file), NULL};
    file_write(file, script);
    return start(name, argv);
}

const char *peer_python_run(const char *file)
{
    const char *output = text("%s.txt", file);
    const char *argv[] = {python(), file_path(file), NULL};
    int status;
    unlink(file_path(output));
    pid_t pid = keeper_run(argv, harness_dir(), file_path(output));
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status) && status == 0, "%s", file_read(output));
    return file_read(output);
}

pid_t peer_nghttpd(const char *name, const char *directory)
{
    const char *argv[] = {"nghttpd", "--no-tls", "--echo-upload", "-a", "127.0.0.1", "-d",
                          file_path(directory), text("%u", harness_port(name)), NULL};
    return start(name, argv);
}

/* openssl ocsp would listen on every address by itself: here it answers one question at a time. */
pid_t peer_ocsp(const char *name, const char *signer)
{
    return peer_python_script(
        name, text("import base64, http.server, subprocess, urllib.parse\n"
                   "class H(http.server.BaseHTTPRequestHandler):\n"
                   "  def do_GET(self):\n"
                   "    q = urllib.parse.unquote(self.path.rpartition('/')[2])\n"
                   "    open('question.der', 'wb').write(base64.b64decode(q, validate=True))\n"
                   "    subprocess.run(['openssl', 'ocsp', '-index', 'index', '-CA', 'ca.pem',\n"
                   "      '-rsigner', '%s.pem', '-rkey', '%s.key', '-reqin', 'question.der',\n"
                   "      '-nmin', '60', '-respout', 'answer.der'], check=True)\n"
                   "    answer = open('answer.der', 'rb').read()\n"
                   "    self.send_response(200)\n"
                   "    self.send_header('Content-Type', 'application/ocsp-response')\n"
                   "    self.send_header('Content-Length', str(len(answer)))\n"
                   "    self.end_headers()\n"
                   "    self.wfile.write(answer)\n"
                   "http.server.HTTPServer(('127.0.0.1', @%s@), H).serve_forever()\n",
                   signer, signer, name));
}

pid_t peer_node(const char *name, const char *script)
{
    const char *file = text("%s.js", name);
    const char *argv[] = {"node", file_path(file), NULL};
    file_write(file, script);
    return start(name, argv);
}

pid_t peer_pebble(const char *name, const char *settings, const char *more)
{
    enum { SETTINGS_MOST = 8 };
    const char *argv[SETTINGS_MOST + 8] = {"env", "PEBBLE_VA_NOSLEEP=1"}, *word;
    const char *file = text("%s.json", name);
    char *rest = (char *)(uintptr_t)text("%s", settings);
    unsigned n = 2;
    while (n < SETTINGS_MOST && (word = strsep(&rest, " ")))
        if (*word) argv[n++] = word;
    const char *program[] = {"pebble", "-config", file_path(file), "-dnsserver",
                             text("127.0.0.1:%u", harness_port("dns"))};
    for (unsigned i = 0; i < 5; i++) argv[n++] = program[i];
    file_write(file, text("{\"pebble\":{\"listenAddress\":\"127.0.0.1:@%s@\","
                          "\"managementListenAddress\":\"\",\"certificate\":\"@dir@/%s.pem\","
                          "\"privateKey\":\"@dir@/%s.key\",\"httpPort\":@http@,"
                          "\"tlsPort\":@tls@%s}}", name, name, name, more));
    return start(name, argv);
}

pid_t peer_nginx(const char *name, const char *http)
{
    const char *file = text("%s.conf", name), *log = file_path(text("%s.log", name));
    const char *program = access("/usr/sbin/nginx", X_OK) == 0 ? "/usr/sbin/nginx" : "nginx";
    const char *argv[] = {program, "-p", harness_dir(), "-e", log, "-c", file_path(file), NULL};
    file_write(file, text("daemon off; master_process off; pid @dir@/%s.pid; error_log %s;\n"
                          "events {}\n"
                          "http { access_log off; client_body_temp_path @dir@/%s-body;\n"
                          "proxy_temp_path @dir@/%s-proxy; fastcgi_temp_path @dir@/%s-fcgi;\n"
                          "uwsgi_temp_path @dir@/%s-uwsgi; scgi_temp_path @dir@/%s-scgi;\n%s\n}\n",
                          name, log, name, name, name, name, name, http));
    return start(name, argv);
}

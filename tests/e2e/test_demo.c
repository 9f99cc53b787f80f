/* What a new user meets first: the demonstration and the sample configuration. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/keeper.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* Takes the demonstration's port from what it prints and makes it @demo@. */
static void await_demo(void)
{
    const char *found = NULL;
    bool up = EVENTUALLY((found = strstr(file_read("demo.txt"), "Ctrl-C ends it.")));
    cr_assert(up, "it does not start:\n%s", file_read("demo.txt"));
    found = strstr(file_read("demo.txt"), "http://127.0.0.1:") + strlen("http://127.0.0.1:");
    harness_set("demo", text("%.*s", (int)strcspn(found, "/"), found));
}

E2E(demo, starts_answers_and_leaves_nothing)
{
    const char *script = realpath("contrib/demo/run.sh", NULL);
    cr_assert(script, "the tests run in the top directory of the sources");
    const char *argv[] = {
        "env", text("TMPDIR=%s", harness_dir()), "sh", text("%s", script), subject_program(), NULL};
    int status = -1;
    free((void *)(uintptr_t)script);
    pid_t pid = keeper_run(argv, harness_dir(), file_path("demo.txt"));
    await_demo();
    assert_has(wire_get("demo", "/")->body.p, "proxyd is at work");
    assert_has(wire_get("demo", "/api/hello?x=1")->body.p, "\"uri\": \"/hello?x=1\"");
    assert_has(wire_get("demo", "/flaky/")->body.p, "\"app\": \"two\"");
    assert_has(wire_get("demo", "/download/report")->body.p, "The report");
    cr_assert_eq(wire_get("demo", "/files/report.txt")->status, 404, "internal");
    reply_t *r = wire_get("demo", "/broken/");
    cr_assert_eq(r->status, 502);
    assert_has(r->body.p, "Nobody answers");
    cr_assert_eq(wire_get("demo", "/old/a")->status, 301);
    r = wire_ask("demo", "GET / HTTP/1.1\r\nHost: x.other.test\r\n\r\n");
    assert_text(r->body.p, "another site: x.other.test\n");
    kill(pid, SIGTERM);
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status));
    cr_assert_eq(status, 0);
    const char *list[] = {"sh", "-c", "ls -d proxyd-demo.*", NULL};
    pid = keeper_run(list, harness_dir(), file_path("list.txt"));
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status));
    cr_assert_neq(status, 0, "left behind: %s", file_read("list.txt"));
}

static void copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "re");
    char line[4096];
    const char *all = "";
    cr_assert(in, "%s", from);
    while (fgets(line, sizeof(line), in)) all = text("%s%s", all, line);
    fclose(in);
    file_write(to, all);
}

E2E(demo, the_sample_configuration_is_good)
{
    copy("conf/proxyd.conf", "conf/proxyd.conf");
    copy("conf/mime.types", "conf/mime.types");
    unsigned files = harness_files(8192);
    ran_t r = subject_run("-t -p @dir@/ -c conf/proxyd.conf");
    cr_assert_eq(r.status, 0, "%s", r.output);
    if (files == 8192) assert_lacks(r.output, "warn");
}

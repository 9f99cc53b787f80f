#include <criterion/criterion.h>

#include "core/base/report.h"

static pool_t *pool;

static void begin(void)
{
    pool = pool_create();
}

static void end(void)
{
    pool_destroy(pool);
}

TestSuite(report, .init = begin, .fini = end);

static void write_server(report_t *r, const char *name, uint64_t active)
{
    report_item(r, "server", str_of(name));
    report_gauge(r, "active", active);
    report_state(r, "state", STR("up"));
    report_close(r);
}

static void write_group(report_t *r, const char *name)
{
    report_item(r, "upstream", str_of(name));
    report_count(r, "requests", 17);
    report_ms(r, "p50", 1234567);
    report_flag(r, "sticky", true);
    report_list(r, "servers");
    write_server(r, "10.0.0.1:80", 2);
    write_server(r, "10.0.0.2:80", 0);
    report_close(r);
    report_text(r, "note", STR("a \"b\"\\\n\xe4"));
    report_close(r);
}

static void write(report_t *r)
{
    report_open(r, "server");
    report_count(r, "requests", UINT64_MAX);
    report_time(r, "started", 784887151500);
    report_time(r, "never", 0);
    report_close(r);
    report_open(r, "upstreams");
    write_group(r, "app");
    write_group(r, "b");
    report_close(r);
}

static void check(report_format_t format, const char *const *names, const char *expected)
{
    str_t path[4], text;
    unsigned n = 0;
    for (; names[n]; n++) path[n] = str_of(names[n]);
    report_t *r = report_new(pool, format, path, n);
    write(r);
    bool found = report_end(r, &text);
    cr_assert_eq(found, expected != NULL);
    if (expected)
        cr_assert(str_eq(text, str_of(expected)), "got:\n" STR_FMT "\ninstead of:\n%s",
                  STR_ARG(text), expected);
}

#define PATH(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SERVERS \
    "[{\"server\":\"10.0.0.1:80\",\"active\":2,\"state\":\"up\"}," \
    "{\"server\":\"10.0.0.2:80\",\"active\":0,\"state\":\"up\"}]"
#define GROUP \
    "\"requests\":17,\"p50_ms\":1234.567,\"sticky\":true,\"servers\":" SERVERS \
    ",\"note\":\"a \\\"b\\\"\\\\\\u000a\\u00e4\"}"

Test(report, all_as_json)
{
    check(REPORT_JSON, PATH(),
          "{\"server\":{\"requests\":18446744073709551615,\"started\":\"1994-11-15T08:12:31Z\","
          "\"never\":null},\"upstreams\":{\"app\":{" GROUP ",\"b\":{" GROUP "}}\n");
}

Test(report, a_part_of_it)
{
    check(REPORT_JSON, PATH("upstreams", "b"), "{\"upstream\":\"b\"," GROUP "\n");
    check(REPORT_JSON, PATH("upstreams", "app", "servers"), SERVERS "\n");
    check(REPORT_JSON, PATH("upstreams", "app", "servers", "10.0.0.2:80"),
          "{\"server\":\"10.0.0.2:80\",\"active\":0,\"state\":\"up\"}\n");
}

Test(report, what_is_not_there)
{
    check(REPORT_JSON, PATH("upstreams", "c"), NULL);
    check(REPORT_JSON, PATH("app"), NULL);
    check(REPORT_PROMETHEUS, PATH("caches"), NULL);
}

Test(report, for_prometheus)
{
    check(REPORT_PROMETHEUS, PATH("upstreams", "app"),
          "# TYPE proxyd_upstreams_p50_seconds gauge\n"
          "proxyd_upstreams_p50_seconds{upstream=\"app\"} 1.234567\n"
          "# TYPE proxyd_upstreams_requests_total counter\n"
          "proxyd_upstreams_requests_total{upstream=\"app\"} 17\n"
          "# TYPE proxyd_upstreams_servers_active gauge\n"
          "proxyd_upstreams_servers_active{upstream=\"app\",server=\"10.0.0.1:80\"} 2\n"
          "proxyd_upstreams_servers_active{upstream=\"app\",server=\"10.0.0.2:80\"} 0\n"
          "# TYPE proxyd_upstreams_servers_state gauge\n"
          "proxyd_upstreams_servers_state{upstream=\"app\",server=\"10.0.0.1:80\",state=\"up\"} 1\n"
          "proxyd_upstreams_servers_state{upstream=\"app\",server=\"10.0.0.2:80\",state=\"up\"} 1\n"
          "# TYPE proxyd_upstreams_sticky gauge\n"
          "proxyd_upstreams_sticky{upstream=\"app\"} 1\n");
    check(REPORT_PROMETHEUS, PATH("server"),
          "# TYPE proxyd_server_requests_total counter\n"
          "proxyd_server_requests_total 18446744073709551615\n"
          "# TYPE proxyd_server_started_timestamp_seconds gauge\n"
          "proxyd_server_started_timestamp_seconds 784887151\n");
}

Test(report, whether_a_section_is_wanted)
{
    str_t path[] = {STR("zones")};
    report_t *all = report_new(pool, REPORT_JSON, NULL, 0);
    report_t *one = report_new(pool, REPORT_JSON, path, 1);
    cr_assert(report_wants(all, "server"));
    cr_assert(report_wants(one, "zones"));
    cr_assert_not(report_wants(one, "server"));
}

/* test_trace_bad.c: malformed traces, each with the message that a person gets to see. */
#include "tests/test.h"
#include "traces/trace.h"

#include <string.h>

struct bad {
    const char *text, *message;
};

static const struct bad bads[] = {
    /* clang-format off */
    {"",
     "t:1: empty: there is no trace in it"},
    {"[]",
     "t:1: not a trace: neither JSON Lines nor a JSON document, near '[]'"},
    {"{\"memwalk\":1",
     "t:1: a comma or } is missing, at the end"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":24",
     "t:1: not JSON: a quote or bracket is missing, at the end"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":24,}",
     "t:1: not JSON, near '}'"},
    {"{\"op\":\"malloc\" \"id\":1,\"size\":24}",
     "t:1: not JSON, near '\"id\":1,\"size\":24}'"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":024}",
     "t:1: not JSON, near '024}'"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":1.5}",
     "t:1: size: must be a whole number, not 1.5"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":\"big\"}",
     "t:1: size: must be a whole number, not \"big\""},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":true}",
     "t:1: size: must be a whole number, not true"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":null}",
     "t:1: size: must be a whole number, not null, an array or an object"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":[1,2]}",
     "t:1: size: must be a whole number, not null, an array or an object"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":18446744073709551616}",
     "t:1: size: 18446744073709551616 does not fit in 64 bits"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":-9223372036854775809}",
     "t:1: size: -9223372036854775809 does not fit in 64 bits"},
    {"{\"op\":\"malloc\",\"id\":1}",
     "t:1: size: missing: malloc needs it"},
    {"{\"op\":\"malloc\",\"size\":24}",
     "t:1: id: missing: malloc needs it"},
    {"{\"op\":\"malloc\",\"id\":1,\"size\":24,\"size\":25}",
     "t:1: size: given twice"},
    {"{\"op\":\"malloc\",\"op\":\"free\",\"id\":1,\"size\":24}",
     "t:1: op: given twice"},
    {"{\"op\":\"malloc\",\"id\":1,\"sise\":24}",
     "t:1: sise: malloc has no such field; did you mean \"size\"?"},
    {"{\"op\":\"mallok\",\"id\":1,\"size\":24}",
     "t:1: op: \"mallok\" is not an op; did you mean \"malloc\"?"},
    {"{\"op\":7,\"id\":1}",
     "t:1: op: must be a string, not a number"},
    {"{\"id\":1,\"size\":24}",
     "t:1: op: missing: every op has one"},
    {"{\"op\":\"free\",\"id\":1,\"pid\":65536}",
     "t:1: pid: must be 0 to 65535, not 65536"},
    {"{\"op\":\"free\",\"id\":1,\"pid\":1,\"p\":1}",
     "t:1: p: given twice"},
    {"{\"op\":\"free\",\"id\":1,\"fail\":1}",
     "t:1: fail: must be true or false, not a number"},
    {"{\"op\":\"free\",\"id\":1,\"ret\":\"-EWHAT\"}",
     "t:1: ret: must be a number, \"h+N\", \"m-N\" or \"-ENAME\", not -EWHAT"},
    {"{\"op\":\"free\",\"id\":1,\"ret\":false}",
     "t:1: ret: must be a number, \"h+N\", \"m-N\" or \"-ENAME\", not false"},
    {"{\"op\":\"write\",\"len\":8}",
     "t:1: id: missing: write needs \"id\" or \"addr\""},
    {"{\"op\":\"write\",\"id\":1,\"addr\":0,\"len\":8}",
     "t:1: addr: either \"id\" or \"addr\", not both"},
    {"{\"op\":\"write\",\"addr\":0,\"off\":8,\"len\":8}",
     "t:1: off: goes with \"id\", not with \"addr\""},
    {"{\"op\":\"write\",\"addr\":\"q+7\",\"len\":8}",
     "t:1: addr: must be a virtual address (a number, \"0x…\", \"h+N\" or \"m-N\"), not q+7"},
    {"{\"op\":\"write\",\"addr\":true,\"len\":8}",
     "t:1: addr: must be a virtual address, not true"},
    {"{\"op\":\"set\",\"id\":1,\"len\":8,\"value\":256}",
     "t:1: value: must be 0 to 255, not 256"},
    {"{\"op\":\"copy\",\"id\":1,\"len\":8}",
     "t:1: to: missing: copy needs \"to\" or \"to_addr\""},
    {"{\"op\":\"copy\",\"id\":1,\"len\":8,\"to\":2,\"to_addr\":\"0\"}",
     "t:1: to_addr: either \"to\" or \"to_addr\", not both"},
    {"{\"op\":\"mmap\",\"addr\":\"0\",\"len\":4096,\"prot\":\"rv\",\"flags\":34}",
     "t:1: prot: \"rv\" is not known here; did you mean \"r\"?"},
    {"{\"op\":\"mmap\",\"addr\":\"0\",\"len\":4096,\"prot\":3,\"flags\":\"private|anonymus\"}",
     "t:1: flags: \"anonymus\" is not known here; did you mean \"anonymous\"?"},
    {"{\"op\":\"fork\",\"child\":70000}",
     "t:1: child: must be 0 to 65535, not 70000"},
    {"{\"op\":\"mark\",\"name\":\"two words\"}",
     "t:1: name: must be up to 31 letters, digits, \"_\", \"-\" or \".\""},
    {"{\"op\":\"mark\",\"text\":7}",
     "t:1: text: must be a string, not a number"},
    {"{\"op\":\"mark\",\"stop\":1}",
     "t:1: stop: must be true or false, not a number"},
    {"{\"op\":\"mark\",\"text\":\"a\\u0000b\"}",
     "t:1: a NUL in a string, near '\\u0000b\"}'"},
    {"{\"op\":\"free\",\"id\":1} {\"op\":\"free\",\"id\":2}",
     "t:1: something follows the value, near '{\"op\":\"free\",\"id\":2}'"},
    {"{\"memwalk\":2}",
     "t:1: memwalk: version 2 is not known; this program reads version 1"},
    {"{\"memwalk\":\"one\"}",
     "t:1: memwalk: must be the version of the format, 1"},
    {"{\"memwalk\":1,\"nome\":\"x\"}",
     "t:1: nome: a trace has no such field; did you mean \"name\"?"},
    {"{\"memwalk\":1,\"name\":7}",
     "t:1: name: must be a string"},
    {"{\"memwalk\":1,\"name\":\"a\",\"name\":\"b\"}",
     "t:1: name: given twice"},
    {"{\"memwalk\":1,\"config\":[]}",
     "t:1: config: must be an object"},
    {"{\"memwalk\":1,\"config\":{\"a\":}}",
     "t:1: not JSON, near '}'"},
    {"{\"name\":\"x\"}",
     "t:1: memwalk: missing: the version of the format, 1"},
    {"{\"memwalk\":1,\"ops\":7}",
     "t:1: ops: must be an array of ops"},
    {"{\"memwalk\":1,\"ops\":[7]}",
     "t:1: an op is an object or a string in the call notation, near '7'"},
    {"{\"memwalk\":1,\"ops\":[\"free(p1)\",]}",
     "t:1: an op is missing, near ']}'"},
    {"{\"memwalk\":1,\"ops\":[\"free(p1)\" \"free(p2)\"]}",
     "t:1: a comma is missing between two ops, near '\"free(p2)\"]}'"},
    {"{\"memwalk\":1,\"ops\":[\"free(p1)\"",
     "t:1: a value is missing, or does not end, near '[\"free(p1)\"'"},
    {"{\"memwalk\":1,\"ops\":[]} x",
     "t:1: something follows the trace's end, near 'x'"},
    {"{\"memwalk\":1,\"ops\":[],\"expect\":{\"walks\":\"three\"}}",
     "t:1: expect: the figure \"walks\" must be a number, or such as \"<= 10\""},
    {"{\"ops\":[]}",
     "t:1: memwalk: missing: the version of the format, 1"},
    {"{\"expect\":{\"walks\":true}}",
     "t:1: expect: the figure \"walks\" must be a number, or such as \"<= 10\""},
    {"\"p1 = mallok(24)\"",
     "t:1: op: \"mallok\" is not an op; did you mean \"malloc\"?"},
    {"\"p1 = malloc(24\"",
     "t:1: \")\" is missing, at the end"},
    {"\"p1 = malloc()\"",
     "t:1: size: missing: malloc needs it"},
    {"\"p1 = malloc(24, 7)\"",
     "t:1: \")\" is missing, near ', 7)'"},
    {"\"malloc(24)\"",
     "t:1: a name is missing: p3 = …, near '(24)'"},
    {"\"p1 = free(p2)\"",
     "t:1: this op makes no block, near '(p2)'"},
    {"\"p1 = realloc(p2, 24)\"",
     "t:1: the block keeps its name: p3 = realloc(p3, …), near ', 24)'"},
    {"\"free(7)\"",
     "t:1: a block such as p3 is missing, near ')'"},
    {"\"p1 = malloc(24) -> maybe\"",
     "t:1: ret: must be a number, \"h+N\", \"m-N\" or \"-ENAME\", not maybe"},
    {"\"p1 = malloc(24) fial\"",
     "t:1: only \"-> RESULT\", \"faults N\" or \"fail\" may follow, near 'fial'"},
    {"\"write p1[0.8]\"",
     "t:1: \"..\" is missing, near '.8]'"},
    {"\"write q1[0..8]\"",
     "t:1: a block such as p3 is missing, near '[0..8]'"},
    {"\"write [h+8..m+8]\"",
     "t:1: both ends of a range count from the same place, at the end"},
    {"\"copy p1[0..8]\"",
     "t:1: \"to\" is missing, at the end"},
    {"\"copy p1[0..8] to p2\"",
     "t:1: \"[\" is missing, at the end"},
    {"\"[pid 1 pid 2] free(p1)\"",
     "t:1: in [ ] stand pid, tid, ret, faults or fail, each once, near ' 2] free(p1)'"},
    {"\"mark two words: hello\"",
     "t:1: name: must be up to 31 letters, digits, \"_\", \"-\" or \".\""},
    {"\"p1 = malloc(99999999999G)\"",
     "t:1: size: 99999999999G does not fit in 64 bits"},
    {"\"\"",
     "t:1: an op is missing, at the end"},
    {"hello",
     "t:1: not a trace: neither JSON Lines nor a JSON document, near 'hello'"},
    {"{\"memwalk\":1}\n{\"memwalk\":1}",
     "t:2: memwalk: a header stands only in the first line"},
    {"{\"expect\":{\"walks\":1}}\n{\"op\":\"free\",\"id\":1}",
     "t:2: nothing may follow the line with \"expect\""},
    {"{\"memwalk\":1,\"expect\":{}}\n{\"expect\":{}}",
     "t:2: expect: given twice"},
    {"{\"op\":\"free\",\"id\":1}\n\n{\"op\":\"free\"}",
     "t:3: id: missing: free needs it"},
    {"{\"memwalk\":1,\n \"ops\":[\n  \"free(p1)\",\n  \"free(p)\"]}",
     "t:4: a block such as p3 is missing, near ')'"},
    /* clang-format on */
};

START_TEST(each_has_its_message)
{
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        struct trace *t = NULL;
        struct error e;
        char message[700];
        enum err err = trace_load_memory(&t, bads[i].text, strlen(bads[i].text), "t", &e);
        ck_assert_msg(err != ERR_NONE && !t, "accepted: %s", bads[i].text);
        ck_assert_int_eq(err, e.code);
        ck_assert_str_eq(error_text(&e, message, sizeof(message)), bads[i].message);
    }
}
END_TEST

/* The same text must fail in the same way when it is cut off anywhere, and never crash. */
START_TEST(cut_off_anywhere)
{
    static const char text[] =
        "{\"memwalk\": 1, \"config\": {\"alloc\": \"bump\"},\n \"ops\": [\n"
        "  \"p1 = malloc(24) -> h+16\", {\"op\":\"mark\",\"text\":\"\\u00e9\"}"
        "\n ], \"expect\": {\"walks\": 3}}";
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct trace *t;
        struct error e;
        char *copy = malloc(n + 1);
        memcpy(copy, text, n);
        ck_assert_int_ne(trace_load_memory(&t, copy, n, "t", &e), ERR_NONE);
        ck_assert_ptr_null(t);
        free(copy);
    }
    struct trace *t;
    ck_assert_int_eq(trace_load_memory(&t, text, sizeof(text) - 1, "t", NULL), ERR_NONE);
    ck_assert_uint_eq(t->count, 2);
    trace_free(t);
}
END_TEST

static void check_limit(const char *text, size_t size, const char *message)
{
    struct trace *t;
    struct error e;
    ck_assert_int_ne(trace_load_memory(&t, text, size, "t", &e), ERR_NONE);
    ck_assert_ptr_null(t);
    ck_assert_msg(strstr(e.reason, message) != NULL, "%s", e.reason);
}

/* Depth and length without end: a message, and no memory or stack to match. */
START_TEST(hostile_shapes)
{
    size_t size = 3 * MIB;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', size);
    memcpy(text, "{\"op\":\"free\",\"id\":", 18);
    check_limit(text, size, "this line is longer than 1048576 bytes");
    check_limit(text, 500000, "a quote or bracket is missing");
    memset(text + 18, '[', 200000);
    memset(text + 200018, ']', 200000);
    text[400018] = '}';
    check_limit(text, 400019, "not JSON");
    memset(text, ' ', size);
    memcpy(text, "{\"memwalk\":1}\n", 14);
    memset(text + 14, 'x', size - 14);
    check_limit(text, size, "this line is longer than 1048576 bytes");
    free(text);
}
END_TEST

TEST_MAIN("trace_bad", each_has_its_message, cut_off_anywhere, hostile_shapes)

/* test_trace_tools.c: check, stat, cut and the schema: what is said about traces without a run. */
#include "tests/test.h"
#include "traces/tools.h"

#include <string.h>
#include <unistd.h>

static struct trace *load_text(const char *text)
{
    struct trace *t;
    struct error e;
    enum err err = trace_load_memory(&t, text, strlen(text), "t", &e);
    ck_assert_msg(!err, "%s", err ? e.reason : "");
    return t;
}

struct heard {
    char text[2000];
    unsigned count;
};

static void hear(void *ctx, const struct trace_finding *f)
{
    struct heard *h = ctx;
    size_t n = strlen(h->text);
    snprintf(h->text + n, sizeof(h->text) - n, "%llu %s %s\n", (unsigned long long)f->op,
             finding_names[f->kind], f->text);
    h->count++;
}

static struct heard check(const char *text)
{
    struct heard h = {.count = 0};
    struct trace *t = load_text(text);
    struct trace_checker *c = trace_checker_new(hear, &h);
    for (size_t i = 0; i < t->count; i++)
        ck_assert_int_eq(trace_checker_op(c, &t->op[i]), ERR_NONE);
    uint64_t sum = 0;
    for (size_t i = 0; i < FINDING_COUNT; i++)
        sum += trace_checker_counts(c)[i];
    ck_assert_uint_eq(sum, h.count);
    trace_checker_free(c);
    trace_free(t);
    return h;
}

START_TEST(findings)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"\"p1 = malloc(8)\"\n\"write p1[0..8]\"\n\"free(p1)\"\n\"free(NULL)\"", ""},
        {"\"p1 = malloc(8)\"\n\"free(p1)\"\n\"free(p1)\"",
         "3 double-free block 1 is freed again: it was ended by op 2 (line 2)\n"},
        {"\"free(p1)\"", "1 unknown-id block 1 is freed, but no op made it\n"},
        {"\"p1 = malloc(8)\"\n\n\"p1 = malloc(9)\"",
         "2 id-reused block 1 is given again while it is live, made by op 1 (line 1)\n"},
        {"\"p1 = malloc(8)\"\n\"free(p1)\"\n\"p1 = malloc(9)\"\n\"read p1[0..9]\"", ""},
        {"\"p1 = malloc(8)\"\n\"free(p1)\"\n\"read p1[0..1]\"",
         "3 use-after-free block 1 is used after its end: it was ended by op 2 (line 2)\n"},
        {"\"p1 = calloc(2, 4)\"\n\"read p1[4..9]\"",
         "2 beyond-end bytes [4, 9) are used of block 1 of 8 bytes, made by op 1 (line 1)\n"},
        {"\"p1 = malloc(8)\"\n\"p1 = realloc(p1, 20)\"\n\"read p1[19..20]\"", ""},
        {"\"p1 = realloc(p1, 20)\"\n\"p1 = realloc(p1, 0)\"\n\"p1 = realloc(p1, 5)\"", ""},
        {"\"p1 = malloc(8)\"\n\"p1 = realloc(p1, 0)\"\n\"free(p1)\"",
         "3 double-free block 1 is freed again: it was ended by op 2 (line 2)\n"},
        {"\"p1 = malloc(8) fail\"\n\"free(p1)\"", ""},
        {"\"p1 = malloc(0x8000000000000000)\"\n\"set p1[0..1]\"",
         "2 null-used block 1 is used, but it is NULL: the request failed that was made by op 1 "
         "(line 1)\n"},
        {"\"p1 = malloc(8)\"\n\"p1 = realloc(p1, 9) fail\"\n\"read p1[0..8]\"", ""},
        {"\"read NULL[0..8]\"", "1 null-used NULL is used\n"},
        {"\"p1 = malloc(8)\"\n\"copy p1[0..8] to p2[0]\"",
         "2 unknown-id block 2 is used, but no op made it\n"},
        {"\"p1 = malloc(8)\"\n\"fork(1)\"\n\"[pid 1] free(p1)\"\n\"free(p1)\"", ""},
        {"\"p1 = malloc(8)\"\n\"[pid 3] free(p1)\"",
         "2 process process 3 was never forked\n2 unknown-id block 1 is freed, but no op made "
         "it\n"},
        {"\"fork(1)\"\n\"[pid 1] exit()\"\n\"[pid 1] exit()\"\n\"fork(1)\"\n\"fork(1)\"",
         "3 process process 1 has ended\n5 process process 1 runs already\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h = check(cases[i].text);
        ck_assert_msg(strcmp(h.text, cases[i].found) == 0, "%s\n%s", cases[i].text, h.text);
    }
}
END_TEST

static struct trace_stat stat_of(const struct trace *t)
{
    struct trace_counter *c = trace_counter_new();
    for (size_t i = 0; i < t->count; i++)
        ck_assert_int_eq(trace_counter_op(c, &t->op[i]), ERR_NONE);
    struct trace_stat s = *trace_counter_stat(c);
    trace_counter_free(c);
    return s;
}

START_TEST(counts)
{
    struct trace *t = load_text(
        "\"p1 = malloc(100)\"\n\"p2 = calloc(3, 16)\"\n\"p1 = realloc(p1, 1024)\"\n\"free(p2)\"\n"
        "\"p3 = malloc(1) fail\"\n\"p4 = malloc(1025)\"\n\"fork(1)\"\n\"[pid 1] free(p1)\"\n"
        "\"mark x\"\n\"p5 = calloc(0xffffffffffff, 0xffffffffffff)\"");
    struct trace_stat s = stat_of(t);
    trace_free(t);
    ck_assert_uint_eq(s.ops, 10);
    ck_assert_uint_eq(s.by_kind[OP_malloc], 3);
    ck_assert_uint_eq(s.requests, 6);
    ck_assert_uint_eq(s.failed, 2);
    ck_assert_uint_eq(s.requested, 100 + 48 + 1024 + 1025);
    ck_assert_uint_eq(s.largest, 1025);
    ck_assert_uint_eq(s.histogram[7], 1);
    ck_assert_uint_eq(s.histogram[6], 1);
    ck_assert_uint_eq(s.histogram[10], 1);
    ck_assert_uint_eq(s.histogram[11], 1);
    ck_assert_uint_eq(s.peak_bytes, 2 * (1024 + 1025));
    ck_assert_uint_eq(s.peak_bytes_op, 7);
    ck_assert_uint_eq(s.peak_blocks, 4);
    ck_assert_uint_eq(s.live_bytes, 1024 + 2 * 1025);
    ck_assert_uint_eq(s.live_blocks, 3);
    ck_assert_uint_eq(s.processes, 2);
    ck_assert_uint_eq(s.marks, 1);
}
END_TEST

/* This recording was counted by another program when it was made. */
START_TEST(counts_of_a_recording)
{
    struct trace *t;
    ck_assert_int_eq(trace_load(&t, "traces/gcc-as.jsonl.zst", NULL), ERR_NONE);
    struct trace_stat s = stat_of(t);
    trace_free(t);
    ck_assert_uint_eq(s.peak_bytes, 455945);
    ck_assert_uint_eq(s.peak_blocks, 549);
    ck_assert_uint_eq(s.live_bytes, 19588);
    ck_assert_uint_eq(s.live_blocks, 470);
    ck_assert_uint_eq(s.largest, 65539);
}
END_TEST

/* Any cut of a good trace is a good trace, and holds as much at its end as the whole one did. */
START_TEST(cuts_stand_alone)
{
    char path[] = "/tmp/memwalk-cut-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    struct trace *whole;
    ck_assert_int_eq(trace_load(&whole, "traces/mawk.jsonl.zst", NULL), ERR_NONE);
    for (uint64_t first = 1; first < whole->count; first += 37) {
        struct trace_copy options = {.first = first, .last = first + 50};
        struct trace_copied result;
        struct trace *part, head = *whole;
        struct error e;
        head.count = min_u64(first + 50, whole->count);
        ck_assert_int_eq(trace_copy("traces/mawk.jsonl.zst", path, &options, &result, &e), 0);
        ck_assert_int_eq(trace_load(&part, path, &e), ERR_NONE);
        ck_assert_uint_eq(part->count, result.ops);
        ck_assert_uint_eq(result.ops - result.prelude, head.count - first + 1);
        struct trace_stat a = stat_of(part), b = stat_of(&head);
        ck_assert_uint_eq(a.live_bytes, b.live_bytes);
        ck_assert_uint_eq(a.live_blocks, b.live_blocks);
        struct heard h = {.count = 0};
        struct trace_checker *c = trace_checker_new(hear, &h);
        for (size_t i = 0; i < part->count; i++)
            trace_checker_op(c, &part->op[i]);
        trace_checker_free(c);
        ck_assert_msg(h.count == 0, "%s", h.text);
        trace_free(part);
    }
    struct trace_copy beyond = {.first = whole->count + 1, .last = UINT64_MAX};
    struct trace_copied result;
    struct error e;
    ck_assert_int_eq(trace_copy("traces/mawk.jsonl.zst", path, &beyond, &result, &e), ERR_VALUE);
    ck_assert_str_eq(e.reason, "the trace has only 449 ops");
    trace_free(whole);
    unlink(path);
}
END_TEST

START_TEST(cut_with_processes)
{
    char from[] = "/tmp/memwalk-cut-XXXXXX", to[] = "/tmp/memwalk-cut-XXXXXX";
    int fd = mkstemp(from);
    FILE *out = fdopen(fd, "w");
    fputs("\"p1 = memalign(64, 8)\"\n\"fork(1)\"\n\"[pid 1] p2 = malloc(5) -> h+16\"\n\"fork(2)\"\n"
          "\"[pid 2] exit()\"\n\"[pid 1] free(p2) faults 0\"\n\"mark x: "
          "y\"\n{\"expect\":{\"walks\":1}}",
          out);
    fclose(out);
    close(mkstemp(to));
    struct trace_copy options = {.first = 6, .last = 7};
    struct trace_copied result;
    struct trace *t;
    ck_assert_int_eq(trace_copy(from, to, &options, &result, NULL), ERR_NONE);
    ck_assert_int_eq(trace_load(&t, to, NULL), ERR_NONE);
    static const char *const want[] = {"fork(1)",
                                       "p1 = memalign(64, 8)",
                                       "[pid 1] p1 = memalign(64, 8)",
                                       "[pid 1] p2 = malloc(5)",
                                       "[pid 1] free(p2)",
                                       "mark x: y"};
    ck_assert_uint_eq(t->count, ARRAY_LEN(want));
    for (size_t i = 0; i < t->count; i++) {
        char text[100];
        op_text(&t->op[i], &t->extra[t->op[i].extra], text, sizeof(text));
        ck_assert_str_eq(text, want[i]);
    }
    ck_assert_ptr_null(t->header.expect);
    trace_free(t);
    unlink(from);
    unlink(to);
}
END_TEST

START_TEST(forms_by_name)
{
    ck_assert_int_eq(trace_form_of("a.json"), TRACE_DOCUMENT);
    ck_assert_int_eq(trace_form_of("a.json.zst"), TRACE_DOCUMENT);
    ck_assert_int_eq(trace_form_of("a.jsonl.gz"), TRACE_LINES);
    ck_assert_int_eq(trace_form_of("-"), TRACE_LINES);
}
END_TEST

/* The committed schema is the one that ops.def makes: else run `memwalk trace schema`. */
START_TEST(schema_is_fresh)
{
    char *made = NULL, *kept = NULL;
    size_t made_size = 0, kept_size = 0;
    FILE *out = open_memstream(&made, &made_size);
    trace_schema(out);
    fclose(out);
    FILE *in = fopen("traces/trace.schema.json", "r");
    ck_assert_ptr_nonnull(in);
    ck_assert_int_ge(getdelim(&kept, &kept_size, '\0', in), 0);
    fclose(in);
    ck_assert_str_eq(made, kept);
    free(made);
    free(kept);
}
END_TEST

TEST_MAIN("trace_tools", findings, counts, counts_of_a_recording, cuts_stand_alone,
          cut_with_processes, forms_by_name, schema_is_fresh)

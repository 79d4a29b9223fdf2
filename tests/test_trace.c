/* test_trace.c: reading and writing traces: every form, exact numbers, both readers alike. */
#include "sim/base/rng.h"
#include "tests/test.h"
#include "traces/reader.h"
#include "traces/tools.h"

#include <glob.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static struct trace *load_text(const char *text)
{
    struct trace *t;
    struct error e;
    char message[700];
    enum err err = trace_load_memory(&t, text, strlen(text), "t", &e);
    ck_assert_msg(!err, "%s", err ? error_text(&e, message, sizeof(message)) : "");
    return t;
}

static struct trace *load_file(const char *path)
{
    struct trace *t;
    struct error e;
    char message[700];
    enum err err = trace_load(&t, path, &e);
    ck_assert_msg(!err, "%s", err ? error_text(&e, message, sizeof(message)) : "");
    return t;
}

/* ---- what fields become ---- */

START_TEST(numbers_are_exact)
{
    struct trace *t = load_text("{\"op\":\"malloc\",\"id\":1,\"size\":18446744073709551615}\n"
                                "{\"op\":\"malloc\",\"id\":2,\"size\":9007199254740993}\n"
                                "{\"op\":\"malloc\",\"id\":3,\"size\":\"0xfffffffffffffffe\"}\n"
                                "{\"op\":\"mallopt\",\"param\":-3,\"value\":-9223372036854775808}\n"
                                "{\"op\":\"malloc\",\"id\":4,\"size\":9007199254740993, \"t\":1}\n"
                                "{\"\\u006fp\":\"malloc\",\"id\":5,\"size\":9007199254740993}\n");
    ck_assert_uint_eq(t->count, 6);
    ck_assert(t->op[0].v[0] == UINT64_MAX);
    ck_assert(t->op[1].v[0] == UINT64_C(9007199254740993));
    ck_assert(t->op[2].v[0] == UINT64_MAX - 1);
    ck_assert(t->op[3].v[0] == (uint64_t)-3);
    ck_assert(t->op[3].v[1] == (uint64_t)1 << 63);
    ck_assert_uint_eq(t->op[4].tid, 1);
    ck_assert_msg(t->op[5].v[0] == UINT64_C(9007199254740993),
                  "the way through cJSON is exact too");
    trace_free(t);
}
END_TEST

START_TEST(addresses)
{
    struct trace *t =
        load_text("{\"op\":\"munmap\",\"addr\":\"m-4096\",\"len\":1,\"p\":7}\n"
                  "{\"op\":\"brk\",\"to\":\"h+4096\"}\n{\"op\":\"brk\",\"to\":\"h-16\"}\n"
                  "{\"op\":\"munmap\",\"addr\":\"0\",\"len\":1}\n"
                  "{\"op\":\"munmap\",\"addr\":\"m+16\",\"len\":1}\n"
                  "{\"op\":\"munmap\",\"addr\":-4096,\"len\":1}\n"
                  "{\"op\":\"mremap\",\"addr\":1,\"old\":2,\"new\":3,\"flags\":1}\n"
                  "{\"op\":\"mremap\",\"addr\":1,\"old\":2,\"new\":3,\"flags\":3,"
                  "\"to\":\"0\"}\n");
    static const struct {
        uint8_t base;
        uint64_t value;
    } want[] = {{BASE_MMAP, -UINT64_C(4096)},
                {BASE_HEAP, 4096},
                {BASE_HEAP, -UINT64_C(16)},
                {BASE_ABS, 0},
                {BASE_MMAP, 16},
                {BASE_ABS, -UINT64_C(4096)}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ck_assert_uint_eq(t->op[i].base, want[i].base);
        ck_assert(t->op[i].v[0] == want[i].value);
    }
    ck_assert_uint_eq(t->op[0].pid, 7);
    ck_assert_uint_eq(t->op[6].to_base, BASE_NONE);
    ck_assert_uint_eq(t->op[7].to_base, BASE_ABS);
    trace_free(t);
}
END_TEST

START_TEST(self_checks_and_marks)
{
    struct trace *t = load_text(
        "{\"op\":\"free\",\"id\":0,\"faults\":3}\n{\"op\":\"free\",\"id\":1,\"ret\":\"-ENOMEM\"}\n"
        "{\"op\":\"mark\",\"name\":\"here\",\"text\":\"say \\\"hi\\\"\",\"stop\":true}\n"
        "{\"op\":\"mark\"}\n{\"op\":\"malloc\",\"id\":1,\"size\":1,\"fail\":true,\"ret\":\"h+16\"}"
        "\n");
    const struct op_extra *x = t->extra;
    ck_assert(t->op[0].flags == OP_HAS_FAULTS && x[t->op[0].extra].faults == 3);
    ck_assert((int64_t)x[t->op[1].extra].ret == -12 && x[t->op[1].extra].ret_base == BASE_NONE);
    ck_assert_str_eq(x[t->op[2].extra].name, "here");
    ck_assert_str_eq(x[t->op[2].extra].text, "say \"hi\"");
    ck_assert_uint_eq(t->op[2].flags, OP_STOP);
    ck_assert_uint_eq(t->op[3].extra, 0);
    ck_assert_uint_eq(t->op[4].flags, OP_FAIL | OP_HAS_RET);
    ck_assert(x[t->op[4].extra].ret == 16 && x[t->op[4].extra].ret_base == BASE_HEAP);
    trace_free(t);
}
END_TEST

START_TEST(header_and_lines)
{
    struct trace *t =
        load_text("\n{\"memwalk\":1,\"doc\":\"d\",\"name\":\"n\",\"command\":\"c\","
                  "\"config\":{\"a\":18446744073709551615}}\n\n\"free(p1)\"\r\n"
                  "{\"name\":\"last\",\"op\":\"mark\"}\n{\"expect\":{\"walks\":3}}\n\n");
    ck_assert_str_eq(t->header.name, "n");
    ck_assert_str_eq(t->header.doc, "d");
    ck_assert_str_eq(t->header.command, "c");
    ck_assert_str_eq(t->header.config, "{\"a\":18446744073709551615}");
    ck_assert_str_eq(t->header.expect, "{\"walks\":3}");
    ck_assert_uint_eq(t->count, 2);
    ck_assert_uint_eq(t->op[0].line, 4);
    trace_free(t);
    t = load_text("{\"memwalk\": 1,\n \"expect\": {},\n \"ops\": [\n\n  \"free(p1)\", {\n\"op\":\n"
                  "\"free\", \"id\":2},\n\"free(p3)\"\n]}\n");
    ck_assert_str_eq(t->header.name, "t");
    ck_assert_uint_eq(t->count, 3);
    ck_assert_uint_eq(t->op[0].line, 5);
    ck_assert_uint_eq(t->op[1].line, 5);
    ck_assert_uint_eq(t->op[2].line, 8);
    trace_free(t);
}
END_TEST

/* ---- random ops ---- */

static uint64_t random_value(struct rng *r)
{
    uint64_t v = rng_next(r);
    return v >> rng_below(r, 64);
}

static void random_extra(struct rng *r, struct op *op, struct op_extra *x)
{
    static const uint8_t bases[] = {BASE_NONE, BASE_HEAP, BASE_MMAP};
    if (rng_below(r, 4) == 0) {
        op->flags |= OP_HAS_RET;
        x->ret_base = bases[rng_below(r, 3)];
        x->ret = rng_below(r, 2) ? 0 - (uint64_t)rng_below(r, 5000) : random_value(r);
    }
    if (rng_below(r, 4) == 0) {
        op->flags |= OP_HAS_FAULTS;
        x->faults = random_value(r);
    }
    if (rng_below(r, 8) == 0)
        op->flags |= OP_FAIL;
}

/* Any op that a trace can hold: what the tables of fields allow. */
static void random_op(struct rng *r, struct op *op, struct op_extra *x)
{
    static const uint8_t bases[] = {BASE_ABS, BASE_HEAP, BASE_MMAP, BASE_BLOCK};
    memset(op, 0, sizeof(*op));
    memset(x, 0, sizeof(*x));
    op->kind = (uint8_t)rng_below(r, OP_COUNT);
    const struct op_field *f = op_shape[op->kind].field;
    for (size_t i = 0; i < FIELDS_MAX && f[i].name; i++) {
        uint64_t *v = &op->v[f[i].slot];
        switch ((enum op_field_kind)f[i].kind) {
        case FIELD_MAKES:
        case FIELD_MOVES:
        case FIELD_ENDS:
        case FIELD_FD:
            op->id = random_value(r);
            break;
        case FIELD_ID:
            op->base = bases[rng_below(r, 4)];
            op->id = op->base == BASE_BLOCK ? random_value(r) : 0;
            *v = random_value(r);
            break;
        case FIELD_TO_ID:
            op->to_base = bases[rng_below(r, 4)];
            *v = op->to_base == BASE_BLOCK ? random_value(r) : 0;
            break;
        case FIELD_ADDRESS:
            op->base = bases[rng_below(r, 3)];
            *v = random_value(r);
            break;
        case FIELD_TARGET:
            op->to_base = rng_below(r, 2) ? bases[rng_below(r, 3)] : BASE_NONE;
            *v = op->to_base ? random_value(r) : 0;
            break;
        case FIELD_BYTE:
            *v = rng_below(r, 256);
            break;
        case FIELD_PROCESS:
            *v = rng_below(r, 65536);
            break;
        case FIELD_MARK_NAME:
            if (rng_below(r, 2))
                snprintf(x->name, sizeof(x->name), "n%u.-_", rng_below(r, 1000));
            break;
        case FIELD_MARK_TEXT:
            x->text = rng_below(r, 2) ? " a \"b\": \\ \xc3\xa9 ] -> \t\n\x01." : NULL;
            break;
        case FIELD_MARK_STOP:
            op->flags = rng_below(r, 2) ? OP_STOP : 0;
            break;
        case FIELD_OFF:
        case FIELD_ADDR:
        case FIELD_TO_ADDR:
            break;
        default:
            *v = random_value(r);
        }
    }
    op->pid = (uint16_t)(rng_below(r, 3) ? 0 : rng_below(r, 65536));
    op->tid = (uint16_t)(rng_below(r, 3) ? 0 : rng_below(r, 65536));
    op->flags |= op->pid ? OP_HAS_PID : 0;
    random_extra(r, op, x);
    op->extra = x->text || x->name[0] || (op->flags & (OP_HAS_RET | OP_HAS_FAULTS));
}

static void same_op(const struct op *a, const struct op_extra *xa, const struct op *b,
                    const struct op_extra *xb, const char *text)
{
    bool same = a->kind == b->kind && a->flags == b->flags && a->base == b->base &&
                a->to_base == b->to_base && a->pid == b->pid && a->tid == b->tid &&
                a->id == b->id && memcmp(a->v, b->v, sizeof(a->v)) == 0 && !a->extra == !b->extra;
    ck_assert_msg(same, "%s", text);
    if (!a->extra)
        return;
    ck_assert_msg(xa->ret_base == xb->ret_base && xa->ret == xb->ret && xa->faults == xb->faults,
                  "%s", text);
    ck_assert_str_eq(xa->name, xb->name);
    ck_assert_str_eq(xa->text ? xa->text : "", xb->text ? xb->text : "");
}

START_TEST(text_and_back)
{
    struct rng r = {1};
    for (int i = 0; i < 100000; i++) {
        struct op op, back;
        struct op_extra x, xback;
        char text[700];
        struct error e;
        random_op(&r, &op, &x);
        op_text(&op, &x, text, sizeof(text));
        enum err err = op_parse(text, &back, &xback, &e);
        ck_assert_msg(!err, "%s: %s", text, err ? e.reason : "");
        same_op(&op, &x, &back, &xback, text);
    }
}
END_TEST

START_TEST(text_never_overflows)
{
    struct rng r = {2};
    for (int i = 0; i < 20000; i++) {
        struct op op;
        struct op_extra x;
        char full[700], part[700];
        random_op(&r, &op, &x);
        op_text(&op, &x, full, sizeof(full));
        size_t size = 1 + rng_below(&r, 100);
        memset(part, '#', sizeof(part));
        op_text(&op, &x, part, size);
        ck_assert_uint_lt(strlen(part), size);
        ck_assert(part[size] == '#');
        ck_assert(strncmp(full, part, 5) == 0 || size < 60);
    }
}
END_TEST

/* ---- files ---- */

static char folder[] = "/tmp/memwalk-test-XXXXXX";

static const char *file(const char *name)
{
    static char path[2][300];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void make_folder(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[400];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct trace_header some_header(void)
{
    return (struct trace_header){.version = 1,
                                 .name = "a \"name\"\n",
                                 .doc = "d\x01",
                                 .command = "c",
                                 .config = "{\"alloc\":\"bump\",\n \"ram\":1}",
                                 .expect = "{\"walks\":3}"};
}

static void write_random(const char *path, enum trace_form form, int ops, uint64_t seed)
{
    struct trace_writer *w;
    struct error e;
    struct trace_header header = some_header();
    struct rng r = {seed};
    ck_assert_int_eq(trace_writer_open(&w, path, form, &header, &e), ERR_NONE);
    for (int i = 0; i < ops; i++) {
        struct op op;
        struct op_extra x;
        random_op(&r, &op, &x);
        ck_assert_int_eq(trace_write(w, &op, &x, &e), ERR_NONE);
    }
    ck_assert_int_eq(trace_writer_close(w, true, &e), ERR_NONE);
}

START_TEST(every_form_and_back)
{
    static const char *const names[] = {"a.jsonl", "a.json", "a.jsonl.gz", "a.json.zst", "a.zst"};
    static const int counts[] = {0, 1, 5000};
    make_folder();
    for (size_t i = 0; i < ARRAY_LEN(names) * 3 * ARRAY_LEN(counts); i++) {
        const char *path = file(names[i % ARRAY_LEN(names)]);
        int ops = counts[i / ARRAY_LEN(names) / 3];
        write_random(path, (enum trace_form)(i / ARRAY_LEN(names) % 3), ops, 7);
        struct trace *t = load_file(path);
        struct rng r = {7};
        ck_assert_uint_eq(t->count, (size_t)ops);
        for (size_t k = 0; k < t->count; k++) {
            struct op op;
            struct op_extra x;
            random_op(&r, &op, &x);
            same_op(&op, &x, &t->op[k], &t->extra[t->op[k].extra], path);
        }
        ck_assert_str_eq(t->header.name, some_header().name);
        ck_assert_str_eq(t->header.doc, some_header().doc);
        ck_assert_str_eq(t->header.config, "{\"alloc\":\"bump\", \"ram\":1}");
        ck_assert_str_eq(t->header.expect, "{\"walks\":3}");
        trace_free(t);
    }
    remove_folder();
}
END_TEST

/* What is written, byte by byte: others read it too. */
START_TEST(written_text)
{
    static const char want[] = "{\"memwalk\":1,\"name\":\"n\"}\n"
                               "{\"op\":\"malloc\",\"id\":1,\"size\":9007199254740992}\n"
                               "{\"op\":\"malloc\",\"id\":1,\"size\":\"0x20000000000001\"}\n"
                               "{\"op\":\"mallopt\",\"param\":-3,\"value\":65536}\n"
                               "{\"op\":\"write\",\"addr\":\"m-4096\",\"len\":8,\"pid\":1}\n"
                               "{\"op\":\"read\",\"id\":7,\"len\":8,\"ret\":\"-ENOMEM\"}\n";
    char got[1000] = "";
    make_folder();
    struct trace *t = load_text(want);
    struct trace_writer *w;
    ck_assert_int_eq(trace_writer_open(&w, file("a"), TRACE_LINES, &t->header, NULL), ERR_NONE);
    for (size_t i = 0; i < t->count; i++)
        trace_write(w, &t->op[i], &t->extra[t->op[i].extra], NULL);
    ck_assert_int_eq(trace_writer_close(w, true, NULL), ERR_NONE);
    trace_free(t);
    FILE *in = fopen(file("a"), "r");
    ck_assert_uint_eq(fread(got, 1, sizeof(got) - 1, in), sizeof(want) - 1);
    fclose(in);
    ck_assert_str_eq(got, want);
    remove_folder();
}
END_TEST

START_TEST(whole_or_not_at_all)
{
    struct trace_writer *w;
    struct error e;
    struct trace_header header = some_header();
    make_folder();
    write_random(file("a.jsonl"), TRACE_LINES, 10, 1);
    ck_assert_int_eq(trace_writer_open(&w, file("a.jsonl"), TRACE_LINES, &header, &e), ERR_NONE);
    ck_assert_int_eq(trace_writer_close(w, false, &e), ERR_NONE);
    struct trace *t = load_file(file("a.jsonl"));
    ck_assert_uint_eq(t->count, 10);
    trace_free(t);
    ck_assert_int_eq(access(file("a.jsonl.part0"), F_OK), -1);
    ck_assert_int_eq(trace_writer_open(&w, file("none/a.jsonl"), TRACE_LINES, &header, &e), ERR_IO);
    ck_assert_ptr_null(w);
    ck_assert_int_eq(trace_writer_open(&w, "/dev/full", TRACE_LINES, &header, &e), ERR_NONE);
    ck_assert_int_eq(trace_writer_close(w, true, &e), ERR_IO);
    ck_assert_int_eq(symlink("a.jsonl", file("link.jsonl")), 0);
    write_random(file("link.jsonl"), TRACE_LINES, 3, 1);
    struct stat info;
    ck_assert_int_eq(lstat(file("link.jsonl"), &info), 0);
    ck_assert_msg(S_ISLNK(info.st_mode), "a link stays a link");
    t = load_file(file("a.jsonl"));
    ck_assert_uint_eq(t->count, 3);
    trace_free(t);
    remove_folder();
}
END_TEST

/* The file without its last bytes: an error, whatever the form, and what came before is read. */
START_TEST(truncated_files)
{
    static const char *const names[] = {"a.jsonl.gz", "a.jsonl.zst"};
    make_folder();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct stat info;
        struct trace *t;
        struct error e;
        write_random(file(names[i]), TRACE_LINES, 20000, 3);
        ck_assert_int_eq(stat(file(names[i]), &info), 0);
        for (off_t cut = 1; cut < info.st_size; cut = cut * 3 + 1) {
            ck_assert_int_eq(truncate(file(names[i]), info.st_size - cut), 0);
            ck_assert_int_ne(trace_load(&t, file(names[i]), &e), ERR_NONE);
            if (info.st_size - cut > 100)
                ck_assert_str_eq(e.reason, "the compressed data are damaged: the end is missing");
        }
        write_random(file(names[i]), TRACE_LINES, 20000, 3);
        ck_assert_int_eq(truncate(file(names[i]), info.st_size - 5000), 0);
        struct trace_copy options = {.form = TRACE_LINES, .salvage = true};
        struct trace_copied result;
        ck_assert_int_eq(trace_copy(file(names[i]), file("b.jsonl"), &options, &result, &e), 0);
        ck_assert(result.damaged && result.ops > 1000 && result.ops < 20000);
        t = load_file(file("b.jsonl"));
        ck_assert_uint_eq(t->count, result.ops);
        trace_free(t);
    }
    remove_folder();
}
END_TEST

/* A recorder ends a frame at each flush: several in a row are one text. */
START_TEST(frames_in_a_row)
{
    const char *parts[] = {"{\"op\":\"free\",\"id\":1}\n{\"op\":\"fr", "ee\",\"id\":2}\n"};
    char packed[1000];
    size_t used = 0;
    for (size_t i = 0; i < 2; i++)
        used += ZSTD_compress(packed + used, sizeof(packed) - used, parts[i], strlen(parts[i]), 3);
    struct trace *t;
    ck_assert_int_eq(trace_load_memory(&t, packed, used, "t", NULL), ERR_NONE);
    ck_assert_uint_eq(t->count, 2);
    trace_free(t);
}
END_TEST

/* ---- streaming ---- */

/* A gzip of a million lines is read in the memory of one line: the peak does not follow the length.
 */
START_TEST(bounded_memory)
{
    static const char line[] = "{\"op\":\"write\",\"id\":1,\"len\":8}\n";
    struct rusage before, after;
    make_folder();
    gzFile out = gzopen(file("big.gz"), "wb1");
    for (int i = 0; i < 2000000; i++)
        gzwrite(out, line, sizeof(line) - 1);
    gzclose(out);
    struct trace_reader *reader;
    ck_assert_int_eq(trace_open(&reader, file("big.gz"), NULL), ERR_NONE);
    getrusage(RUSAGE_SELF, &before);
    struct op op;
    uint64_t ops = 0;
    while (trace_next(reader, &op, NULL, NULL) > 0)
        ops++;
    getrusage(RUSAGE_SELF, &after);
    trace_close(reader);
    remove_folder();
    ck_assert_uint_eq(ops, 2000000);
    ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 4096);
}
END_TEST

START_TEST(progress_goes_to_the_end)
{
    make_folder();
    write_random(file("a.jsonl.zst"), TRACE_LINES, 50000, 5);
    struct trace_reader *reader;
    struct op op;
    uint64_t done, total, last = 0;
    ck_assert_int_eq(trace_open(&reader, file("a.jsonl.zst"), NULL), ERR_NONE);
    while (trace_next(reader, &op, NULL, NULL) > 0) {
        trace_progress(reader, &done, &total);
        ck_assert(done >= last && done <= total);
        last = done;
    }
    trace_progress(reader, &done, &total);
    ck_assert_uint_eq(done, total);
    ck_assert_int_eq(trace_next(reader, &op, NULL, NULL), 0);
    trace_close(reader);
    remove_folder();
}
END_TEST

/* ---- the plain reader and cJSON ---- */

/* A valid line with a few bytes changed, or not. */
static size_t random_line(struct rng *r, char *line, size_t size)
{
    static const char *const seeds[] = {
        "{\"op\":\"malloc\",\"id\":12,\"size\":24}",
        "{ \"op\" : \"write\" , \"addr\":\"m-4096\",\"len\":8, \"fail\":true}",
        "{\"op\":\"mallopt\",\"param\":-3,\"value\":18446744073709551615}",
        "{\"op\":\"mark\",\"text\":\"a\\nb \xc3\xa9\",\"stop\":false}",
        "{\"op\":\"mmap\",\"addr\":\"0\",\"len\":4096,\"prot\":\"rw\",\"flags\":34,\"pid\":1}",
        "\"[pid 1] p3 = malloc(24) -> h+16\"",
    };
    static const char bytes[] = "\"\\{}[]:,0123456789-+.eEtfnu xhm\t\xc3\x01";
    snprintf(line, size, "%s", seeds[rng_below(r, ARRAY_LEN(seeds))]);
    size_t n = strlen(line);
    for (unsigned k = rng_below(r, 4); k > 0 && n > 2; k--) {
        size_t at = rng_below(r, (uint32_t)n);
        if (rng_below(r, 3) == 0) {
            memmove(line + at, line + at + 1, n - at);
            n--;
        } else {
            line[at] = bytes[rng_below(r, sizeof(bytes) - 1)];
        }
    }
    return n;
}

struct outcome {
    enum err err;
    struct op op;
    struct op_extra extra;
    struct error error;
    char text[200];
};

static void read_line(const char *line, size_t n, enum read_way way, struct outcome *o)
{
    struct json_object object;
    memset(o, 0, sizeof(*o));
    struct decode d = {
        .file = "t", .line = 1, .error = &o->error, .op = &o->op, .extra = &o->extra};
    o->err = read_op(&d, (struct slice){line, n}, way, &object);
    if (o->err)
        return;
    snprintf(o->text, sizeof(o->text), "%.*s", (int)d.text.length, d.text.at ? d.text.at : "");
    o->op.extra = d.has_extra;
    json_release(&object);
}

START_TEST(both_readers_agree)
{
    struct rng r = {11};
    unsigned good = 0, fast = 0;
    for (int i = 0; i < 300000; i++) {
        char line[300];
        size_t n = random_line(&r, line, sizeof(line));
        struct outcome a, b;
        struct json_object object;
        read_line(line, n, READ_FAST, &a);
        read_line(line, n, READ_FULL, &b);
        ck_assert_msg(a.err == b.err, "%.*s", (int)n, line);
        fast += json_read_plain((struct slice){line, n}, &object);
        if (a.err) {
            ck_assert_str_eq(a.error.reason, b.error.reason);
            ck_assert_str_eq(a.error.field, b.error.field);
            continue;
        }
        good++;
        a.extra.text = a.text;
        b.extra.text = b.text;
        same_op(&a.op, &a.extra, &b.op, &b.extra, line);
    }
    ck_assert_msg(good > 50000 && fast > 50000, "%u good, %u fast", good, fast);
}
END_TEST

/* ---- the reference page ---- */

/* Copies what stands between the next two backticks, with "\\|" as "|"; behind them, or NULL. */
static const char *quoted(const char *at, char *text, size_t size)
{
    const char *from = strchr(at, '`'), *to = from ? strchr(from + 1, '`') : NULL;
    if (!to || (size_t)(to - from) >= size)
        return NULL;
    for (from++; from < to; from++)
        if (*from != '\\' || from[1] != '|')
            *text++ = *from;
    *text = '\0';
    return to + 1;
}

/* Each row that shows an object and a call shows the same op twice. */
START_TEST(documented_pairs)
{
    char row[2000], object[1000], call[1000];
    size_t pairs = 0;
    FILE *in = fopen("docs/trace-format.md", "r");
    ck_assert_ptr_nonnull(in);
    while (fgets(row, sizeof(row), in)) {
        if (strncmp(row, "| `{\"op\"", 8) != 0)
            continue;
        const char *at = quoted(row, object, sizeof(object));
        const char *column = strstr(at, " | ");
        ck_assert(column && quoted(column, call, sizeof(call)));
        struct trace *t = load_text(object);
        struct op op;
        struct op_extra x;
        struct error e;
        ck_assert_msg(op_parse(call, &op, &x, &e) == ERR_NONE, "%s: %s", call, e.reason);
        same_op(&t->op[0], &t->extra[t->op[0].extra], &op, &x, call);
        trace_free(t);
        pairs++;
    }
    fclose(in);
    ck_assert_uint_gt(pairs, 20);
}
END_TEST

/* ---- what is shipped and what is shared ---- */

/* Loads all that match; each op goes to text and back. */
static size_t load_all(const char *pattern)
{
    glob_t found;
    size_t n = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
    for (size_t i = 0; i < n; i++) {
        struct trace *t = strstr(found.gl_pathv[i], "schema.json") ? load_text("\"mark\"")
                                                                   : load_file(found.gl_pathv[i]);
        for (size_t k = 0; k < t->count; k++) {
            struct op back;
            struct op_extra x;
            char text[4000];
            op_text(&t->op[k], &t->extra[t->op[k].extra], text, sizeof(text));
            ck_assert_msg(op_parse(text, &back, &x, NULL) == ERR_NONE, "%s", text);
            same_op(&t->op[k], &t->extra[t->op[k].extra], &back, &x, text);
        }
        trace_free(t);
    }
    if (n)
        globfree(&found);
    return n;
}

START_TEST(shipped_traces)
{
    ck_assert_uint_ge(load_all("traces/lesson-*.json"), 12);
    ck_assert_uint_ge(load_all("traces/*.jsonl.zst"), 4);
}
END_TEST

START_TEST(shared_traces)
{
    if (access("../shared/traces", R_OK) != 0)
        SKIP("the recorded traces are not beside this folder");
    ck_assert_uint_gt(load_all("../shared/traces/probes/*.jsonl*"), 40);
    ck_assert_uint_gt(load_all("../shared/traces/fuzz/*.jsonl*"), 30);
    ck_assert_uint_gt(load_all("../shared/traces/captured/*.jsonl*"), 8);
    ck_assert_uint_gt(load_all("../shared/traces/vm/*.jsonl"), 700);
    ck_assert_uint_gt(load_all("../shared/traces/vm-rules/*.jsonl"), 150);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        numbers_are_exact,   addresses,           self_checks_and_marks,
        header_and_lines,    text_and_back,       text_never_overflows,
        every_form_and_back, whole_or_not_at_all, truncated_files,
        frames_in_a_row,     bounded_memory,      progress_goes_to_the_end,
        both_readers_agree,  documented_pairs,    written_text,
        shipped_traces,      shared_traces,
    };
    Suite *suite = suite_create("trace");
    TCase *all = tcase_create("trace");
    tcase_set_timeout(all, 120);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    return test_run(suite);
}

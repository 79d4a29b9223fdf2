/* test_linux_vm.c: sequences of memory calls against what a real Linux did with them, op by op.
 *
 * A few sequences of each profile stand in tests/native/known, written by vm_generate and done on
 * Linux 6.18 by vm_replay. Most of the truth lies outside the repository; without it that part is
 * skipped. The replay is that of 'memwalk truth'; results, faults and contents, areas, pages and
 * figures must all be equal, byte by byte. Of what differs the first line is shown.
 */
#include "sim/truth.h"
#include "tests/test.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE (1u << 20)

static char *slurp(const char *base, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof(path), "%s.%s", base, suffix);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in, "%s", path);
    char *text = calloc(1, TEXT_SIZE);
    ck_assert_ptr_nonnull(text);
    size_t n = fread(text, 1, TEXT_SIZE - 1, in);
    ck_assert_uint_lt(n, TEXT_SIZE - 1);
    fclose(in);
    return text;
}

static va_t address(const cJSON *summary, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(summary, name));
    ck_assert_ptr_nonnull(text);
    return strtoull(text, NULL, 16);
}

static struct truth_options layout(const char *base)
{
    char *text = slurp(base, "json");
    cJSON *summary = cJSON_Parse(text);
    struct truth_options o = {.heap0 = address(summary, "heap0"),
                              .mmap_low = address(summary, "mmap_low"),
                              .ram = 24105 * MIB,
                              .stop = UINT64_MAX};
    cJSON_Delete(summary);
    free(text);
    return o;
}

/* true, or the first line that differs is shown. */
static bool same(const char *base, const char *what, const char *want, const char *got)
{
    unsigned line = 0;
    while (*want && *want == *got) {
        line += *want == '\n';
        want++;
        got++;
    }
    if (*want == *got)
        return true;
    printf("  %s.%s line %u (from 0): Linux …%.*s | here …%.*s\n", base, what, line,
           (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
    return false;
}

static bool sequence(const char *base)
{
    static const enum truth_text texts[] = {TRUTH_OUT, TRUTH_MAPS, TRUTH_PAGES, TRUTH_SUMMARY};
    char path[520];
    struct error error;
    struct trace *trace;
    struct truth truth = {0};
    struct truth_options o = layout(base);
    snprintf(path, sizeof(path), "%s.jsonl", base);
    ck_assert_int_eq(trace_load(&trace, path, &error), ERR_NONE);
    ck_assert_int_eq(truth_vm(trace, &o, &truth, &error), ERR_NONE);
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *want = slurp(base, truth_text_name[texts[i]]);
        ok = same(base, truth_text_name[texts[i]], want, truth.text[texts[i]].bytes) && ok;
        free(want);
    }
    truth_free(&truth);
    trace_free(trace);
    return ok;
}

static bool wanted(const char *name, const char *prefix)
{
    size_t n = strlen(name);
    return strncmp(name, prefix, strlen(prefix)) == 0 && n > 6 &&
           strcmp(name + n - 6, ".jsonl") == 0;
}

static const struct {
    const char *folder, *prefix;
    unsigned least; /* sequences that must be there */
    unsigned differ;
} profiles[] = {
    {"../shared/traces/vm", "vm-place", 75, 0},  {"../shared/traces/vm", "vm-prot", 75, 0},
    {"../shared/traces/vm", "vm-mremap", 75, 0}, {"../shared/traces/vm", "vm-brk", 75, 0},
    {"../shared/traces/vm", "vm-fault", 75, 0},  {"../shared/traces/vm", "vm-bad", 75, 0},
    {"../shared/traces/vm", "vm-mix", 75, 0},    {"../shared/traces/vm", "vm-grow", 75, 0},
    {"../shared/traces/vm", "vm-thp", 40, 0},    {"../shared/traces/vm", "cow", 100, 0},
    {"../shared/traces/vm-rules", "x", 179, 0},  {"tests/native/known", "", 12, 0},
};

START_TEST(equal)
{
    struct dirent **entry;
    const char *folder = profiles[_i].folder, *prefix = profiles[_i].prefix;
    int count = scandir(folder, &entry, NULL, alphasort);
    ck_assert_msg(count >= 0 || *folder == '.', "%s is not there", folder);
    if (count < 0)
        SKIP("the recorded sequences are not there");
    unsigned all = 0, differ = 0;
    for (int i = 0; i < count; i++) {
        char base[512];
        size_t length = strlen(entry[i]->d_name);
        if (wanted(entry[i]->d_name, prefix)) {
            snprintf(base, sizeof(base), "%s/%.*s", folder, (int)(length - 6), entry[i]->d_name);
            differ += !sequence(base);
            all++;
        }
        free(entry[i]);
    }
    free(entry);
    printf("%-10s %u sequences compared with Linux, %u differ\n", prefix, all, differ);
    fflush(stdout);
    ck_assert_uint_ge(all, profiles[_i].least);
    ck_assert_uint_le(differ, profiles[_i].differ);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linux_vm");
    TCase *all = tcase_create("sequences");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, equal, 0, (int)ARRAY_LEN(profiles));
    suite_add_tcase(suite, all);
    return test_run(suite);
}

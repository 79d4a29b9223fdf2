/* names.c: numbers and the words for them, as people write them in a lecture: "rw" for a
 * protection, "private|anonymous" for flags, "-ENOMEM" for a failed call.
 *
 * The values are Linux's on x86-64 (include/uapi/asm-generic/mman-common.h, errno-base.h).
 */
#include "kernel/uapi.h"
#include "traces/fields.h"

#include <stdio.h>
#include <string.h>

struct word {
    const char *text;
    uint64_t value;
};

static const struct word map_words[] = {
    {"shared", LX_MAP_SHARED},
    {"private", LX_MAP_PRIVATE},
    {"fixed", LX_MAP_FIXED},
    {"anonymous", LX_MAP_ANONYMOUS},
    {"32bit", LX_MAP_32BIT},
    {"growsdown", LX_MAP_GROWSDOWN},
    {"locked", LX_MAP_LOCKED},
    {"noreserve", LX_MAP_NORESERVE},
    {"populate", LX_MAP_POPULATE},
    {"nonblock", LX_MAP_NONBLOCK},
    {"stack", LX_MAP_STACK},
    {"hugetlb", LX_MAP_HUGETLB},
    {"fixed_noreplace", LX_MAP_FIXED_NOREPLACE},
    {NULL, 0},
};

static const struct word mremap_words[] = {
    {"maymove", LX_MREMAP_MAYMOVE},
    {"fixed", LX_MREMAP_FIXED},
    {"dontunmap", LX_MREMAP_DONTUNMAP},
    {NULL, 0},
};

static const struct word advice_words[] = {
    {"normal", 0},          {"random", 1},
    {"sequential", 2},      {"willneed", 3},
    {"dontneed", 4},        {"free", 8},
    {"remove", 9},          {"dontfork", 10},
    {"dofork", 11},         {"mergeable", 12},
    {"unmergeable", 13},    {"hugepage", 14},
    {"nohugepage", 15},     {"dontdump", 16},
    {"dodump", 17},         {"wipeonfork", 18},
    {"keeponfork", 19},     {"cold", 20},
    {"pageout", 21},        {"populate_read", 22},
    {"populate_write", 23}, {"dontneed_locked", 24},
    {"collapse", 25},       {"hwpoison", 100},
    {"soft_offline", 101},  {"guard_install", 102},
    {"guard_remove", 103},  {NULL, 0},
};

static const struct word open_words[] = {
    {"r", LX_O_RDONLY},
    {"w", LX_O_WRONLY},
    {"rw", LX_O_RDWR},
    {NULL, 0},
};

static const struct word msync_words[] = {
    {"async", LX_MS_ASYNC},
    {"invalidate", LX_MS_INVALIDATE},
    {"sync", LX_MS_SYNC},
    {NULL, 0},
};

static const struct word fadvice_words[] = {
    {"normal", LX_POSIX_FADV_NORMAL},
    {"random", LX_POSIX_FADV_RANDOM},
    {"sequential", LX_POSIX_FADV_SEQUENTIAL},
    {"willneed", LX_POSIX_FADV_WILLNEED},
    {"dontneed", LX_POSIX_FADV_DONTNEED},
    {"noreuse", LX_POSIX_FADV_NOREUSE},
    {NULL, 0},
};

static const struct word rlimit_words[] = {
    {"data", LX_RLIMIT_DATA},
    {"stack", LX_RLIMIT_STACK},
    {"memlock", LX_RLIMIT_MEMLOCK},
    {"as", LX_RLIMIT_AS},
    {NULL, 0},
};

/* Every protection by its letters, so that reading and writing are one search. */
static const struct word prot_words[] = {
    {"none", 0}, {"r", 1},  {"w", 2},   {"rw", 3}, {"x", 4},
    {"rx", 5},   {"wx", 6}, {"rwx", 7}, {NULL, 0},
};

static const struct word errno_words[] = {
    {"EPERM", 1},      {"ENOENT", 2},      {"ESRCH", 3},   {"EINTR", 4},   {"EIO", 5},
    {"E2BIG", 7},      {"EBADF", 9},       {"ECHILD", 10}, {"EAGAIN", 11}, {"ENOMEM", 12},
    {"EACCES", 13},    {"EFAULT", 14},     {"EBUSY", 16},  {"EEXIST", 17}, {"ENODEV", 19},
    {"EINVAL", 22},    {"EMFILE", 24},     {"EFBIG", 27},  {"ENOSPC", 28}, {"ENOSYS", 38},
    {"EOVERFLOW", 75}, {"EOPNOTSUPP", 95}, {NULL, 0},
};

static const struct word *const tables[] = {
    [NAMES_none] = NULL,           [NAMES_prot] = prot_words,     [NAMES_map] = map_words,
    [NAMES_mremap] = mremap_words, [NAMES_advice] = advice_words, [NAMES_rlimit] = rlimit_words,
    [NAMES_open] = open_words,     [NAMES_msync] = msync_words,   [NAMES_fadvice] = fadvice_words,
};

const char *names_word(enum names_table table, size_t i)
{
    return tables[table][i].text;
}

static const struct word *word_of_text(const struct word *word, const char *text, size_t length)
{
    for (; word->text; word++)
        if (strlen(word->text) == length && memcmp(word->text, text, length) == 0)
            return word;
    return NULL;
}

static const struct word *word_of_value(const struct word *word, uint64_t value)
{
    while (word->text && word->value != value)
        word++;
    return word->text ? word : NULL;
}

/* Only these are sets of bits; of the others a value has one word or none. */
static bool is_set(enum names_table table)
{
    return table == NAMES_map || table == NAMES_mremap || table == NAMES_msync;
}

void names_write(enum names_table table, uint64_t value, char *text, size_t size)
{
    size_t used = 0;
    const char *between = "";
    text[0] = '\0';
    const struct word *word = tables[table];
    for (; is_set(table) && word->text; word++) {
        if (!(value & word->value))
            continue;
        int n = snprintf(text + used, size - used, "%s%s", between, word->text);
        used = min_u64(used + (size_t)n, size - 1);
        value &= ~word->value;
        between = "|";
    }
    const struct word *one = is_set(table) ? NULL : word_of_value(tables[table], value);
    if (one)
        snprintf(text, size, "%s", one->text);
    else if (value || !used)
        snprintf(text + used, size - used, value < 10 ? "%s%llu" : "%s0x%llx", between,
                 (unsigned long long)value);
}

bool names_read(enum names_table table, const char *text, size_t length, uint64_t *value,
                char unknown[32])
{
    *value = 0;
    for (;;) {
        const char *bar = is_set(table) ? memchr(text, '|', length) : NULL;
        size_t n = bar ? (size_t)(bar - text) : length;
        const struct word *word = word_of_text(tables[table], text, n);
        uint64_t part = word ? word->value : 0;
        if (!word && number_read(text, n, false, &part) != NUMBER_GOOD) {
            snprintf(unknown, 32, "%.*s", (int)min_u64(n, 31), text);
            return false;
        }
        *value |= part;
        if (!bar)
            return true;
        text = bar + 1;
        length -= n + 1;
    }
}

unsigned errno_read(const char *text, size_t length)
{
    if (length && *text == '-')
        text++, length--;
    const struct word *word = word_of_text(errno_words, text, length);
    return word ? (unsigned)word->value : 0;
}

const char *errno_write(unsigned number)
{
    const struct word *word = word_of_value(errno_words, number);
    return word ? word->text : NULL;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static unsigned suffix_shift(char c)
{
    return c == 'K' ? 10 : c == 'M' ? 20 : c == 'G' ? 30 : 0;
}

enum number_error number_read(const char *text, size_t length, bool suffixes, uint64_t *value)
{
    const char *at = text, *end = text + length;
    bool minus = at < end && *at == '-';
    at += minus;
    int base = end - at > 2 && at[0] == '0' && at[1] == 'x' ? 16 : 10;
    at += base == 16 ? 2 : 0;
    unsigned shift = suffixes && end - at > 1 && base == 10 ? suffix_shift(end[-1]) : 0;
    end -= shift > 0;
    if (at == end)
        return NUMBER_BAD;
    uint64_t n = 0;
    bool over = false;
    for (; at < end; at++) {
        int d = digit(*at);
        if (d >= base)
            return NUMBER_BAD;
        over = over || n > (UINT64_MAX - (uint64_t)d) / (uint64_t)base;
        n = n * (uint64_t)base + (uint64_t)d;
    }
    if (over || n > UINT64_MAX >> shift || (minus && n << shift > (uint64_t)1 << 63))
        return NUMBER_RANGE;
    *value = minus ? 0 - (n << shift) : n << shift;
    return NUMBER_GOOD;
}

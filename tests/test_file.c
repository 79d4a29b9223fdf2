/* test_file.c: files: what is read when, whose bytes are seen, what is dirty, and what is left.
 *
 * The patterns of faults were seen on Linux (ext4, 128 KiB of read-ahead, a file of 256 pages that
 * was not cached), whose rules filemap.c follows.
 */
#include "kernel/file.h"
#include "tests/kernel_rig.h"

#define P     PAGE_SIZE
#define RW    (LX_PROT_READ | LX_PROT_WRITE)
#define PAGES 256u

static void file_open(struct rig *r, uint64_t ram, uint64_t frames_limit)
{
    struct kernel_config config = rig_config();
    config.readahead = 32;
    config.dirty_background = 100;
    config.dirty_limit = 100;
    config.disk_request_cycles = 1000;
    config.disk_page_cycles = 10;
    config.frames_limit = frames_limit;
    rig_open(r, ram, &config);
    ck_assert_int_eq(kernel_file(r->k, 1, PAGES * P), 0);
    ck_assert_int_eq(rig_call(r, LX_NR_openat, 0, 1, LX_O_RDWR, 0, 0), 3);
}

static va_t map_file(struct rig *r, uint32_t type, uint64_t pages, uint64_t fd, uint64_t offset)
{
    static va_t wish = UINT64_C(0x200000000000); /* aligned: the faults around depend on it */
    const uint64_t arg[6] = {wish += GIB, pages * P, RW, type, fd, offset};
    int64_t at = kernel_syscall(r->k, &r->cpu[0], LX_NR_mmap, arg);
    ck_assert_int_gt(at, 0);
    return (va_t)at;
}

static struct file_info info_of(const struct rig *r)
{
    struct file_info info;
    ck_assert(kernel_file_info(r->k, 1, &info));
    return info;
}

/* The n faults of touching page start, start + step, …: "0M 16m …". */
static void expect_faults(struct rig *r, va_t at, unsigned start, unsigned step, unsigned n,
                          bool write, const char *wanted)
{
    char text[4096] = "";
    size_t used = 0;
    for (unsigned i = 0, page = start; i < n; i++, page = (page + step) % PAGES) {
        if (write)
            ck_assert(rig_store(r, at + page * P, 7));
        else
            ck_assert_int_ge(rig_load(r, at + page * P), 0);
        if (r->faults + r->reads)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u%s", used ? " " : "",
                                     page, r->reads ? "M" : "m");
    }
    ck_assert_str_eq(text, wanted);
    rig_check(r);
}

/* Nothing maps it, nothing is dirty: only the cache itself is left, and it can go. */
static void ends_clean(struct rig *r)
{
    rig_check(r);
    kernel_exit(r->k, &r->cpu[0], 1);
    rig_check(r);
    struct memory_info m;
    kernel_memory(r->k, &m);
    ck_assert_uint_eq(m.anon + m.shared, 0);
    ck_assert_uint_eq(m.files, info_of(r).cached);
    while (filemap_shrink(r->k, 1000))
        ;
    kernel_memory(r->k, &m);
    ck_assert_uint_eq(m.files + m.dirty, 0);
    rig_check(r);
    rig_close(r);
}

/* ---- read-ahead ---- */

START_TEST(sequential_reads)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    expect_faults(&r, at, 0, 1, 128, false, "0M 16m 24m 32m 48m 64m 80m 96m 112m");
    const struct kernel_counters *c = kernel_counters(r.k);
    ck_assert_uint_eq(c->file_waits, 1); /* all others were read ahead */
    ck_assert_uint_gt(c->file_requests, 3);
    ends_clean(&r);
}
END_TEST

START_TEST(strided_reads)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    expect_faults(&r, at, 100, 37, 7, false, "100M 137M 174M 211M 248M 29M 66M");
    ck_assert_uint_eq(info_of(&r).cached, 6 * 32 + 24); /* the fifth ended with the file */
    ends_clean(&r);
}
END_TEST

START_TEST(random_advice_reads_one_page)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at, PAGES * P, LX_MADV_RANDOM, 0, 0), 0);
    expect_faults(&r, at, 0, 1, 4, false, "0M 1M 2M 3M");
    ck_assert_uint_eq(info_of(&r).cached, 4);
    ends_clean(&r);
}
END_TEST

START_TEST(willneed_makes_minor)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at, PAGES * P, LX_MADV_WILLNEED, 0, 0), 0);
    ck_assert_uint_eq(info_of(&r).cached, PAGES);
    ck_assert_int_eq(kernel_mincore(r.k, 1, at + 9 * P), 1);
    expect_faults(&r, at, 0, 1, 48, false, "0m 16m 32m");
    ck_assert_uint_eq(rig_process(&r, 1).faults_major, 0);
    ends_clean(&r);
}
END_TEST

START_TEST(read_call_reads_ahead)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t to = (va_t)rig_map(&r, P);
    uint64_t waits = 0;
    for (unsigned i = 0; i < 64; i++)
        ck_assert_int_eq(rig_call(&r, LX_NR_pread64, 3, to, P, i * P, 0), P);
    waits = kernel_counters(r.k)->file_waits;
    ck_assert_uint_eq(waits, 1); /* four pages; from then on each mark reads the next window */
    ck_assert_int_eq(rig_load(&r, to), 'f');
    ck_assert_int_eq(rig_call(&r, LX_NR_pread64, 3, to, P, PAGES * P, 0), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_pread64, 3, to, P, PAGES * P - 16, 0), 16);
    ends_clean(&r);
}
END_TEST

/* ---- whose bytes ---- */

START_TEST(shared_and_private)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t shared = map_file(&r, LX_MAP_SHARED, 8, 3, 0);
    va_t again = map_file(&r, LX_MAP_SHARED, 8, 3, P);
    va_t own = map_file(&r, LX_MAP_PRIVATE, 8, 3, 0);
    ck_assert_int_eq(rig_load(&r, own + P), 'f');
    ck_assert(rig_store(&r, shared + P, 1));
    ck_assert_int_eq(rig_load(&r, again), 1); /* one page of the file, one frame */
    ck_assert_int_eq(rig_load(&r, own + P), 1);
    ck_assert(rig_store(&r, own + P, 2)); /* a copy from here on */
    ck_assert_uint_eq(r.faults, 1);
    ck_assert(rig_store(&r, shared + P, 3));
    ck_assert_int_eq(rig_load(&r, own + P), 2);
    ck_assert_int_eq(rig_load(&r, again), 3);
    ck_assert_uint_eq(info_of(&r).dirty, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->cow_copied, 1);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, own, 8 * P, LX_MADV_DONTNEED, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, own + P), 3); /* the copy is gone, the file shows */
    ends_clean(&r);
}
END_TEST

START_TEST(children_share)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t shared = map_file(&r, LX_MAP_SHARED, 4, 3, 0), own = map_file(&r, LX_MAP_PRIVATE, 4, 3, 0);
    ck_assert(rig_store(&r, shared, 1));
    ck_assert(rig_store(&r, own, 2));
    ck_assert_int_eq(rig_call(&r, LX_NR_fork, 0, 0, 0, 0, 0), 2);
    ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], 2), 0);
    ck_assert_int_eq(rig_load(&r, shared), 1);
    ck_assert_int_eq(rig_load(&r, own), 2);
    ck_assert(rig_store(&r, shared, 3));
    ck_assert(rig_store(&r, own, 4));
    ck_assert_int_eq(rig_call(&r, LX_NR_close, 3, 0, 0, 0, 0), 0);
    rig_check(&r);
    kernel_exit(r.k, &r.cpu[0], 2);
    ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], 1), 0);
    ck_assert_int_eq(rig_load(&r, shared), 3);
    ck_assert_int_eq(rig_load(&r, own), 2);
    ck_assert_int_eq(rig_call(&r, LX_NR_fsync, 3, 0, 0, 0, 0), 0); /* its own descriptor is open */
    ends_clean(&r);
}
END_TEST

/* ---- dirty pages ---- */

START_TEST(every_first_store_is_seen)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, 8, 3, 0);
    ck_assert_int_eq(rig_load(&r, at), 'f');
    ck_assert_uint_eq(info_of(&r).dirty, 0);
    ck_assert(rig_store(&r, at, 1)); /* mapped read-only until now */
    ck_assert_uint_eq(r.faults, 1);
    ck_assert(rig_store(&r, at, 2));
    ck_assert_uint_eq(r.faults, 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_msync, at, 8 * P, LX_MS_ASYNC, 0, 0), 0);
    ck_assert_uint_eq(info_of(&r).dirty, 1); /* that does nothing */
    ck_assert_int_eq(rig_call(&r, LX_NR_msync, at, 8 * P, LX_MS_SYNC, 0, 0), 0);
    ck_assert_uint_eq(info_of(&r).dirty, 0);
    rig_check(&r);
    ck_assert(rig_store(&r, at, 3)); /* clean again: this one must be seen too */
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(info_of(&r).dirty, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->file_writes, 1);
    ends_clean(&r);
}
END_TEST

START_TEST(mprotect_keeps_clean_pages_guarded)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, 2, 3, 0);
    ck_assert_int_eq(rig_load(&r, at), 'f');
    ck_assert_int_eq(rig_call(&r, LX_NR_mprotect, at, 2 * P, LX_PROT_READ, 0, 0), 0);
    ck_assert(!rig_store(&r, at, 1));
    ck_assert_int_eq(rig_call(&r, LX_NR_mprotect, at, 2 * P, RW, 0, 0), 0);
    ck_assert(rig_store(&r, at, 1));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(info_of(&r).dirty, 1);
    ends_clean(&r);
}
END_TEST

START_TEST(written_back_and_read_again)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, PAGES, 3, 0);
    for (unsigned i = 0; i < PAGES; i += 3)
        ck_assert(rig_store(&r, at + i * P + 5, (uint8_t)(i + 1)));
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, at, PAGES * P, 0, 0, 0), 0);
    ck_assert_uint_gt(info_of(&r).dirty, 80); /* nobody maps them, and they are not lost */
    rig_check(&r);
    ck_assert_int_eq(rig_call(&r, LX_NR_fadvise64, 3, 0, 0, LX_POSIX_FADV_DONTNEED, 0), 0);
    ck_assert_uint_eq(info_of(&r).cached, 0);
    at = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    for (unsigned i = 0; i < PAGES; i++)
        if (i % 3 == 0)
            ck_assert_int_eq(rig_load(&r, at + i * P + 5), (uint8_t)(i + 1));
        else
            ck_assert_int_eq(rig_load(&r, at + i * P), 'f');
    ends_clean(&r);
}
END_TEST

START_TEST(flusher_keeps_the_marks)
{
    struct rig r;
    struct kernel_config config = rig_config();
    config.dirty_background = 1;
    config.dirty_limit = 2;
    rig_open(&r, 16 * MIB, &config);
    ck_assert_int_eq(kernel_file(r.k, 1, 4 * MIB), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_openat, 0, 1, LX_O_RDWR, 0, 0), 3);
    va_t at = map_file(&r, LX_MAP_SHARED, 1024, 3, 0), from = (va_t)rig_map(&r, MIB);
    struct memory_info m;
    for (unsigned i = 0; i < 200; i++) {
        ck_assert(rig_store(&r, at + i * P, 1));
        kernel_memory(r.k, &m);
        ck_assert_uint_le(m.dirty, (m.free + m.files) / 100);
    }
    ck_assert_uint_gt(kernel_counters(r.k)->writeback_runs, 10);
    ck_assert_uint_eq(kernel_counters(r.k)->writeback_waits, 0);
    for (unsigned i = 0; i < MIB / P; i++)
        ck_assert(rig_store(&r, from + i * P, 2));
    ck_assert_int_eq(rig_call(&r, LX_NR_pwrite64, 3, from, MIB, MIB, 0), MIB); /* all at once */
    ck_assert_uint_eq(kernel_counters(r.k)->writeback_waits, 1);
    ends_clean(&r);
}
END_TEST

/* However early pages are written back, and however little room there is, an access across two
 * pages comes to its end: neither is taken from it in between. */
START_TEST(accesses_across_pages_end)
{
    for (unsigned frames_limit = 0; frames_limit <= 2; frames_limit += 2) {
        struct rig r;
        struct kernel_config config = rig_config();
        uint64_t word = 0x1122334455667788, back = 0;
        config.frames_limit = frames_limit;
        rig_open(&r, 4 * MIB, &config);
        ck_assert_int_eq(kernel_file(r.k, 1, PAGES * P), 0);
        ck_assert_int_eq(rig_call(&r, LX_NR_openat, 0, 1, LX_O_RDWR, 0, 0), 3);
        va_t at = map_file(&r, LX_MAP_SHARED, PAGES, 3, 0);
        for (unsigned i = 1; i < PAGES; i++)
            ck_assert(rig_access(&r, at + i * P - 4, &word, sizeof(word), ACCESS_WRITE));
        for (unsigned i = 1; i < PAGES; i++) {
            ck_assert(rig_access(&r, at + i * P - 4, &back, sizeof(back), ACCESS_READ));
            ck_assert_uint_eq(back, word);
        }
        ck_assert_uint_le(info_of(&r).dirty, PINS);
        ends_clean(&r);
    }
}
END_TEST

/* ---- the end of a file ---- */

START_TEST(beyond_the_end)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, PAGES + 8, 3, 0);
    ck_assert_int_eq(rig_load(&r, at + PAGES * P), -1);
    ck_assert_int_eq(r.signal.signal, LX_SIGBUS);
    ck_assert_uint_eq(r.signal.code, LX_BUS_ADRERR);
    va_t own = map_file(&r, LX_MAP_PRIVATE, PAGES, 3, 0);
    ck_assert(rig_store(&r, at + 9 * P, 1));
    ck_assert(rig_store(&r, own + 9 * P, 2));
    ck_assert_int_eq(rig_call(&r, LX_NR_ftruncate, 3, 2 * P + 100, 0, 0, 0), 0);
    rig_check(&r);
    ck_assert_int_eq(rig_load(&r, at + 9 * P), -1);
    ck_assert_int_eq(r.signal.signal, LX_SIGBUS);
    ck_assert_int_eq(rig_load(&r, own + 9 * P), -1); /* its copy went too */
    ck_assert_int_eq(rig_load(&r, at + 2 * P), 'f');
    ck_assert_int_eq(rig_load(&r, at + 2 * P + 100), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_ftruncate, 3, PAGES * P, 0, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, at + 9 * P), 0); /* what grows is a hole */
    ck_assert_uint_eq(info_of(&r).dirty, 0);
    ends_clean(&r);
}
END_TEST

/* ---- under pressure ---- */

START_TEST(limit_evicts_files)
{
    struct rig r;
    file_open(&r, 64 * MIB, 40);
    va_t at = map_file(&r, LX_MAP_SHARED, PAGES, 3, 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < PAGES; i++) {
            if (round)
                ck_assert_int_eq(rig_load(&r, at + i * P), (uint8_t)(i + 1));
            else
                ck_assert(rig_store(&r, at + i * P, (uint8_t)(i + 1)));
            ck_assert_uint_le(kernel_counters(r.k)->frames_data, 40);
            if (i % 32 == 0)
                rig_check(&r);
        }
    ck_assert_uint_eq(kernel_counters(r.k)->file_writes, PAGES);
    ck_assert_uint_gt(kernel_counters(r.k)->pages_evicted, PAGES);
    ends_clean(&r);
}
END_TEST

/* Without swap or limit there is no policy; still the cache makes room for a program. */
START_TEST(cache_gives_way)
{
    struct rig r;
    file_open(&r, 4 * MIB, 0); /* 512 frames; the kernel has half of MiB 2 */
    va_t at = map_file(&r, LX_MAP_SHARED, PAGES, 3, 0), own = (va_t)rig_map(&r, 400 * P);
    for (unsigned i = 0; i < PAGES; i++)
        ck_assert(rig_store(&r, at + i * P, 1));
    for (unsigned i = 0; i < 400; i++)
        ck_assert(rig_store(&r, own + i * P, 2));
    ck_assert_uint_lt(info_of(&r).cached, PAGES);
    rig_check(&r);
    for (unsigned i = 0; i < PAGES; i++)
        ck_assert_int_eq(rig_load(&r, at + i * P), 1);
    ends_clean(&r);
}
END_TEST

START_TEST(pageout_drops_what_one_maps)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, 16, 3, 0);
    for (unsigned i = 0; i < 16; i++)
        ck_assert(rig_store(&r, at + i * P, (uint8_t)i));
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at, 16 * P, LX_MADV_PAGEOUT, 0, 0), 0);
    ck_assert_int_eq(kernel_mincore(r.k, 1, at + 3 * P), 0);
    ck_assert_uint_eq(info_of(&r).dirty, 0);
    ck_assert_int_eq(rig_load(&r, at + 3 * P), 3);
    ck_assert_uint_eq(r.reads, 1);
    ends_clean(&r);
}
END_TEST

/* ---- errors ---- */

START_TEST(errors_are_linuxs)
{
    struct rig r;
    file_open(&r, 64 * MIB, 0);
    va_t at = map_file(&r, LX_MAP_SHARED, 4, 3, 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_openat, 0, 1, LX_O_RDONLY, 0, 0), 4);
    ck_assert_int_eq(rig_call(&r, LX_NR_openat, 0, 1, LX_O_WRONLY, 0, 0), 5);
    const struct {
        uint64_t nr, arg[6];
        int64_t result;
    } cases[] = {
        {LX_NR_openat, {0, 2, LX_O_RDWR}, -LX_ENOENT},
        {LX_NR_close, {9}, -LX_EBADF},
        {LX_NR_mmap, {0, P, LX_PROT_READ, LX_MAP_SHARED, 9, 0}, -LX_EBADF},
        {LX_NR_mmap, {0, P, LX_PROT_READ, LX_MAP_SHARED, 3, 1}, -LX_EINVAL},
        {LX_NR_mmap, {0, P, RW, LX_MAP_SHARED, 4, 0}, -LX_EACCES}, /* opened for reading */
        {LX_NR_mmap, {0, P, LX_PROT_READ, LX_MAP_PRIVATE, 5, 0}, -LX_EACCES}, /* for writing */
        {LX_NR_msync, {at, P, 8}, -LX_EINVAL},
        {LX_NR_msync, {at + 1, P, LX_MS_SYNC}, -LX_EINVAL},
        {LX_NR_msync, {at, P, LX_MS_SYNC | LX_MS_ASYNC}, -LX_EINVAL},
        {LX_NR_msync, {at, UINT64_MAX - P, LX_MS_SYNC}, -LX_ENOMEM},
        {LX_NR_msync, {P, P, LX_MS_SYNC}, -LX_ENOMEM},
        {LX_NR_msync, {at, 0, LX_MS_SYNC}, 0},
        {LX_NR_fsync, {9}, -LX_EBADF},
        {LX_NR_ftruncate, {4, P}, -LX_EINVAL},
        {LX_NR_ftruncate, {3, UINT64_MAX}, -LX_EINVAL},
        {LX_NR_ftruncate, {3, FILE_BYTES_MAX + 1}, -LX_EFBIG},
        {LX_NR_pread64, {5, at, P, 0}, -LX_EBADF},
        {LX_NR_pwrite64, {4, at, P, 0}, -LX_EBADF},
        {LX_NR_pread64, {3, at, P, UINT64_MAX}, -LX_EINVAL},
        {LX_NR_pread64, {3, 0, P, 0}, -LX_EFAULT},
        {LX_NR_fadvise64, {3, 0, 0, 77}, -LX_EINVAL},
        {LX_NR_fadvise64, {9, 0, 0, 0}, -LX_EBADF},
        {LX_NR_madvise, {at, P, LX_MADV_FREE}, -LX_EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        ck_assert_msg(kernel_syscall(r.k, &r.cpu[0], cases[i].nr, cases[i].arg) == cases[i].result,
                      "case %zu", i);
    for (unsigned i = 0; i < FDS_MAX - 3; i++)
        ck_assert_int_gt(rig_call(&r, LX_NR_openat, 0, 1, LX_O_RDWR, 0, 0), 5);
    ck_assert_int_eq(rig_call(&r, LX_NR_openat, 0, 1, LX_O_RDWR, 0, 0), -LX_EMFILE);
    ends_clean(&r);
}
END_TEST

/* Whichever request for the kernel's own memory fails: an error or a killed program, and every
 * invariant holds. */
START_TEST(no_memory_for_books)
{
    for (uint64_t n = 1; n < 120; n++) {
        struct rig r;
        file_open(&r, 64 * MIB, 0);
        arena_fail_at(r.arena, n);
        const uint64_t arg[6] = {0, 64 * P, RW, LX_MAP_SHARED, 3, 0};
        int64_t at = kernel_syscall(r.k, &r.cpu[0], LX_NR_mmap, arg);
        for (unsigned i = 0; at > 0 && i < 64 && rig_process(&r, 1).root; i += 5)
            rig_store(&r, (va_t)at + i * P, 1);
        if (at > 0)
            rig_call(&r, LX_NR_msync, (va_t)at, 64 * P, LX_MS_SYNC, 0, 0);
        arena_fail_at(r.arena, 0);
        rig_check(&r);
        rig_close(&r);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");
    tcase_add_test(t, sequential_reads);
    tcase_add_test(t, strided_reads);
    tcase_add_test(t, random_advice_reads_one_page);
    tcase_add_test(t, willneed_makes_minor);
    tcase_add_test(t, read_call_reads_ahead);
    tcase_add_test(t, shared_and_private);
    tcase_add_test(t, children_share);
    tcase_add_test(t, every_first_store_is_seen);
    tcase_add_test(t, mprotect_keeps_clean_pages_guarded);
    tcase_add_test(t, written_back_and_read_again);
    tcase_add_test(t, flusher_keeps_the_marks);
    tcase_add_test(t, accesses_across_pages_end);
    tcase_add_test(t, beyond_the_end);
    tcase_add_test(t, limit_evicts_files);
    tcase_add_test(t, cache_gives_way);
    tcase_add_test(t, pageout_drops_what_one_maps);
    tcase_add_test(t, errors_are_linuxs);
    tcase_add_test(t, no_memory_for_books);
    suite_add_tcase(s, t);
    return test_run(s);
}

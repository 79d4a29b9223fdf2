/* test_limits.c: how much a process may have and how much is promised to all; protection keys; the
 * kernel's own accesses to a program's memory. Told by short traces whose every result is known.
 */
#include "kernel/uapi.h"
#include "sim/inspect.h"
#include "tests/test.h"

#include <string.h>

static struct sim *sim;
static struct trace *trace;
static struct config config;

/* ops in the call notation; every "-> result" must come true. */
static void run(const char *settings, const char *ops)
{
    struct error e = {0};
    char text[600], document[6000];
    snprintf(document, sizeof(document), "{\"memwalk\":1,\"config\":{%s},\"ops\":[%s]}", settings,
             ops);
    config_default(&config);
    if (trace_load_memory(&trace, document, strlen(document), "t", &e) ||
        config_json(&config, trace->header.config, "t", &e))
        ck_abort_msg("%s", error_text(&e, text, sizeof(text)));
    struct sim_options options = {.config = &config, .trace = trace, .checked = true};
    ck_assert_int_eq(sim_open(&sim, &options, &e), ERR_NONE);
    ck_assert_msg(sim_run(sim, NULL, NULL, &e) == 0, "%s", e.reason);
    for (size_t i = 0; i < sim_failures(sim); i++) {
        const struct sim_failure *f = sim_failure(sim, i);
        ck_abort_msg("op %d: %s is %lld, not %lld", (int)f->op, f->what, (long long)f->got,
                     (long long)f->wanted);
    }
}

static void done(void)
{
    sim_close(sim);
    trace_free(trace);
}

static uint64_t field(const char *path, const char *name)
{
    char text[8000];
    ck_assert_int_gt(inspect_proc(sim, path, text, sizeof(text)), 0);
    const char *at = strstr(text, name);
    ck_assert_ptr_nonnull(at);
    return strtoull(at + strcspn(at, "0123456789"), NULL, 10);
}

#define ANON "private|anonymous"

/* The standard layout takes 2.4 MiB; 8 MiB more fit under 11, and what is replaced counts once. */
START_TEST(address_space)
{
    run("\"kernel.rlimit_as\":\"11M\"",
        "\"mmap(0x10000000, 8M, rw, " ANON "|fixed) -> 0x10000000\","
        "\"mmap(0, 1M, rw, " ANON ") -> -ENOMEM\","
        "\"mmap(0x10000000, 8M, rw, " ANON "|fixed) -> 0x10000000\","
        "\"mremap(0x10000000, 8M, 9M, maymove) -> -ENOMEM\","
        "\"munmap(0x10000000, 1M) -> 0\","
        "\"mmap(0x10000000, 1M, r, " ANON "|fixed) -> 0x10000000\","
        "\"setrlimit(as, 64M) -> 0\",\"mmap(0x20000000, 16M, rw, " ANON "|fixed) -> 0x20000000\","
        "\"setrlimit(as, 1M) -> 0\",\"sbrk(8M) -> -ENOMEM\",\"setrlimit(as, 0) -> 0\","
        "\"mmap(0, 4096, r, " ANON ") -> -ENOMEM\"");
    done();
}
END_TEST

/* Only private memory that can be written is data. */
START_TEST(data)
{
    run("\"kernel.rlimit_data\":\"1M\"",
        "\"mmap(0, 2M, rw, " ANON ") -> -ENOMEM\",\"mmap(0x10000000, 2M, r, " ANON
        "|fixed) -> 0x10000000\",\"mprotect(0x10000000, 2M, rw) -> -ENOMEM\","
        "\"mmap(0x20000000, 4M, rw, shared|anonymous|fixed) -> 0x20000000\","
        "\"sbrk(2M) -> -ENOMEM\",\"mprotect(0x10000000, 512K, rw) -> 0\"");
    done();
}
END_TEST

START_TEST(stack_and_the_child)
{
    run("", "\"write [0x7fffffe00000..0x7fffffe00008] faults 1\",\"setrlimit(stack, 4M) -> 0\","
            "\"write [0x7fffffa00000..0x7fffffa00008]\",\"setrlimit(as, 3M) -> 0\",\"fork(2)\","
            "\"[pid 2] mmap(0, 4M, rw, " ANON ") -> -ENOMEM\","
            "\"setrlimit(7, 1) -> -EINVAL\"");
    ck_assert_uint_eq(inspect_kernel(sim)->segv_maperr, 1);
    done();
}
END_TEST

START_TEST(overcommit_modes)
{
    /* 64 MiB of RAM: mode 0 judges each request alone. */
    run("\"ram\":\"64M\"", "\"mmap(0x10000000, 60M, rw, " ANON "|fixed) -> 0x10000000\","
                           "\"mmap(0x20000000, 60M, rw, " ANON "|fixed) -> 0x20000000\","
                           "\"mmap(0, 65M, rw, " ANON ") -> -ENOMEM\"");
    ck_assert_uint_ge(field("meminfo", "Committed_AS"), 120 * 1024);
    ck_assert_uint_eq(field("meminfo", "CommitLimit"), 32 * 1024);
    done();
    run("\"ram\":\"64M\",\"kernel.overcommit\":1",
        "\"mmap(0x10000000, 1G, rw, " ANON "|fixed) -> 0x10000000\"");
    done();
    /* Mode 2: half of 64 MiB, less what is kept back; memory that cannot be written costs nothing,
     * nor does NORESERVE help. */
    run("\"ram\":\"64M\",\"kernel.overcommit\":2",
        "\"mmap(0x10000000, 20M, rw, " ANON "|fixed) -> 0x10000000\","
        "\"mmap(0, 20M, rw, " ANON
        ") -> -ENOMEM\",\"mmap(0, 20M, rw, shared|anonymous) -> -ENOMEM\","
        "\"mmap(0x20000000, 60M, r, " ANON "|fixed) -> 0x20000000\","
        "\"mprotect(0x20000000, 20M, rw) -> -ENOMEM\",\"fork(2) -> -ENOMEM\","
        "\"munmap(0x10000000, 20M) -> 0\","
        "\"mmap(0x30000000, 20M, rw, shared|anonymous|fixed) -> 0x30000000\"");
    ck_assert_uint_ge(field("meminfo", "Committed_AS"), 20 * 1024);
    ck_assert_uint_lt(field("meminfo", "Committed_AS"), 22 * 1024);
    done();
}
END_TEST

START_TEST(keys)
{
    run("", "\"mmap(0x10000000, 8K, rw, " ANON "|fixed)\",\"write [0x10000000..0x10002000]\","
            "\"pkey_alloc(0, 0) -> 1\",\"pkey_mprotect(0x10000000, 4K, rw, 1) -> 0\","
            "\"write [0x10000000..0x10000008] -> 8\",\"wrpkru(0x55555558)\","
            "\"read [0x10000000..0x10000008] -> 8\",\"write [0x10000000..0x10000008] -> -EFAULT\","
            "\"wrpkru(0x55555554)\",\"read [0x10000000..0x10000008] -> -EFAULT\","
            "\"read [0x10001000..0x10001008] -> 8\",\"mprotect(0x10000000, 4K, r) -> 0\","
            "\"read [0x10000000..0x10000008] -> -EFAULT\",\"pkey_free(1) -> 0\","
            "\"pkey_free(1) -> -EINVAL\",\"pkey_mprotect(0x10000000, 4K, rw, 1) -> -EINVAL\","
            "\"pkey_mprotect(0x10000000, 4K, rw, -1) -> 0\",\"pkey_alloc(1, 0) -> -EINVAL\","
            "\"pkey_alloc(0, 4) -> -EINVAL\"");
    ck_assert_uint_eq(inspect_kernel(sim)->segv_pkuerr, 3);
    done();
}
END_TEST

/* The register is the thread's: one may, the other may not; pages not there yet are judged too. */
START_TEST(keys_are_of_threads)
{
    run("\"cpus\":2",
        "\"[tid 1] mmap(0x10000000, 8K, rw, " ANON "|fixed)\",\"[tid 1] pkey_alloc(0, 0) -> 1\","
        "\"[tid 1] pkey_mprotect(0x10000000, 8K, rw, 1) -> 0\","
        "\"[tid 1] write [0x10000000..0x10000008] -> 8\","
        "\"[tid 2] read [0x10000000..0x10000008] -> -EFAULT\","
        "\"[tid 2] read [0x10001000..0x10001008] -> -EFAULT\","
        "\"[tid 3] read [0x10000000..0x10000008] -> -EFAULT\","
        "\"[tid 1] read [0x10000000..0x10000008] -> 8\"");
    ck_assert_uint_eq(inspect_kernel(sim)->segv_pkuerr, 3);
    done();
    run("\"kernel.pkeys\":\"off\"", "\"pkey_alloc(0, 0) -> -ENOSPC\"");
    done();
}
END_TEST

static uint64_t word(va_t va)
{
    uint64_t value = 0;
    ck_assert(inspect_read(sim, inspect_current(sim, 0), va, &value, sizeof(value)));
    return value;
}

/* The kernel writes where the program may, with faults on the way; elsewhere the call fails. */
START_TEST(the_kernel_writes_for_the_program)
{
    run("", "\"mmap(0x10000000, 16K, rw, " ANON "|fixed)\",\"write [0x10000000..0x10002000]\","
            "\"getrusage(0, 0x10002ff8) -> 0 faults 2\"," /* across two pages that are not there */
            "\"mincore(0x10000000, 16K, 0x10000000) -> 0 faults 0\","
            "\"getrusage(0, 0x10003f80) -> -EFAULT faults 0\",\"getrusage(7, 0) -> -EINVAL\","
            "\"getrusage(0, 0xffff888000000000) -> -EFAULT\","
            "\"mprotect(0x10000000, 4K, r) -> 0\","
            "\"mincore(0x10000000, 16K, 0x10000000) -> -EFAULT\"");
    ck_assert_uint_eq(word(0x10000000) & 0xffffffff, 0x01010101);
    ck_assert_uint_ge(word(0x10002ff8 + 8 * 8), 2); /* minor faults */
    ck_assert_uint_eq(inspect_kernel(sim)->segv_maperr + inspect_kernel(sim)->segv_accerr, 0);
    done();
}
END_TEST

/* An exit code reaches the parent, and what the child used is the parent's to know. */
START_TEST(waiting)
{
    run("", "\"[pid 1] mmap(0x10000000, 16K, rw, " ANON
            "|fixed)\",\"[pid 1] write [0x10000000..0x10001000]\",\"[pid 1] fork(5)\","
            "\"[pid 1] wait4(5) -> 0\",\"[pid 5] write [0x10000000..0x10003000]\","
            "\"[pid 5] exit(7)\",\"[pid 1] wait4(-1, 0x10000000) -> 5\","
            "\"[pid 1] getrusage(-1, 0x10000008) -> 0\",\"[pid 1] wait4(5) -> -ECHILD\"");
    ck_assert_uint_eq(word(0x10000000) & 0xffffffff, 7 << 8);
    ck_assert_uint_eq(word(0x10000008 + 8 * 8), 3); /* minor faults of children */
    done();
}
END_TEST

TEST_MAIN("limits", address_space, data, stack_and_the_child, overcommit_modes, keys,
          keys_are_of_threads, the_kernel_writes_for_the_program, waiting)

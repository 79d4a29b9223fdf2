/* test_tlbflush.c: what is forgotten where, when, by which means, and what it costs. */
#include "kernel/tlbflush.h"

#include "kernel/pgtable.h"
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#define HEARD 4096u

/* Two CPUs in one address space, and ears. */
struct stage {
    struct rig r;
    struct event event[HEARD];
    unsigned heard;
};

static struct stage *stage_now;

static void hear(void *ctx, const struct event *e)
{
    struct stage *s = ctx;
    ck_assert_uint_lt(s->heard, HEARD);
    s->event[s->heard++] = *e;
}

static struct rig *open_stage(void)
{
    stage_now = calloc(1, sizeof(*stage_now));
    struct kernel_config config = rig_config();
    rig_open(&stage_now->r, 64 * MIB, &config);
    return &stage_now->r;
}

static void close_stage(void)
{
    rig_check(&stage_now->r);
    rig_close(&stage_now->r);
    free(stage_now);
}

static void listen(void)
{
    struct bus *bus = &stage_now->r.bus;
    bus->listener[0] = (struct listener){hear, stage_now};
    bus->count = 1;
    bus->on = true;
    stage_now->heard = 0;
}

static unsigned heard(enum event_kind kind)
{
    unsigned n = 0;
    for (unsigned i = 0; i < stage_now->heard; i++)
        n += stage_now->event[i].kind == (uint32_t)kind;
    return n;
}

static const struct event *first(enum event_kind kind)
{
    for (unsigned i = 0; i < stage_now->heard; i++)
        if (stage_now->event[i].kind == (uint32_t)kind)
            return &stage_now->event[i];
    return NULL;
}

/* The process runs on that CPU too, and has touched the page there. */
static void run_on(struct rig *r, unsigned cpu)
{
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[cpu], 1), 0);
}

static void touch_on(struct rig *r, unsigned cpu, va_t va)
{
    struct mmu_fault fault;
    struct lx_siginfo info;
    run_on(r, cpu);
    while (!mmu_access(r->cpu[cpu].mmu, va, NULL, 1, ACCESS_WRITE, &fault))
        ck_assert_int_lt(kernel_fault(r->k, &r->cpu[cpu], &fault, &info), FAULT_SIGNAL);
}

/* Does the first level of that CPU's TLB hold the page? */
static bool cached(const struct rig *r, unsigned cpu, va_t va)
{
    const struct tlb_config *c = mmu_tlb_config(r->cpu[cpu].mmu, 0);
    for (uint32_t i = 0; i < c->sets * c->ways; i++) {
        struct tlb_line line;
        mmu_tlb_line(r->cpu[cpu].mmu, 0, i / c->ways, i % c->ways, &line);
        if (line.valid && line.vpn == va >> PAGE_SHIFT)
            return true;
    }
    return false;
}

/* Pages under a page table of their own. */
static va_t map_apart(struct rig *r, uint64_t bytes)
{
    return (va_t)rig_mmap(r, 0x10000000, bytes, LX_PROT_READ | LX_PROT_WRITE,
                          LX_MAP_PRIVATE | LX_MAP_FIXED);
}

START_TEST(unmap_interrupts_the_other_cpu)
{
    struct rig *r = open_stage();
    va_t va = (va_t)rig_map(r, 4 * PAGE_SIZE);
    touch_on(r, 1, va);
    touch_on(r, 0, va);
    ck_assert(cached(r, 0, va) && cached(r, 1, va));
    listen();
    ck_assert_int_eq(rig_call(r, LX_NR_munmap, va, 4 * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert(!cached(r, 0, va) && !cached(r, 1, va));
    const struct kernel_counters *count = kernel_counters(r->k);
    ck_assert_uint_eq(count->shootdowns, 1);
    ck_assert_uint_eq(count->ipis, 1);
    ck_assert_uint_eq(count->cycles_ipi_wait, 300 + 1200);
    ck_assert_uint_eq(count->cycles_ipi_handle, 1200);
    const struct event *e = first(EV_ipi_send);
    ck_assert_ptr_nonnull(e);
    ck_assert_uint_eq(e->ipi_send.cpus, 2);
    ck_assert_uint_eq(e->cpu, 0);
    e = first(EV_ipi_handle);
    ck_assert_uint_eq(e->cpu, 1);
    ck_assert_uint_eq(e->ipi_handle.from, 0);
    e = first(EV_ipi_done);
    ck_assert_uint_eq(e->cpu, 0);
    ck_assert_uint_eq(e->ipi_done.waited, 1500);
    close_stage();
}
END_TEST

/* One munmap, with tables that go: one flush, and no frame is free before it. */
START_TEST(one_call_one_flush)
{
    struct rig *r = open_stage();
    va_t va = map_apart(r, 8 * PAGE_SIZE);
    for (unsigned i = 0; i < 8; i++)
        touch_on(r, 1, va + i * PAGE_SIZE);
    run_on(r, 0);
    uint64_t before = kernel_counters(r->k)->flushes;
    listen();
    ck_assert_int_eq(rig_call(r, LX_NR_munmap, va, 8 * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->flushes, before + 1);
    ck_assert_uint_eq(heard(EV_ipi_send), 1);
    ck_assert_uint_eq(heard(EV_table_gone), 3);
    ck_assert_uint_eq(heard(EV_frame_free), 11);
    ck_assert(first(EV_ipi_done) < first(EV_frame_free));
    ck_assert(first(EV_ipi_done) < first(EV_table_gone));
    close_stage();
}
END_TEST

/* Linux's ceiling counts the pages between the first and the last that changed. */
START_TEST(beyond_33_pages_the_tlb_is_emptied)
{
    for (unsigned pages = 33; pages <= 34; pages++) {
        struct rig *r = open_stage();
        va_t va = (va_t)rig_map(r, 64 * PAGE_SIZE);
        touch_on(r, 0, va);
        touch_on(r, 0, va + (pages - 1) * PAGE_SIZE);
        uint64_t whole = kernel_counters(r->k)->tlb_flushes;
        uint64_t single = kernel_counters(r->k)->invlpgs;
        ck_assert_int_eq(rig_call(r, LX_NR_madvise, va, 64 * PAGE_SIZE, LX_MADV_DONTNEED, 0, 0), 0);
        ck_assert_uint_eq(kernel_counters(r->k)->tlb_flushes - whole, pages == 34);
        ck_assert_uint_eq(kernel_counters(r->k)->invlpgs - single, pages == 34 ? 0 : pages);
        close_stage();
    }
}
END_TEST

/* A page that may do more than before is forgotten by the fault of whoever still has the old entry.
 */
START_TEST(added_rights_interrupt_nobody)
{
    struct rig *r = open_stage();
    va_t va = (va_t)rig_map(r, PAGE_SIZE);
    touch_on(r, 1, va);
    touch_on(r, 0, va);
    struct process *p = process_find(r->k, 1);
    pfn_t table;
    pte_t entry = pgtable_get(r->k, p, va, &table);
    pgtable_set(r->k, p, table, va, entry & ~PTE_RW);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 1);
    ck_assert(!cached(r, 1, va));
    struct mmu_fault fault;
    ck_assert(mmu_access(r->cpu[1].mmu, va, NULL, 1, ACCESS_READ, &fault));
    pgtable_set(r->k, p, table, va, entry);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 1);
    ck_assert(cached(r, 1, va));
    touch_on(r, 1, va); /* by a spurious fault */
    ck_assert_uint_eq(kernel_counters(r->k)->faults_spurious, 1);
    close_stage();
}
END_TEST

START_TEST(an_idle_cpu_is_spared_and_catches_up)
{
    struct rig *r = open_stage();
    va_t va = (va_t)rig_map(r, 4 * PAGE_SIZE);
    touch_on(r, 1, va);
    mm_idle(r->k, &r->cpu[1]);
    run_on(r, 0);
    listen();
    ck_assert_int_eq(rig_call(r, LX_NR_madvise, va, 4 * PAGE_SIZE, LX_MADV_DONTNEED, 0, 0), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 0);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis_spared, 1);
    ck_assert_uint_eq(first(EV_ipi_send)->ipi_send.spared, 2);
    ck_assert(cached(r, 1, va)); /* stale, but nobody runs there */
    run_on(r, 1);
    ck_assert(!cached(r, 1, va));
    close_stage();
}
END_TEST

/* The walker of an idle CPU could still go through tables: these it must leave at once. */
START_TEST(an_idle_cpu_leaves_tables_that_go)
{
    struct rig *r = open_stage();
    va_t va = map_apart(r, 4 * PAGE_SIZE);
    touch_on(r, 1, va);
    mm_idle(r->k, &r->cpu[1]);
    run_on(r, 0);
    ck_assert_int_eq(rig_call(r, LX_NR_munmap, va, 4 * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 1);
    ck_assert_ptr_null(r->cpu[1].mm);
    ck_assert(!r->cpu[1].lazy);
    ck_assert(!cached(r, 1, va));
    close_stage();
}
END_TEST

/* A CPU that went on to another process is not interrupted any more. */
START_TEST(only_who_has_it_loaded_is_asked)
{
    struct rig *r = open_stage();
    va_t va = (va_t)rig_map(r, 4 * PAGE_SIZE);
    touch_on(r, 1, va);
    int64_t other = kernel_spawn(r->k, "other");
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[1], (uint16_t)other), 0);
    run_on(r, 0);
    ck_assert_int_eq(rig_call(r, LX_NR_munmap, va, 4 * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 0);
    kernel_exit(r->k, &r->cpu[1], (uint16_t)other);
    ck_assert_ptr_null(r->cpu[1].mm);
    close_stage();
}
END_TEST

/* More frames than fit are freed in between, never before they are forgotten. */
START_TEST(a_full_gathering_is_flushed_in_between)
{
    struct rig *r = open_stage();
    const uint64_t pages = GATHER_FRAMES + 100;
    va_t va = (va_t)rig_map(r, pages * PAGE_SIZE);
    for (uint64_t i = 0; i < pages; i++)
        touch_on(r, 0, va + i * PAGE_SIZE);
    uint64_t before = kernel_counters(r->k)->flushes;
    ck_assert_int_eq(rig_call(r, LX_NR_munmap, va, pages * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->flushes, before + 2);
    close_stage();
}
END_TEST

/* ---- PCIDs ---- */

static struct rig *open_pcid_stage(unsigned processes)
{
    stage_now = calloc(1, sizeof(*stage_now));
    struct kernel_config config = rig_config();
    config.pcid = true;
    rig_open(&stage_now->r, 64 * MIB, &config);
    for (unsigned i = 2; i <= processes; i++)
        ck_assert_int_eq(kernel_spawn(stage_now->r.k, "more"), (int)i);
    return &stage_now->r;
}

static uint16_t pcid_now(const struct rig *r)
{
    return mmu_pcid(mmu_regs(r->cpu[0].mmu));
}

START_TEST(a_pcid_keeps_what_is_still_true)
{
    struct rig *r = open_pcid_stage(2);
    va_t va = (va_t)rig_map(r, 4 * PAGE_SIZE);
    touch_on(r, 0, va);
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 2), 0);
    ck_assert_uint_eq(pcid_now(r), 2);
    ck_assert(cached(r, 0, va));
    uint64_t walks = mmu_counters(r->cpu[0].mmu)->walks;
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 1), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->mm_kept, 1);
    ck_assert_int_eq(rig_load(r, va), 0);
    ck_assert_uint_eq(mmu_counters(r->cpu[0].mmu)->walks, walks);
    close_stage();
}
END_TEST

/* What another CPU took away meanwhile is forgotten on the way back, by the generation. */
START_TEST(a_pcid_that_is_behind_is_emptied)
{
    struct rig *r = open_pcid_stage(2);
    va_t va = (va_t)rig_map(r, 4 * PAGE_SIZE);
    touch_on(r, 0, va);
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 2), 0);
    run_on(r, 1);
    const uint64_t arg[6] = {va, 4 * PAGE_SIZE};
    ck_assert_int_eq(kernel_syscall(r->k, &r->cpu[1], LX_NR_munmap, arg), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->ipis, 0);
    ck_assert(cached(r, 0, va)); /* but nobody translates by it */
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 1), 0);
    ck_assert_uint_eq(kernel_counters(r->k)->mm_kept, 0);
    ck_assert(!cached(r, 0, va));
    ck_assert_int_eq(rig_load(r, va), -1);
    close_stage();
}
END_TEST

/* The seventh process takes the PCID of the first, which then gets the next one. */
START_TEST(six_pcids_go_round)
{
    struct rig *r = open_pcid_stage(7);
    va_t va = (va_t)rig_map(r, PAGE_SIZE);
    touch_on(r, 0, va);
    for (uint16_t pid = 1; pid <= 6; pid++) {
        ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], pid), 0);
        ck_assert_uint_eq(pcid_now(r), pid);
    }
    ck_assert(cached(r, 0, va));
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 7), 0);
    ck_assert_uint_eq(pcid_now(r), 1);
    ck_assert(!cached(r, 0, va));
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 1), 0);
    ck_assert_uint_eq(pcid_now(r), 2);
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 3), 0);
    ck_assert_uint_eq(pcid_now(r), 3);
    close_stage();
}
END_TEST

/* A pid may be used again, an address space's number never is: nothing is inherited by name. */
START_TEST(a_dead_process_leaves_no_claim)
{
    struct rig *r = open_pcid_stage(2);
    va_t va = (va_t)rig_map(r, PAGE_SIZE);
    touch_on(r, 0, va);
    kernel_exit(r->k, &r->cpu[0], 1);
    process_find(r->k, 2)->pid = 1; /* as if it had been born with that number */
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 1), 0);
    ck_assert_uint_eq(pcid_now(r), 2);
    ck_assert_int_eq(rig_load(r, va), -1);
    process_find(r->k, 1)->pid = 2;
    rig_close(r);
    free(stage_now);
}
END_TEST

TEST_MAIN("tlbflush", unmap_interrupts_the_other_cpu, one_call_one_flush,
          beyond_33_pages_the_tlb_is_emptied, added_rights_interrupt_nobody,
          an_idle_cpu_is_spared_and_catches_up, an_idle_cpu_leaves_tables_that_go,
          only_who_has_it_loaded_is_asked, a_full_gathering_is_flushed_in_between,
          a_pcid_keeps_what_is_still_true, a_pcid_that_is_behind_is_emptied, six_pcids_go_round,
          a_dead_process_leaves_no_claim)

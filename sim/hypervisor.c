/* hypervisor.c: a guest's memory by extended page tables, mapped when it is first touched.
 *
 * Guest-physical addresses are mapped to the same physical ones, so whoever looks at the guest's
 * RAM from outside needs no translation; the tables themselves stand behind it, where no guest
 * address leads. Nothing is ever taken away, so nothing must be invalidated either (SDM vol. 3C,
 * "Guidelines for Use of the INVEPT Instruction").
 */
#include "sim/hypervisor.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

struct hypervisor {
    struct env *env;
    struct ram *ram;
    struct nested_config config;
    pa_t root;
    pfn_t next; /* its next free frame */
};

uint64_t hypervisor_bytes(const struct nested_config *c, uint64_t ram_bytes)
{
    if (!c->on)
        return 0;
    uint64_t tables = 1;
    for (unsigned level = 1; level < EPT_LEVELS; level++)
        tables += ram_bytes / level_span(level + 1) + 1;
    return tables * PAGE_SIZE;
}

static pa_t table_new(struct hypervisor *h)
{
    CHECK(h->next < ram_host_end(h->ram) >> PAGE_SHIFT);
    ram_zero(h->ram, h->next);
    return h->next++ << PAGE_SHIFT;
}

struct hypervisor *hypervisor_new(struct env *env, struct ram *ram, const struct nested_config *c)
{
    struct hypervisor *h = arena_alloc(env->arena, sizeof(*h));
    if (!h)
        return NULL;
    h->env = env;
    h->ram = ram;
    h->config = *c;
    h->next = ram_size(ram) >> PAGE_SHIFT;
    h->root = table_new(h);
    return h;
}

uint64_t hypervisor_eptp(const struct hypervisor *h)
{
    return h->root | (h->config.ad ? EPTP_AD : 0) | EPTP_WALK | EPTP_WB;
}

/* The largest page, up to the one configured, that lies in the guest's memory as a whole. */
static unsigned page_level(const struct hypervisor *h, pa_t gpa)
{
    unsigned level = 1;
    while (level < 3 && level_span(level + 1) <= h->config.page &&
           align_down(gpa, level_span(level + 1)) + level_span(level + 1) <= ram_size(h->ram))
        level++;
    return level;
}

static void entry_write(struct hypervisor *h, pa_t pa, unsigned level, pa_t gpa, pte_t entry)
{
    ram_write64(h->ram, pa, entry);
    EMIT(h->env, ept_write, .pa = pa, .level = level, .gpa = align_down(gpa, level_span(level)),
         .entry = entry);
}

static void map(struct hypervisor *h, pa_t gpa)
{
    unsigned leaf = page_level(h, gpa);
    pa_t table = h->root;
    for (unsigned level = EPT_LEVELS; level > leaf; level--) {
        pa_t at = table + 8 * (pa_t)va_index(gpa, level);
        pte_t entry = ram_read64(h->ram, at);
        if (!entry) {
            entry = table_new(h) | EPT_RWX;
            entry_write(h, at, level, gpa, entry);
        }
        table = entry & EPT_FRAME;
    }
    pte_t page = leaf > 1 ? EPT_PAGE : 0;
    entry_write(h, table + 8 * (pa_t)va_index(gpa, leaf), leaf, gpa,
                align_down(gpa, level_span(leaf)) | page | (pte_t)MEMORY_WB << EPT_TYPE_SHIFT |
                    EPT_RWX);
}

bool hypervisor_exit(struct hypervisor *h, const struct vm_exit *exit)
{
    if (exit->reason != EXIT_EPT_VIOLATION || exit->gpa >= ram_size(h->ram))
        return false;
    map(h, exit->gpa);
    return true;
}

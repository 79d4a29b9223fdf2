/* try.c: what an access would do at this moment: it is done for real, and taken back.
 *
 * Asking the machine itself, on its own caches, gives the cost and the course of the access without
 * a second model of them; the snapshot that every trip into the past needs takes care of the rest.
 */
#include "sim/sim.h"

#include "sim/state.h"

enum err sim_try(struct sim *s, unsigned cpu, const struct mmu_regs *regs,
                 const struct sim_access *access, const struct listener *listener,
                 struct sim_tried *tried, struct error *e)
{
    struct snapshot before;
    struct bus bus = s->bus;
    if (!snapshot_take(&before, s->now.op, s->arena, s->ram, NULL))
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for a snapshot");
    s->bus = (struct bus){.on = false};
    s->m->env.cpu = (uint16_t)cpu;
    struct mmu *mmu = s->m->cpu[cpu].mmu;
    *mmu_regs(mmu) = *regs;
    if (access->cold)
        mmu_invlpg(mmu, access->va);
    s->bus = (struct bus){.on = true, .count = 1, .listener = {*listener}};
    *tried = (struct sim_tried){.cycles = s->m->env.cycle};
    tried->done = mmu_access(mmu, access->va, NULL, access->size, access->how, &tried->fault);
    tried->cycles = s->m->env.cycle - tried->cycles;
    s->bus = bus;
    snapshot_restore(&before, s->arena, s->ram);
    for (unsigned i = 0; i < s->config.cpus; i++)
        mmu_forget_host(s->m->cpu[i].mmu);
    snapshot_drop(&before, s->ram);
    return ERR_NONE;
}

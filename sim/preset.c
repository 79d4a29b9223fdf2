/* preset.c: the processors, as lists of settings with the source of each number.
 *
 * What vendors do not publish (replacement, sizes of paging-structure caches, some latencies) is
 * taken from measurements or chosen, and said to be so. NOTE: where a real processor finds sets by
 * a hash, keeps page directory entries among the translations or splits ways between threads, the
 * preset has the size and not the mechanism.
 */
#include "sim/preset.h"

#include <string.h>

static const char lru[] = "Not published by the vendor; exact LRU stands for its approximation.";

static const struct preset_setting default_settings[] = {
    {NULL, NULL},
};
static const struct preset_source default_sources[] = {
    {"all", "The defaults of docs/configuration.md; no processor in particular."},
    {NULL, NULL},
};

/* ---- generic ---- */

static const struct preset_setting generic_settings[] = {
    {"tlb.l1d.sets", "4"},      {"tlb.l1d.ways", "2"}, {"tlb.l1i.sets", "4"},
    {"tlb.l1i.ways", "2"},      {"tlb.l2.sets", "8"},  {"tlb.l2.ways", "4"},
    {"tlb.l2.hit_cycles", "6"}, {"psc.pde", "4"},      {"psc.pdpte", "2"},
    {"psc.pml4e", "1"},         {"psc.pml5e", "1"},    {"walk.read_cycles", "20"},
    {"maxphyaddr", "40"},       {NULL, NULL},
};
static const struct preset_source generic_sources[] = {
    {"all", "Chosen so that a lesson can show every entry; powers of two, LRU everywhere."},
    {NULL, NULL},
};

/* ---- Intel ---- */

#define MEMORY "Not published: it depends on the memory; the default of 200 cycles is kept."
#define FILLED                                                                                     \
    " The third level is filled by every miss here; it neither includes the others, as Intel's "   \
    "did, nor holds only what leaves the second, as AMD's does."
#define WALKERS_NOTE " They work at once where walk.window lets accesses go on behind a walk."

#define INTEL_MANUAL "Intel 64 and IA-32 Architectures Optimization Reference Manual (248966), "
#define INTEL_PSC                                                                                  \
    "Not published. 32 PDEs and 4 PDPTEs as measured by van Schaik, Razavi, Gras, Bos, "           \
    "Giuffrida: "                                                                                  \
    "\"Reverse Engineering Hardware Page Table Caches Using Side-Channel Attacks on the MMU\" "    \
    "(2017); the 2 PML4Es are chosen."

static const struct preset_setting skylake_settings[] = {
    {"tlb.l1d.sets", "16"},
    {"tlb.l1d.ways", "4"},
    {"tlb.l1d.2m.sets", "8"},
    {"tlb.l1d.2m.ways", "4"},
    {"tlb.l1d.1g.sets", "1"},
    {"tlb.l1d.1g.ways", "4"},
    {"tlb.l1i.sets", "16"},
    {"tlb.l1i.ways", "8"},
    {"tlb.l1i.2m.sets", "1"},
    {"tlb.l1i.2m.ways", "8"},
    {"tlb.l1i.largest", "2M"},
    {"tlb.l2.sets", "128"},
    {"tlb.l2.ways", "12"},
    {"tlb.l2.1g.sets", "4"},
    {"tlb.l2.1g.ways", "4"},
    {"tlb.l2.hit_cycles", "9"},
    {"psc.pde", "32"},
    {"psc.pdpte", "4"},
    {"psc.pml4e", "2"},
    {"walk.walkers", "2"},
    {"cache.l1.sets", "64"},
    {"cache.l1.ways", "8"},
    {"cache.l1.hit_cycles", "4"},
    {"cache.l2.sets", "1024"},
    {"cache.l2.ways", "4"},
    {"cache.l2.hit_cycles", "12"},
    {"cache.l3.sets", "8192"},
    {"cache.l3.ways", "16"},
    {"cache.l3.hit_cycles", "44"},
    {"maxphyaddr", "39"},
    {NULL, NULL},
};
static const struct preset_source skylake_sources[] = {
    {"tlb.*.sets, tlb.*.ways",
     INTEL_MANUAL "\"Skylake Client Microarchitecture\", table \"TLB Parameters of the Skylake "
                  "Client Microarchitecture\"; one thread has the core for itself."},
    {"tlb.l1i.largest", "That table has no instruction entries for 1 GiB pages."},
    {"tlb.l1i.2m", "8 entries for each thread there; fully associative by CPUID leaf 2, 76H."},
    {"tlb.l2.hit_cycles",
     "Measured: Chips and Cheese give 9 cycles for a hit in the second level (\"Goldmont Plus\", "
     "compared there with Skylake and Zen 2). Intel gives 7 for Sandy Bridge and nothing newer."},
    {"psc.*", INTEL_PSC},
    {"walk.walkers", INTEL_MANUAL "\"Cache and Memory Subsystem\" of the same microarchitecture: "
                                  "two page walks in parallel." WALKERS_NOTE},
    {"cache.*", INTEL_MANUAL
     "table \"Cache Parameters of the Skylake Client Microarchitecture\": 32 KiB in 8 "
     "ways, 256 KiB in 4, up to 2 MiB for each core in up to 16; fastest latencies 4, "
     "12 and 44 cycles. Four cores' share of the third level is here one core's." FILLED},
    {"cache.memory_cycles", MEMORY},
    {"*.repl", lru},
    {"maxphyaddr", "CPUID leaf 80000008H of client parts."},
    {NULL, NULL},
};

#define PATTERSON                                                                                  \
    "Hennessy, Patterson: \"Computer Architecture: A Quantitative Approach\", 7th edition, the "   \
    "section on the memory hierarchy of the Intel Core i9-12900: "
#define CHEESE_ZEN4                                                                                \
    "Chips and Cheese, \"AMD's Zen 4, Part 2: Memory Subsystem and Conclusion\" (2022)"

static const struct preset_setting golden_cove_settings[] = {
    {"tlb.l1d.sets", "16"},
    {"tlb.l1d.ways", "6"},
    {"tlb.l1d.2m.sets", "8"},
    {"tlb.l1d.2m.ways", "4"},
    {"tlb.l1d.1g.sets", "1"},
    {"tlb.l1d.1g.ways", "8"},
    {"tlb.l1i.sets", "32"},
    {"tlb.l1i.ways", "8"},
    {"tlb.l1i.2m.sets", "4"},
    {"tlb.l1i.2m.ways", "8"},
    {"tlb.l1i.largest", "2M"},
    {"tlb.l2.sets", "128"},
    {"tlb.l2.ways", "16"},
    {"tlb.l2.hit_cycles", "9"},
    {"psc.pde", "32"},
    {"psc.pdpte", "4"},
    {"psc.pml4e", "2"},
    {"walk.walkers", "4"},
    {"cache.l1.sets", "64"},
    {"cache.l1.ways", "12"},
    {"cache.l1.hit_cycles", "5"},
    {"cache.l2.sets", "2048"},
    {"cache.l2.ways", "10"},
    {"cache.l2.hit_cycles", "15"},
    {"cache.l3.sets", "40960"},
    {"cache.l3.ways", "12"},
    {"cache.l3.hit_cycles", "69"},
    {"maxphyaddr", "46"},
    {NULL, NULL},
};
static const struct preset_source golden_cove_sources[] = {
    {"tlb.*.sets, tlb.*.ways, tlb.l2.hit_cycles",
     PATTERSON "96 entries of 4 KiB, 32 of 2 MiB and 8 of 1 GiB for data in 6, 4 and 8 ways; 256 "
               "and 32 for instructions in 8 ways; 2048 for all sizes in 16 ways, 9 cycles from a "
               "miss of the first level."},
    {"tlb.l1d", "Those are the entries for loads. The 16 for stores alone are left out: stores use "
                "those of loads."},
    {"tlb.l1i.largest", "No instruction entries for 1 GiB pages are published."},
    {"psc.*", INTEL_PSC " Measured on Skylake; taken over here."},
    {"walk.walkers", PATTERSON "four page walks in parallel." WALKERS_NOTE},
    {"cache.l1, cache.l2",
     "48 KiB in 12 ways, 5 cycles: Chips and Cheese, \"Going Armchair Quarterback on Golden Cove's "
     "Caches\" (2022). 1280 KiB, 15 cycles: " CHEESE_ZEN4 ". The 10 ways: CPUID leaf 4."},
    {"cache.l3", "30 MiB, the i9-12900 as sold, in 12 ways (CPUID leaf 4). The latency is chosen: "
                 "almost 20 cycles more than Zen 4's, " CHEESE_ZEN4 "." FILLED},
    {"cache.memory_cycles", MEMORY},
    {"*.repl", lru},
    {"maxphyaddr", "Differs between products (39 or more, CPUID leaf 80000008H); 46 is chosen."},
    {NULL, NULL},
};

/* ---- AMD ---- */

#define AMD_PDC                                                                                    \
    "The same guide: a page directory cache of 64 entries for PML4Es and PDPTEs; the split 48 to " \
    "16 is chosen. PDEs are kept in the second level of TLB there; here in 64 entries of their "   \
    "own, a number that is chosen."

static const struct preset_setting zen2_settings[] = {
    {"tlb.l1d.sets", "1"},         {"tlb.l1d.ways", "64"},
    {"tlb.l1i.sets", "1"},         {"tlb.l1i.ways", "64"},
    {"tlb.l2.sets", "128"},        {"tlb.l2.ways", "16"},
    {"tlb.l2.largest", "2M"},      {"tlb.l2i.sets", "64"},
    {"tlb.l2i.ways", "8"},         {"tlb.l2i.largest", "2M"},
    {"tlb.coalesce", "8"},         {"tlb.l2.hit_cycles", "7"},
    {"tlb.l2i.hit_cycles", "7"},   {"psc.pde", "64"},
    {"psc.pdpte", "48"},           {"psc.pml4e", "16"},
    {"walk.walkers", "2"},         {"cache.l1.sets", "64"},
    {"cache.l1.ways", "8"},        {"cache.l1.hit_cycles", "4"},
    {"cache.l2.sets", "1024"},     {"cache.l2.ways", "8"},
    {"cache.l2.hit_cycles", "12"}, {"cache.l3.sets", "16384"},
    {"cache.l3.ways", "16"},       {"cache.l3.hit_cycles", "39"},
    {"maxphyaddr", "48"},          {NULL, NULL},
};
static const struct preset_source zen2_sources[] = {
    {"tlb.*.sets, tlb.*.ways, tlb.*.largest",
     "AMD: \"Software Optimization Guide for AMD Family 17h Models 30h and Greater Processors\" "
     "(56305), section \"Memory Address Translation\": 64 entries for all page sizes, fully "
     "associative; 2048 and 512 entries in the second level, 1 GiB pages smashed there."},
    {"tlb.l2.ways", "16, as Chips and Cheese give them (\"ARM's Cortex A53\"). WikiChip has 12, "
                    "which does not divide 2048."},
    {"tlb.coalesce",
     "AMD at Hot Chips 28 (2016), \"A New x86 Core Architecture for the Next Generation of "
     "Computing\": 4 KiB entries coalesce up to 32 KiB on Zen. Not published for Zen 2; taken to "
     "hold there too."},
    {"psc.*", AMD_PDC},
    {"tlb.l2.hit_cycles", "Measured: Chips and Cheese, the same article: seven extra cycles. That "
                          "of instructions is taken to be the same."},
    {"walk.walkers", "WikiChip, \"Zen 2\": two hardware page table walkers." WALKERS_NOTE},
    {"cache.*", "WikiChip, \"Zen 2\", \"Memory Hierarchy\": 32 KiB in 8 ways, 4 cycles; 512 KiB in "
                "8, at least 12; 16 MiB for a complex of four cores in 16, on average 39." FILLED},
    {"cache.memory_cycles", MEMORY},
    {"*.repl", lru},
    {"maxphyaddr", "CPUID function 8000_0008H."},
    {NULL, NULL},
};

#define ZEN4_GUIDE                                                                                 \
    "AMD: \"Software Optimization Guide for the AMD Zen4 Microarchitecture\" (57647), "

static const struct preset_setting zen4_settings[] = {
    {"tlb.l1d.sets", "1"},         {"tlb.l1d.ways", "72"},
    {"tlb.l1i.sets", "1"},         {"tlb.l1i.ways", "64"},
    {"tlb.l2.sets", "128"},        {"tlb.l2.ways", "24"},
    {"tlb.l2.largest", "2M"},      {"tlb.l2i.sets", "64"},
    {"tlb.l2i.ways", "8"},         {"tlb.l2i.largest", "2M"},
    {"tlb.coalesce", "4"},         {"tlb.l2.hit_cycles", "7"},
    {"tlb.l2i.hit_cycles", "7"},   {"psc.pde", "64"},
    {"psc.pdpte", "48"},           {"psc.pml4e", "16"},
    {"walk.walkers", "6"},         {"cache.l1.sets", "64"},
    {"cache.l1.ways", "8"},        {"cache.l1.hit_cycles", "4"},
    {"cache.l2.sets", "2048"},     {"cache.l2.ways", "8"},
    {"cache.l2.hit_cycles", "14"}, {"cache.l3.sets", "32768"},
    {"cache.l3.ways", "16"},       {"cache.l3.hit_cycles", "50"},
    {"maxphyaddr", "48"},          {NULL, NULL},
};
static const struct preset_source zen4_sources[] = {
    {"tlb.*.sets, tlb.*.ways, tlb.*.largest",
     ZEN4_GUIDE "section \"Memory Address Translation\": 72 entries for data and 64 for "
                "instructions, fully associative, all page sizes; 3072 entries in 24 ways and 512 "
                "in the second level."},
    {"tlb.l2i.ways", "8 as on Zen 2; chosen."},
    {"tlb.coalesce", "The same guide: four 4 KiB pages aligned as 16 KiB share an entry."},
    {"psc.*", AMD_PDC},
    {"tlb.l2.hit_cycles", "Measured: 7 to 8 cycles, " CHEESE_ZEN4 ". That of instructions is taken "
                          "to be the same."},
    {"walk.walkers", ZEN4_GUIDE "the same section: six page table walkers." WALKERS_NOTE},
    {"cache.*", ZEN4_GUIDE "section \"Cache Hierarchy\" and appendix A: 32 KiB in 8 ways, 4 "
                           "cycles; 1 MiB in 8, at least 14; on average 50 for the third level, of "
                           "which desktop parts have 32 MiB in 16 ways for eight cores." FILLED},
    {"cache.memory_cycles", MEMORY},
    {"*.repl", lru},
    {"maxphyaddr", "CPUID function 8000_0008H of desktop parts."},
    {NULL, NULL},
};

/* ---- the table ---- */

static const struct preset presets[] = {
    {"default", "No processor in particular", "What memwalk has where no processor is named",
     default_settings, default_sources},
    {"generic", "Teaching CPU", "Small enough to see whole", generic_settings, generic_sources},
    {"skylake", "Intel Skylake (2015)", "Arrays by page size, a shared second level of 1536",
     skylake_settings, skylake_sources},
    {"golden-cove", "Intel Golden Cove (2021)", "Alder Lake's P-core: second level of 2048",
     golden_cove_settings, golden_cove_sources},
    {"zen2", "AMD Zen 2 (2019)", "Fully associative first level, split second level, coalescing",
     zen2_settings, zen2_sources},
    {"zen4", "AMD Zen 4 (2022)", "As Zen 2, larger: second level of 3072", zen4_settings,
     zen4_sources},
};

#define PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct preset *preset_at(size_t i)
{
    return i < PRESETS ? &presets[i] : NULL;
}

const struct preset *preset_find(const char *name)
{
    for (size_t i = 0; i < PRESETS; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

bool preset_owns(const char *key)
{
    static const char *const families[] = {
        "tlb.", "psc.", "walk.walkers", "walk.read_cycles", "data.cycles", "maxphyaddr", "cache."};
    if (strcmp(key, "tlb.classify") == 0)
        return false;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strncmp(key, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

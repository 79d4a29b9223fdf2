/* fuzz_config.c: any bytes as settings: no crash, and what was taken can be asked for and set
 * again.
 *
 * The first line is taken as JSON where it begins with a brace, each other line as key=value. The
 * corpus stands in tests/corpus/config.
 */
#include "sim/base/check.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_told(enum err err, const struct error *e)
{
    CHECK(err == e->code && e->reason[0]);
}

/* Every key's text gives the same value again, and all of them the same machine. */
static void check_round_trip(const struct config *c)
{
    struct config again;
    struct config_key key;
    config_default(&again);
    for (size_t i = 0; config_key_at(i, &key); i++) {
        char text[64];
        char back[64];
        struct error e;
        CHECK(config_get(c, key.key, text, sizeof(text)) == text);
        CHECK(config_set(&again, key.key, text, &e) == ERR_NONE);
        CHECK(strcmp(config_get(&again, key.key, back, sizeof(back)), text) == 0);
    }
    CHECK(strcmp(again.alloc, c->alloc) == 0);
    CHECK(memcmp(&again.mmu, &c->mmu, sizeof(c->mmu)) == 0);
}

/* What was checked boots, or says why not; the sizes are bounded for the fuzzer's sake only. */
static void check_boot(const struct config *c)
{
    static const struct trace nothing;
    const struct sim_options options = {.config = c, .trace = &nothing};
    uint64_t lines = 0;
    for (unsigned i = 0; i < TLB_LEVELS; i++)
        lines += (uint64_t)c->mmu.tlb[i].sets * c->mmu.tlb[i].ways;
    if (c->ram_bytes > 32 * MIB || lines > 8192 || c->cpus > 2)
        return;
    struct sim *s;
    struct error e = {0};
    enum err err = sim_open(&s, &options, &e);
    if (err)
        check_told(err, &e);
    sim_close(s);
}

static void take_line(struct config *c, const char *line, bool first)
{
    struct error e = {0};
    enum err err;
    if (first && line[0] == '{')
        err = config_json(c, line, "fuzz", &e);
    else
        err = config_option(c, line, &e);
    if (err)
        check_told(err, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct config c;
    struct error e = {0};
    char *text = malloc(size + 1);
    CHECK(text);
    memcpy(text, bytes, size);
    text[size] = '\0';
    config_default(&c);
    bool first = true;
    for (char *line = text; line; first = false) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        take_line(&c, line, first);
        line = end ? end + 1 : NULL;
    }
    free(text);
    check_round_trip(&c);
    enum err err = config_check(&c, &e);
    if (err)
        check_told(err, &e);
    else
        check_boot(&c);
    return 0;
}

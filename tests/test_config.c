/* test_config.c: every way to set a machine, and every way to get it wrong. */
#include "sim/config.h"
#include "sim/preset.h"
#include "tests/test.h"

#include <string.h>
#include <unistd.h>

START_TEST(defaults_make_sense)
{
    struct config c;
    struct error e = {0};
    config_default(&c);
    if (config_check(&c, &e))
        ck_abort_msg("%s: %s", e.field, e.reason);
    ck_assert_str_eq(c.alloc, "first-fit");
    ck_assert_uint_eq(c.mmu.tlb[TLB_L1D].sets * c.mmu.tlb[TLB_L1D].ways, 64);
}
END_TEST

START_TEST(every_key_takes_back_its_own_value)
{
    struct config a;
    struct config b;
    struct error e;
    struct config_key key;
    config_default(&a);
    config_default(&b);
    size_t i = 0;
    for (; config_key_at(i, &key); i++) {
        char text[64];
        ck_assert_ptr_nonnull(config_get(&a, key.key, text, sizeof(text)));
        ck_assert_int_eq(config_set(&b, key.key, text, &e), ERR_NONE);
        ck_assert_ptr_nonnull(key.doc);
        ck_assert_str_ne(key.section, "");
    }
    ck_assert_uint_gt(i, 30);
    ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

START_TEST(values_are_read)
{
    struct config c;
    struct error e;
    config_default(&c);
    ck_assert_int_eq(config_option(&c, "ram=2G", &e), ERR_NONE);
    ck_assert_uint_eq(c.ram_bytes, 2 * GIB);
    ck_assert_int_eq(config_option(&c, "layout.heap=0x5555_5560_0000", &e), ERR_NONE);
    ck_assert_uint_eq(c.kernel.heap_start, 0x555555600000);
    ck_assert_int_eq(config_option(&c, "tlb.l2.repl=srrip", &e), ERR_NONE);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L2].repl, REPL_SRRIP);
    ck_assert_int_eq(config_option(&c, "tlb.classify=off", &e), ERR_NONE);
    ck_assert(!c.mmu.classify);
    ck_assert_int_eq(config_json(&c,
                                 "{\"tlb\":{\"l1d\":{\"ways\":8}},\"psc.pde\":0,"
                                 "\"alloc\":\"best-fit\",\"front_cache\":false}",
                                 "m.json", &e),
                     ERR_NONE);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L1D].ways, 8);
    ck_assert_uint_eq(c.mmu.psc_entries[2], 0);
    ck_assert_str_eq(c.alloc, "best-fit");
    ck_assert(!c.mmu.front_cache);
}
END_TEST

static const struct {
    const char *option, *message;
} bad_options[] = {
    {"ram", "\"ram\" is not of the form key=value"},
    {"=4", "\"=4\" is not of the form key=value"},
    {"ram=", "ram: \"\" is not bytes, with K, M, G or T"},
    {"ram=-1", "ram: \"-1\" is not bytes, with K, M, G or T"},
    {"ram=1Q", "ram: \"1Q\" is not bytes, with K, M, G or T"},
    {"ram=99999999999999999999", "ram: \"99999999999999999999\" is not bytes, with K, M, G or T"},
    {"ram=20000000T", "ram: \"20000000T\" is not bytes, with K, M, G or T"},
    {"ram=1K", "ram: 1K is outside 4194304 to 1099511627776"},
    {"tlb.l1d.ways=0", "tlb.l1d.ways: 0 is outside 1 to 1024"},
    {"tlb.l1d.ways=4K", "tlb.l1d.ways: \"4K\" is not a number"},
    {"tlb.l1d.way=4", "tlb.l1d.way: no such setting; did you mean \"tlb.l1d.ways\"?"},
    {"tlb.l1d.repl=mru", "tlb.l1d.repl: \"mru\" is not lru, fifo, plru, random, srrip or nru"},
    {"alloc=first_fit", "alloc: no allocator is called \"first_fit\"; did you mean \"first-fit\"?"},
    {"front_cache=maybe", "front_cache: \"maybe\" is not on or off"},
    {"zzzzzzzz=1", "zzzzzzzz: no such setting"},
};

START_TEST(bad_options_are_explained)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_options); i++) {
        struct config c;
        struct config before;
        struct error e;
        char text[640];
        config_default(&c);
        before = c;
        ck_assert_int_ne(config_option(&c, bad_options[i].option, &e), ERR_NONE);
        ck_assert_str_eq(error_text(&e, text, sizeof(text)), bad_options[i].message);
        ck_assert_mem_eq(&c, &before, sizeof(c));
    }
}
END_TEST

static const struct {
    const char *json, *message;
} bad_json[] = {
    {"", "m.json:1: this is not JSON"},
    {"[1]", "m.json:1: a configuration must be a JSON object"},
    {"{\"ram\":\n\n1,}", "m.json:3: this is not JSON"},
    {"{\"ram\":1.5}",
     "m.json: ram: must be a whole number up to 2^53; write larger ones as a text"},
    {"{\"ram\":-4096}",
     "m.json: ram: must be a whole number up to 2^53; write larger ones as a text"},
    {"{\"ram\":null}", "m.json: ram: must be a number, a text or a boolean"},
    {"{\"ram\":[]}", "m.json: ram: must be a number, a text or a boolean"},
    {"{\"tlb\":{\"l1d\":{\"wayz\":1}}}",
     "m.json: tlb.l1d.wayz: no such setting; did you mean \"tlb.l1d.ways\"?"},
};

START_TEST(bad_json_is_explained)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_json); i++) {
        struct config c;
        struct error e;
        char text[640];
        config_default(&c);
        ck_assert_int_ne(config_json(&c, bad_json[i].json, "m.json", &e), ERR_NONE);
        ck_assert_str_eq(error_text(&e, text, sizeof(text)), bad_json[i].message);
    }
}
END_TEST

static const struct {
    const char *option, *field;
} bad_together[] = {
    {"layout.heap=0x555555550000", "layout.heap"},
    {"layout.heap=0x555555600001", "layout.heap"},
    {"layout.mmap_top=0x400000", "layout.mmap_top"},
    {"layout.mmap_top=0x7fffffffe000", "layout.stack_top"},
    {"ram=4195000", "ram"},
    {"kernel.reserved=1G", "kernel.reserved"},
    {"maxphyaddr=36", "ram"},
    {"layout.stack_bytes=16M", "layout.stack_bytes"},
};

START_TEST(settings_that_contradict_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_together); i++) {
        struct config c;
        struct error e;
        config_default(&c);
        ck_assert_int_eq(config_option(&c, bad_together[i].option, &e), ERR_NONE);
        if (strcmp(bad_together[i].option, "maxphyaddr=36") == 0)
            c.ram_bytes = 128 * GIB;
        ck_assert_int_eq(config_check(&c, &e), ERR_VALUE);
        ck_assert_str_eq(e.field, bad_together[i].field);
    }
}
END_TEST

START_TEST(files_may_have_comments)
{
    struct config c;
    struct error e = {0};
    char path[] = "/tmp/memwalk-config-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *out = fdopen(fd, "w");
    fputs("// a small machine\n{ \"ram\": \"16M\", // \"quoted\"\n  \"alloc\": \"bump\" }\n", out);
    fclose(out);
    config_default(&c);
    ck_assert_int_eq(config_file(&c, path, &e), ERR_NONE);
    ck_assert_uint_eq(c.ram_bytes, 16 * MIB);
    ck_assert_str_eq(c.alloc, "bump");
    remove(path);
    ck_assert_int_eq(config_file(&c, path, &e), ERR_IO);
}
END_TEST

/* Each processor is a machine, says the source of its numbers, and sets nothing but itself. */
START_TEST(processors_are_machines)
{
    struct error e;
    char text[600];
    for (size_t i = 0; preset_at(i); i++) {
        const struct preset *p = preset_at(i);
        struct config c;
        config_default(&c);
        ck_assert_int_eq(config_set(&c, "cpu", p->name, &e), ERR_NONE);
        ck_assert_str_eq(c.cpu, p->name);
        ck_assert_msg(!config_check(&c, &e), "%s: %s", p->name, error_text(&e, text, sizeof(text)));
        for (const struct preset_setting *s = p->settings; s->key; s++)
            ck_assert_msg(preset_owns(s->key), "%s sets %s", p->name, s->key);
        ck_assert_ptr_nonnull(p->sources->what);
        ck_assert(preset_find(p->name) == p);
    }
}
END_TEST

START_TEST(a_processor_comes_first_and_later_keys_change_it)
{
    struct config c, zen;
    struct error e;
    config_default(&c);
    config_default(&zen);
    ck_assert_int_eq(config_option(&zen, "cpu=zen2", &e), ERR_NONE);
    /* In one object its place does not matter … */
    const char *json = "{\"tlb\":{\"l1d\":{\"ways\":8}},\"tlb.classify\":false,\"cpu\":\"zen2\"}";
    ck_assert_int_eq(config_json(&c, json, "m.json", &e), ERR_NONE);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L1D].ways, 8);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L2I].sets, zen.mmu.tlb[TLB_L2I].sets);
    ck_assert(!c.mmu.classify);
    /* … but a later one begins anew, and leaves what is not a processor's alone. */
    ck_assert_int_eq(config_option(&c, "cpu=zen2", &e), ERR_NONE);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L1D].ways, 64);
    ck_assert(!c.mmu.classify);
    ck_assert_int_eq(config_option(&c, "cpu=default", &e), ERR_NONE);
    ck_assert_uint_eq(c.mmu.tlb[TLB_L1I].sets, 0);
    ck_assert_int_eq(config_option(&c, "cpu=skylak", &e), ERR_VALUE);
    ck_assert_ptr_nonnull(strstr(e.reason, "did you mean \"skylake\"?"));
}
END_TEST

TEST_MAIN("config", defaults_make_sense, every_key_takes_back_its_own_value, values_are_read,
          bad_options_are_explained, bad_json_is_explained, settings_that_contradict_are_refused,
          files_may_have_comments, processors_are_machines,
          a_processor_comes_first_and_later_keys_change_it)

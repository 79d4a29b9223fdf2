/* test_explain.c: every event is told as a sentence, with its numbers, whatever it holds; sentences
 * state arithmetic only where it holds; the sixteen chapters come in their order. */
#include "sim/explain.h"
#include "tests/test.h"

#include <string.h>

static const char *tell(const struct event *e)
{
    static char text[1024];
    struct explain_context c;
    explain_begin(&c, NULL);
    explain_follow(&c, e);
    return explain_event(&c, e, text, sizeof(text));
}

static void says(const struct event *e, const char *part)
{
    const char *text = tell(e);
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

START_TEST(every_event_is_a_sentence)
{
    static const unsigned char fill[] = {0x00, 0x01, 0xff};
    char text[1024];
    for (uint32_t kind = 0; kind < EV_COUNT; kind++)
        for (size_t v = 0; v < ARRAY_LEN(fill); v++) {
            struct event e = {.kind = kind};
            unsigned char *at = (unsigned char *)&e + offsetof(struct event, op_begin);
            for (size_t i = 0; i < event_info[kind].fields; i++) {
                enum field_kind field = event_info[kind].field[i].kind;
                if (field == FIELD_name || field == FIELD_flag)
                    continue; /* a pointer and a bool cannot hold just any bytes */
                memset(at + 8 * i, fill[v], 8);
            }
            struct explain_context c;
            explain_begin(&c, NULL);
            explain_follow(&c, &e);
            explain_event(&c, &e, text, sizeof(text));
            size_t n = strlen(text);
            ck_assert_msg(n > 5 && text[n - 1] == '.', "%s: \"%s\"", event_info[kind].name, text);
            ck_assert_ptr_null(strchr(text, '\n'));
            ck_assert_uint_lt(explain_chapter(&c, &e), CHAPTERS);
        }
}
END_TEST

START_TEST(an_evicted_page_goes_one_way)
{
    struct event e = {.kind = EV_page_out, .page_out = {.slot = 3, .written = true}};
    ck_assert_ptr_nonnull(strstr(tell(&e), "written to swap slot 3."));
    ck_assert_ptr_null(strstr(tell(&e), "nothing is written"));
    e.page_out.written = false;
    ck_assert_ptr_nonnull(strstr(tell(&e), "nothing is written"));
    e.page_out.slot = UINT32_MAX;
    ck_assert_ptr_null(strstr(tell(&e), "swap slot"));
}
END_TEST

/* The same event in German says the same numbers in the same order, and it is not English. */
START_TEST(german_has_the_same_numbers)
{
    char text[2][1024], digits[2][1024];
    unsigned same = 0;
    for (uint32_t kind = 0; kind < EV_COUNT; kind++) {
        struct event e = {.kind = kind};
        unsigned char *at = (unsigned char *)&e + offsetof(struct event, op_begin);
        for (size_t i = 0; i < event_info[kind].fields; i++)
            if (event_info[kind].field[i].kind != FIELD_name &&
                event_info[kind].field[i].kind != FIELD_flag)
                at[8 * i] = (unsigned char)(3 + 7 * i);
        for (int lang = 0; lang < LANGS; lang++) {
            struct explain_context c;
            explain_begin(&c, NULL);
            c.lang = (enum lang)lang;
            explain_follow(&c, &e);
            ck_assert_int_eq(c.lang, lang);
            explain_event(&c, &e, text[lang], sizeof(text[lang]));
            size_t n = 0;
            for (const char *s = text[lang]; *s; s++)
                if (*s >= '0' && *s <= '9')
                    digits[lang][n++] = *s;
            digits[lang][n] = '\0';
        }
        ck_assert_msg(strcmp(digits[0], digits[1]) == 0, "%s: \"%s\" but \"%s\"",
                      event_info[kind].name, text[0], text[1]);
        same += strcmp(text[0], text[1]) == 0;
    }
    ck_assert_uint_le(same, 1); /* WRPKRU is all digits */
}
END_TEST

START_TEST(short_buffers)
{
    struct event e = {.kind = EV_alloc_size, .alloc_size = {24, 8, 16, 32, 32}};
    struct explain_context c;
    char text[64];
    explain_begin(&c, NULL);
    for (size_t size = 1; size < 60; size++) {
        memset(text, '#', sizeof(text));
        explain_event(&c, &e, text, size);
        ck_assert_ptr_nonnull(memchr(text, '\0', size));
        ck_assert_int_eq(text[size], '#');
    }
}
END_TEST

START_TEST(sizes_as_arithmetic)
{
    struct event e = {.kind = EV_alloc_size, .alloc_size = {25, 8, 16, 32, 48}};
    says(&e, "25 + 8 of header = 33");
    says(&e, "multiple of 16: 48");
    says(&e, "at least 32: 48 bytes");
    e.alloc_size.chunk = 64; /* another rule made it: no wrong arithmetic */
    says(&e, "The chunk for 25 bytes has 64 bytes.");
}
END_TEST

START_TEST(probes_say_why)
{
    struct event e = {.kind = EV_alloc_probe, .alloc_probe = {0x1000, 16, 32, PROBE_TOO_SMALL, 0}};
    says(&e, "16 < 32, too small: not taken");
    e.alloc_probe.size = 32;
    e.alloc_probe.verdict = PROBE_TAKE;
    says(&e, "32 >= 32, large enough: taken");
    e.alloc_probe.verdict = PROBE_WORSE;
    e.alloc_probe.best = 0x2000;
    says(&e, "0x2000 suits better");
}
END_TEST

START_TEST(calls_with_their_arguments)
{
    struct event e = {.kind = EV_sys_enter,
                      .sys_enter = {LX_NR_mmap, 0, 8192, LX_PROT_READ | LX_PROT_WRITE,
                                    LX_MAP_PRIVATE | LX_MAP_ANONYMOUS, UINT64_MAX, 0}};
    says(&e, "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)");
    struct event brk = {.kind = EV_sys_enter, .sys_enter = {.nr = LX_NR_brk, .a0 = 0x5000}};
    says(&brk, "brk(0x5000)");
    struct event failed = {.kind = EV_sys_exit, .sys_exit = {LX_NR_mmap, -LX_ENOMEM}};
    says(&failed, "-12, ENOMEM");
}
END_TEST

START_TEST(error_codes_and_entries)
{
    char text[128];
    ck_assert_str_eq(explain_pf_error(LANG_EN, PF_W | PF_U, text, sizeof(text)),
                     "a write in user mode, and the page is not present");
    ck_assert_str_eq(explain_pf_error(LANG_EN, PF_P | PF_U | PF_I, text, sizeof(text)),
                     "an instruction fetch in user mode, and the page is present but does not "
                     "allow it");
    ck_assert_str_eq(explain_entry(LANG_EN, pte_make(0x12, 0x67), 1, text, sizeof(text)),
                     "frame 0x12, P W U A D");
    ck_assert_str_eq(explain_entry(LANG_EN, pte_make(0x12, 0x27), 2, text, sizeof(text)),
                     "table in frame 0x12, P W U A");
    ck_assert_str_eq(explain_entry(LANG_EN, pte_make(0x12, 0x03) | PTE_XD, 1, text, sizeof(text)),
                     "frame 0x12, P W XD");
    ck_assert_str_eq(explain_entry(LANG_EN, 0, 1, text, sizeof(text)), "0, not present");
    ck_assert_str_eq(explain_prot(LX_PROT_READ | LX_PROT_EXEC, text, sizeof(text)), "r-x");
}
END_TEST

/* ---- a whole lesson ---- */

struct story {
    struct explain_context c;
    struct sim *sim;
    unsigned met; /* chapters 1, 2, 3 … seen, each after the one before */
    unsigned retries, tags;
    int depth;
};

static void hear(void *ctx, const struct event *e)
{
    struct story *s = ctx;
    char text[1024];
    s->c.sim = s->sim;
    explain_follow(&s->c, e);
    explain_event(&s->c, e, text, sizeof(text));
    while (s->met + 1 < CHAPTERS && explain_chapter(&s->c, e) == s->met + 1)
        s->met++;
    s->retries += strncmp(text, "Again:", 6) == 0;
    s->tags += strstr(text, "tags compared") != NULL;
    s->depth = (int)max_u64((uint64_t)s->depth, s->c.depth);
}

START_TEST(sixteen_steps_in_order)
{
    struct story s = {.met = 0};
    struct error e = {0};
    struct trace *trace;
    struct config config;
    ck_assert_int_eq(trace_load(&trace, "traces/lesson-anatomy-of-a-malloc.json", &e), ERR_NONE);
    config_default(&config);
    if (trace->header.config)
        ck_assert_int_eq(config_json(&config, trace->header.config, "t", &e), ERR_NONE);
    struct sim_options options = {
        .config = &config, .trace = trace, .sinks = 1, .sink = {{hear, &s}}};
    ck_assert_int_eq(sim_open(&s.sim, &options, &e), ERR_NONE);
    explain_begin(&s.c, s.sim);
    s.met = 0;
    while (sim_step(s.sim, &e) == 1)
        ;
    ck_assert_uint_eq(s.met, CHAPTERS - 1);
    ck_assert_uint_eq(s.retries, inspect_kernel(s.sim)->faults_minor);
    ck_assert_uint_eq(s.tags, inspect_mmu(s.sim, 0)->tlb[TLB_L1D].misses +
                                  inspect_mmu(s.sim, 0)->tlb[TLB_L2].misses);
    ck_assert_int_ge(s.depth, 1);
    ck_assert_int_le(s.depth, 3);
    sim_close(s.sim);
    trace_free(trace);
}
END_TEST

TEST_MAIN("explain", every_event_is_a_sentence, an_evicted_page_goes_one_way,
          german_has_the_same_numbers, short_buffers, sizes_as_arithmetic, probes_say_why,
          calls_with_their_arguments, error_codes_and_entries, sixteen_steps_in_order)

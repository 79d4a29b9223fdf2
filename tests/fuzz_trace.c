/* fuzz_trace.c: any bytes as a trace: no crash, and what was read is written and read the same.
 *
 * The corpus stands in tests/corpus/trace.
 */
#include "sim/base/check.h"
#include "traces/trace.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_same(const struct op *a, const struct op_extra *xa, const struct op *b,
                       const struct op_extra *xb)
{
    CHECK(a->kind == b->kind && a->flags == b->flags && a->base == b->base);
    CHECK(a->to_base == b->to_base && a->pid == b->pid && a->tid == b->tid && a->id == b->id);
    CHECK(memcmp(a->v, b->v, sizeof(a->v)) == 0 && !a->extra == !b->extra);
    if (!a->extra)
        return;
    CHECK(xa->ret_base == xb->ret_base && xa->ret == xb->ret && xa->faults == xb->faults);
    CHECK(strcmp(xa->name, xb->name) == 0 && !xa->text == !xb->text);
    CHECK(!xa->text || strcmp(xa->text, xb->text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct trace *trace;
    struct error e;
    if (trace_load_memory(&trace, bytes, size, "fuzz", &e)) {
        CHECK(!trace && e.code != ERR_NONE && e.reason[0]);
        return 0;
    }
    for (size_t i = 0; i < trace->count; i++) {
        const struct op *op = &trace->op[i];
        const struct op_extra *extra = &trace->extra[op->extra];
        size_t room = 600 + (extra->text ? strlen(extra->text) : 0);
        char *text = malloc(room);
        struct op back;
        struct op_extra back_extra;
        op_text(op, extra, text, room);
        CHECK(op_parse(text, &back, &back_extra, &e) == ERR_NONE);
        check_same(op, extra, &back, &back_extra);
        free(text);
    }
    trace_free(trace);
    return 0;
}

/* predict.c: two questions: where a translation is found, and whether malloc needs the kernel. The
 * right answers are read from the kinds of the events that follow in the op.
 */
#include "viz/predict.h"

#include <stdio.h>

void predict_toggle(struct view *v)
{
    v->predicting = !v->predicting;
    v->question.choices = 0;
    if (v->predicting)
        snprintf(v->notice, sizeof(v->notice), "%s",
                 words_say(v->lang, "Predict mode: step on, and guess when asked."));
    else
        snprintf(v->notice, sizeof(v->notice), words_say(v->lang, "%u of %u guessed right."),
                 v->guessed, v->asked);
}

/* 1: the first TLB; 2: the second; 3: a walk; 4: a fault. 0: the access has no end here. */
static unsigned found_where(const uint8_t *kind, uint64_t steps, uint64_t from)
{
    unsigned misses = 0;
    for (uint64_t i = from; i < steps; i++) {
        switch (kind[i]) {
        case EV_tlb_hit:
            return misses ? 2 : 1;
        case EV_tlb_miss:
            misses++;
            break;
        case EV_walk_end:
            return 3;
        case EV_fault:
            return 4;
        case EV_data:
        case EV_access:
            return 0;
        default:
            break;
        }
    }
    return 0;
}

/* 1: nothing is asked of the kernel; 2: brk; 3: mmap. 0: the call has no end here. */
static unsigned grown_how(const uint8_t *kind, uint64_t steps, uint64_t from)
{
    bool called = false;
    for (uint64_t i = from; i < steps; i++) {
        switch (kind[i]) {
        case EV_brk_move:
            return 2;
        case EV_sys_enter:
            called = true;
            break;
        case EV_area_new:
            if (called)
                return 3;
            break;
        case EV_alloc_return:
            return 1;
        default:
            break;
        }
    }
    return 0;
}

static struct question question_at(const struct view *v)
{
    struct question q = {0};
    uint8_t kind = v->now.step && v->now.step <= v->steps ? v->kinds[v->now.step - 1] : EV_COUNT;
    if (kind == EV_access) {
        q = (struct question){
            .text = "Where is the translation of this address found?",
            .choice = {"in the first TLB", "in the second TLB", "by a page walk", "page fault"},
            .choices = 4,
            .right = found_where(v->kinds, v->steps, v->now.step)};
    } else if (kind == EV_alloc_request) {
        q = (struct question){.text = "Must malloc ask the kernel for memory?",
                              .choice = {"no", "yes, by brk", "yes, by mmap"},
                              .choices = 3,
                              .right = grown_how(v->kinds, v->steps, v->now.step)};
    }
    if (!q.right)
        q.choices = 0;
    return q;
}

bool predict_ask(struct view *v)
{
    if (!v->predicting || v->grain != GRAIN_STEP)
        return false;
    if (!v->question.choices && !moment_same(v->answered, v->now))
        v->question = question_at(v);
    return v->question.choices > 0;
}

void predict_answer(struct view *v, unsigned answer)
{
    const struct question *q = &v->question;
    if (!q->choices)
        return;
    bool good = answer == q->right;
    v->asked++;
    v->guessed += good;
    v->answered = v->now;
    snprintf(v->verdict, sizeof(v->verdict), words_say(v->lang, "%s %s: %s. %u of %u right."),
             good ? "✓" : "!", words_say(v->lang, good ? "Right" : "No"),
             words_say(v->lang, q->choice[q->right - 1]), v->guessed, v->asked);
    v->question.choices = 0;
}

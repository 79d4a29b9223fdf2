/* recording_write.c: from the calls of one image, with their addresses, to ops with block numbers.
 *
 * The recording is in a valid order of execution, so a table from addresses to the blocks that live
 * there now is all that is needed. A realloc stands in it twice: when it begins, its block leaves
 * the table, because another thread may be given the same address before the realloc has returned.
 */
#include "sim/cli/recording_read.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM       1
#define uthash_nonfatal_oom(el) ((el)->unhashed = true)
#include <uthash.h>

enum {
    THREADS_MAX = 1 << 24, /* over the life of one image; more: the recording is damaged */
    NUMBERS = 65536,       /* threads at one time: op.tid has 16 bits */
};

struct block {
    uint64_t address; /* key */
    uint64_t id;
    uint64_t died; /* ordinal of the call that ended it; 0: live */
    bool unhashed;
    UT_hash_handle hh;
};

struct thread {
    uint64_t last;    /* ordinal of its last call */
    uint64_t old_id;  /* the block of the realloc that it is in; 0: none */
    uint64_t old_ptr; /* where that lay */
    uint16_t number;
    bool started, ends, in_realloc;
};

struct writing {
    struct story story;
    struct trace_writer *out;
    struct block *blocks;
    struct thread *thread; /* by serial number */
    size_t threads;
    bool taken[NUMBERS];
    uint64_t ids;
    uint64_t now; /* ordinal of the present call */
    struct recording_counts *counts;
    struct error *error;
};

static enum err no_memory(struct writing *w)
{
    return error_set(w->error, ERR_MEMORY, NULL, 0, NULL,
                     "no memory for the blocks of the recording");
}

static enum err emit(struct writing *w, const struct op *op, const struct op_extra *extra)
{
    w->counts->ops++;
    return trace_write(w->out, op, extra, w->error);
}

/* ---- threads ---- */

static bool grow_threads(struct writing *w, uint32_t serial)
{
    size_t n = w->threads ? w->threads : 64;
    while (n <= serial)
        n *= 2;
    struct thread *more = realloc(w->thread, n * sizeof(*more));
    if (!more) {
        no_memory(w);
        return false;
    }
    memset(more + w->threads, 0, (n - w->threads) * sizeof(*more));
    w->thread = more;
    w->threads = n;
    return true;
}

/* The record of a thread, made where there is none yet; NULL: an error. */
static struct thread *find_thread(struct writing *w, uint32_t serial)
{
    if (serial >= THREADS_MAX) {
        error_set(w->error, ERR_LIMIT, NULL, 0, NULL, "the recording has too many threads");
        return NULL;
    }
    if (serial >= w->threads && !grow_threads(w, serial))
        return NULL;
    return &w->thread[serial];
}

/* The first thread to call is the main one, number 0; others take the lowest free number. */
static enum err start_thread(struct writing *w, struct thread *thread)
{
    unsigned number = 0;
    while (number < NUMBERS && w->taken[number])
        number++;
    if (number == NUMBERS)
        return error_set(w->error, ERR_LIMIT, NULL, 0, NULL, "more than %d threads at one time",
                         NUMBERS);
    w->taken[number] = true;
    thread->number = (uint16_t)number;
    thread->started = true;
    struct op op = {.kind = OP_thread_start, .tid = thread->number};
    return number ? emit(w, &op, NULL) : ERR_NONE;
}

/* After the last call of a thread that ends: the C library still frees things of a thread after
 * the moment at which the recorder hears of its end. */
static enum err end_thread(struct writing *w, struct thread *thread)
{
    struct op op = {.kind = OP_thread_exit, .tid = thread->number};
    if (thread->number)
        w->taken[thread->number] = false;
    thread->started = false;
    return emit(w, &op, NULL);
}

/* First reading: which threads end, and with which call. */
static enum err find_ends(struct writing *w)
{
    const struct log_entry *entry;
    int more;
    while ((more = story_next(&w->story, &entry, w->error)) > 0) {
        struct thread *thread = find_thread(w, entry->thread);
        if (!thread)
            return w->error->code;
        thread->last = w->story.ordinal;
        thread->ends |= entry->kind == LOG_THREAD_EXIT;
    }
    story_rewind(&w->story);
    return more < 0 ? w->error->code : ERR_NONE;
}

/* ---- blocks ---- */

static struct block *find_block(struct writing *w, uint64_t address)
{
    struct block *block;
    HASH_FIND(hh, w->blocks, &address, sizeof(address), block);
    return block;
}

/* From now on id lives at the address. Whoever lived there must have gone unseen. */
static enum err bind(struct writing *w, uint64_t address, uint64_t id)
{
    enum err err = ERR_NONE;
    struct block *block = find_block(w, address);
    if (block && !block->died) {
        struct op op = {.kind = OP_free, .id = block->id};
        w->counts->vanished++;
        err = emit(w, &op, NULL);
    }
    if (!block) {
        block = calloc(1, sizeof(*block));
        if (!block)
            return no_memory(w);
        block->address = address;
        HASH_ADD(hh, w->blocks, address, sizeof(block->address), block);
        if (block->unhashed) {
            free(block);
            return no_memory(w);
        }
    }
    block->id = id;
    block->died = 0;
    return err;
}

static void drop_blocks(struct writing *w)
{
    struct block *block = w->blocks;
    HASH_CLEAR(hh, w->blocks);
    while (block) {
        struct block *next = block->hh.next;
        free(block);
        block = next;
    }
}

/* ---- calls ---- */

static enum err write_alloc(struct writing *w, struct op *op, const struct log_entry *entry)
{
    op->id = ++w->ids;
    op->v[0] = entry->a;
    op->v[1] = entry->b;
    if (!entry->ptr)
        op->flags |= OP_FAIL;
    enum err err = entry->ptr ? bind(w, entry->ptr, op->id) : ERR_NONE;
    return err ? err : emit(w, op, NULL);
}

/* A block freed twice keeps its number, so that a replay can report it. In a forked child it may
 * only seem so: another thread of the parent was inside free when the fork happened. */
static enum err write_free(struct writing *w, struct op *op, const struct log_entry *entry)
{
    struct block *block = entry->ptr ? find_block(w, entry->ptr) : NULL;
    if (entry->ptr && (!block || (block->died && block->died <= w->story.own))) {
        w->counts->unknown++;
        return ERR_NONE;
    }
    if (block) {
        op->id = block->id;
        w->counts->dead += block->died != 0;
        block->died = w->now;
    }
    return emit(w, op, NULL);
}

static void begin_realloc(struct writing *w, struct thread *thread, uint64_t address)
{
    struct block *block = address ? find_block(w, address) : NULL;
    thread->in_realloc = true;
    thread->old_ptr = address;
    thread->old_id = 0;
    if (!block || block->died) {
        w->counts->dead += block != NULL;
        w->counts->unknown += address && !block;
        return;
    }
    thread->old_id = block->id;
    block->died = w->now;
}

/* A failed realloc leaves the old block where it was. */
static enum err write_realloc(struct writing *w, struct thread *thread, struct op *op,
                              const struct log_entry *entry)
{
    bool array = entry->kind == LOG_REALLOCARRAY;
    bool nothing = !entry->a || (array && !entry->b);
    bool ended = nothing && thread->old_ptr;
    op->id = thread->old_id ? thread->old_id : ++w->ids;
    op->v[0] = entry->a;
    op->v[1] = entry->b;
    uint64_t now_at = entry->ptr;
    if (!entry->ptr && !ended) {
        op->flags |= OP_FAIL;
        now_at = thread->old_id ? thread->old_ptr : 0;
    }
    thread->in_realloc = false;
    enum err err = now_at ? bind(w, now_at, op->id) : ERR_NONE;
    return err ? err : emit(w, op, NULL);
}

static const uint8_t op_of_kind[LOG_KINDS] = {
    [LOG_MALLOC] = OP_malloc,
    [LOG_CALLOC] = OP_calloc,
    [LOG_FREE] = OP_free,
    [LOG_REALLOC] = OP_realloc,
    [LOG_REALLOCARRAY] = OP_reallocarray,
    [LOG_MEMALIGN] = OP_memalign,
    [LOG_POSIX_MEMALIGN] = OP_posix_memalign,
    [LOG_ALIGNED_ALLOC] = OP_aligned_alloc,
    [LOG_VALLOC] = OP_valloc,
    [LOG_PVALLOC] = OP_pvalloc,
    [LOG_MALLOC_TRIM] = OP_malloc_trim,
    [LOG_MALLOPT] = OP_mallopt,
};

static enum err write_call(struct writing *w, struct thread *thread, const struct log_entry *entry)
{
    if (entry->kind >= LOG_KINDS)
        return error_set(w->error, ERR_SYNTAX, NULL, 0, NULL, "the recording is damaged");
    struct op op = {.kind = op_of_kind[entry->kind], .tid = thread->number};
    switch ((enum log_kind)entry->kind) {
    case LOG_FREE:
        return write_free(w, &op, entry);
    case LOG_REALLOC_BEGIN:
        begin_realloc(w, thread, entry->ptr);
        return ERR_NONE;
    case LOG_REALLOC:
    case LOG_REALLOCARRAY:
        return write_realloc(w, thread, &op, entry);
    case LOG_MALLOC_TRIM:
    case LOG_MALLOPT:
        op.v[0] = entry->a;
        op.v[1] = entry->b;
        return emit(w, &op, NULL);
    case LOG_NONE:
    case LOG_THREAD_EXIT:
    case LOG_KINDS:
        return ERR_NONE;
    default:
        return write_alloc(w, &op, entry);
    }
}

/* At a fork the child has the forking thread only. What other threads were reallocating is still
 * there, at one place or another; that nobody can say any more who owns it does not matter. */
static enum err write_fork(struct writing *w)
{
    for (size_t i = 0; i < w->threads; i++) {
        struct thread *thread = &w->thread[i];
        if (!thread->in_realloc || !thread->old_id) /* NOLINT: there are w->threads of them */
            continue;
        enum err err = bind(w, thread->old_ptr, thread->old_id);
        if (err)
            return err;
        thread->in_realloc = false;
    }
    struct op op = {.kind = OP_mark};
    struct op_extra extra = {.text = "fork: the calls so far were the parent's", .name = "fork"};
    return emit(w, &op, &extra);
}

static enum err write_entry(struct writing *w, const struct log_entry *entry)
{
    struct thread *thread = find_thread(w, entry->thread);
    enum err err = ERR_NONE;
    if (!thread)
        return w->error->code;
    w->now = w->story.ordinal;
    if (w->story.own && w->now == w->story.own + 1)
        err = write_fork(w);
    if (!err && !thread->started)
        err = start_thread(w, thread);
    if (!err)
        err = write_call(w, thread, entry);
    if (!err && thread->ends && thread->last == w->now)
        err = end_thread(w, thread);
    return err;
}

static enum err write_all(struct writing *w)
{
    const struct log_entry *entry;
    enum err err = find_ends(w);
    while (!err) {
        int more = story_next(&w->story, &entry, w->error);
        if (more <= 0)
            return more < 0 ? w->error->code : ERR_NONE;
        err = write_entry(w, entry);
    }
    return err;
}

/* "x.json", "x.json.zst": one document; everything else: lines. */
static enum trace_form form_of(const char *path)
{
    size_t n = strlen(path);
    if (n > 3 && !strcmp(path + n - 3, ".gz"))
        n -= 3;
    else if (n > 4 && !strcmp(path + n - 4, ".zst"))
        n -= 4;
    return n > 5 && !strncmp(path + n - 5, ".json", 5) ? TRACE_DOCUMENT : TRACE_LINES;
}

static enum err write_file(struct writing *w, const struct trace_header *header, const char *path)
{
    enum err err = trace_writer_open(&w->out, path, form_of(path), header, w->error);
    if (err)
        return err;
    err = write_all(w);
    enum err closed = trace_writer_close(w->out, !err, err ? NULL : w->error);
    return err ? err : closed;
}

enum err recording_write(const struct recording *r, size_t image, const char *path,
                         const char *note, struct recording_counts *counts, struct error *error)
{
    struct error own = {0};
    struct writing *w = calloc(1, sizeof(*w));
    *counts = (struct recording_counts){0};
    if (!w)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory to convert the recording");
    w->counts = counts;
    w->error = error ? error : &own;
    struct trace_header header = {
        .version = 1,
        .name = r->image[image].name,
        .command = r->image[image].command,
        .doc = (char *)(uintptr_t)note, /* the header's strings are only read by the writer */
    };
    enum err err = story_open(&w->story, r, image, w->error);
    if (!err)
        err = write_file(w, &header, path);
    story_close(&w->story);
    drop_blocks(w);
    free(w->thread);
    free(w);
    return err;
}

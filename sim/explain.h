/* explain.h: one event, told in one sentence; and the sixteen chapters of the story it belongs to.
 *
 * The window and the terminal tell the same story, so they share this. What an event does not carry
 * itself (the tags of a TLB set, the registers behind an error code) is looked up in the machine,
 * which must stand at the moment of the event, as it does inside a sink or after sim_seek.
 */
#ifndef MEMWALK_SIM_EXPLAIN_H
#define MEMWALK_SIM_EXPLAIN_H

#include "sim/inspect.h"
#include "sim/words.h"

/* The steps from malloc to frame, in the order of a lecture. */
enum explain_chapter {
    CHAPTER_NONE,
    CHAPTER_CALL,      /* 1: the program calls malloc */
    CHAPTER_SIZE,      /* 2: the block size is worked out */
    CHAPTER_SEARCH,    /* 3: the heap is searched for a free block */
    CHAPTER_FIT,       /* 4: a fit is found and marked allocated */
    CHAPTER_GROW,      /* 5: no fit: more memory must come from the kernel */
    CHAPTER_BRK,       /* 6: brk moves the program break */
    CHAPTER_MAP,       /* 7: the kernel extends the address space */
    CHAPTER_TLB,       /* 8: the MMU translates, the TLB makes it fast */
    CHAPTER_WALK,      /* 9: page tables map pages to frames */
    CHAPTER_LARGE,     /* 10: a large request: mmap is chosen */
    CHAPTER_RANGE,     /* 11: mmap: a range of virtual addresses is assigned */
    CHAPTER_BACK,      /* 12: the kernel maps pages to frames, on first touch */
    CHAPTER_MMAP_DONE, /* 13: mmap returns the address */
    CHAPTER_BOOKS,     /* 14: malloc keeps its books and aligns the pointer */
    CHAPTER_RETURN,    /* 15: malloc returns the pointer */
    CHAPTER_USE,       /* 16: the program uses the memory */
    CHAPTERS
};
/* "The program calls malloc", …: in English; words_say translates. */
extern const char *const explain_chapter_name[CHAPTERS];

/* What one event needs to know of those before it; a fold, so plain data that may be copied. */
struct explain_context {
    const struct sim *sim; /* NULL: only what the event itself carries is told */
    enum lang lang;        /* of the sentences; explain_begin chooses English */
    /* Kept by explain_follow: */
    uint16_t cpu, pid;
    uint8_t op_kind; /* enum op_kind of the op in progress */
    bool in_malloc;  /* between alloc_request (or alloc_free) and alloc_return */
    bool in_call;    /* inside a system call */
    bool in_fault;   /* inside the page fault handler */
    bool in_access;  /* between an access and its data */
    bool retry;      /* the access is tried again after a fault */
    bool fits;       /* the search found a chunk */
    bool grew;       /* memory was asked of the kernel */
    uint64_t call;   /* system call number */
    unsigned probes; /* free chunks looked at so far */
    va_t va;         /* of the access in progress */
    unsigned depth;  /* how deep inside: for indentation, 0 to 3 */
    enum access how; /* of the access in progress */
};

void explain_begin(struct explain_context *, const struct sim *);
/* Takes one event in. Call it before explain_event with the same event, for every event, from the
 * beginning of an op on (an op_begin starts afresh). */
void explain_follow(struct explain_context *, const struct event *);

/* The event as one sentence (sometimes two) without a newline, cut to fit; returns text. */
char *explain_event(const struct explain_context *, const struct event *, char *text, size_t size);
/* The chapter that the event belongs to, after explain_follow. */
enum explain_chapter explain_chapter(const struct explain_context *, const struct event *);

/* ---- the parts, for whoever shows one thing ---- */

/* "frame 0x1234, P W U A D" of an entry at a level; "0, not present". */
char *explain_entry(enum lang, pte_t entry, unsigned level, char *text, size_t size);
/* "write by user to a page that is not present" of a #PF error code. */
char *explain_pf_error(enum lang, uint64_t error, char *text, size_t size);
/* "rw-" of PROT_ bits. */
char *explain_prot(uint64_t prot, char *text, size_t size);
/* "PT" … "PML5", "PTE" … "PML5E"; "?" for a level that does not exist. */
const char *explain_table_name(unsigned level);
const char *explain_entry_name(unsigned level);

#endif

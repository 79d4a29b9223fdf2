/* recorder.h: the one thing that the hooks need: a place to say what the program did. */
#ifndef MEMWALK_RECORD_RECORDER_H
#define MEMWALK_RECORD_RECORDER_H

#include "traces/record_log.h"

/* Writes one entry. Entries appear in the recording in the order in which these calls return; safe
 * from any thread, after fork and vfork, and before the program's main. Never allocates, never
 * touches errno. Does nothing where the process is not being recorded. */
void recorder_note(enum log_kind, const void *ptr, uint64_t a, uint64_t b);

#endif

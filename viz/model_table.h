/* model_table.h: the growing tables of the model, all in the arena; only model*.c use them.
 *
 * The host having no memory for them is fatal here: an observer has nobody to tell.
 */
#ifndef MEMWALK_VIZ_MODEL_TABLE_H
#define MEMWALK_VIZ_MODEL_TABLE_H

#include "viz/model.h"

/* size bytes of zeroes; stops the program where there is no memory. 0 bytes: NULL. */
void *model_memory(struct model *, size_t size);

/* Finds or makes. */
struct model_process *model_process_make(struct model *, uint16_t pid);
struct model_frame *model_frame_make(struct model *, pfn_t);

void model_area_add(struct model *, struct model_process *, const struct model_area *);
struct model_area *model_area_starting(struct model_process *, va_t start);
void model_area_drop(struct model_process *, va_t start);

void model_block_add(struct model *, const struct model_block *);
void model_block_drop(struct model *, uint16_t pid, va_t start);
void model_free_add(struct model *, const struct model_free *);
void model_free_drop(struct model *, uint16_t pid, va_t start);
/* What process parent holds, process child holds too; what process pid holds is gone. */
void model_heap_fork(struct model *, uint16_t parent, uint16_t child);
void model_heap_drop(struct model *, uint16_t pid);
/* No chunk of pid is free any more. */
void model_free_forget(struct model *, uint16_t pid);

void model_step_add(struct model *, uint8_t kind);

#endif

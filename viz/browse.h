/* browse.h: looking into memory on the person's own way: the address space from 256 TiB to one bit,
 * the page tables entry by entry, the bytes of a frame; and following pointers from one to another.
 */
#ifndef MEMWALK_VIZ_BROWSE_H
#define MEMWALK_VIZ_BROWSE_H

#include "viz/travel.h"

/* Depths of the address space: 0 is all of it; each further one is one of its 512 parts, down to a
 * page; then one of its 512 words, whose parts are 64 bits. */
static inline unsigned browse_depths(const struct model *m)
{
    return m->levels + 2;
}
/* log2 of the bits of a place at this depth. */
unsigned browse_bits(const struct model *, unsigned depth);

/* Bytes of a place at this depth: at least 8. */
uint64_t browse_bytes(const struct model *, unsigned depth);
/* The frame whose bytes the pane that is alone shows; PFN_NONE: none. */
pfn_t browse_frame(const struct view *, const struct model *);

/* The pane was opened: it begins at the selection, where that has a place in it. */
void browse_begin(struct view *, const struct model *, unsigned pane);
/* In (1): nearer, upwards; out (-1). */
void browse_zoom(struct view *, const struct model *, int direction);
void browse_pan(struct view *, const struct model *, int direction);
/* The middle button is held and the mouse has moved. */
void browse_drag(struct view *, const struct model *, int dx, int dy);
/* From the selection to what it points to: an entry's table or page, a word's address, the frame
 * behind a page. false: it points nowhere. */
bool browse_follow(struct view *, struct travel *);
/* Reads the bytes that the panes show from the machine as it is now. */
void browse_read(struct view *, const struct travel *);

#endif

/* thing.h: what the things of a picture have to do with each other, and what they say of
 * themselves.
 *
 * A selection goes through all layers: from a byte down to its chunk, area, entries, TLB line and
 * frame, and from a frame up again. It is resolved once per picture.
 */
#ifndef MEMWALK_VIZ_THING_H
#define MEMWALK_VIZ_THING_H

#include "viz/model.h"
#include "viz/view.h"

struct links {
    struct thing thing; /* what was selected */
    bool ranged;        /* it has virtual addresses */
    va_t start, end;
    bool framed; /* and a frame */
    pfn_t pfn;
    pa_t entry[LEVELS_MAX + 1]; /* entries on the way, by level; 0: none */
};

/* pid and root: whose addresses are meant. */
void thing_links(struct links *, const struct model *, const struct model_cpu *, struct thing);
bool thing_linked(const struct links *, const struct model *, const struct model_cpu *,
                  struct thing);
/* Can a person select it? Buttons, panes and the like cannot be. */
bool thing_selectable(struct thing);
/* A line of text about the thing: hex and decimal, owner, what it holds. */
void thing_tell(const struct model *, const struct model_cpu *, const struct view *, struct thing,
                char *text, size_t size);

#endif

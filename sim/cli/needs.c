/* needs.c: how much memory a program needs, as two tables: what it used lately, and what each size
 * of memory would have cost it.
 */
#include "sim/cli/needs.h"

#include <inttypes.h>

#define RARE 1000u /* faults beyond the first touches: at most one in so many references */

/* Sizes of memory that are shown: 1, 2, 4 … and at last all pages; 0 beyond. */
static uint64_t size_at(const struct workset *w, unsigned i)
{
    uint64_t pages = workset_pages(w), size = (uint64_t)1 << i;
    if (size < pages)
        return size;
    return pages && (i == 0 || size / 2 < pages) ? pages : 0;
}

void needs_print(const struct workset *w)
{
    char a[40], b[40];
    struct workset_window window;
    printf("\nWorking set\n  %s references to %s pages; an access to the page of the access before "
           "is none\n\n",
           cli_grouped(workset_references(w), a), cli_grouped(workset_pages(w), b));
    printf("  last references        pages, mean           most\n");
    for (size_t i = 0; workset_window(w, i, &window); i++) {
        printf("  %15s  %18.1f  %13s\n", cli_grouped(window.references, a), window.mean,
               cli_grouped(window.most, b));
        if (window.references >= workset_references(w))
            break;
    }
    printf("\n  frames, under LRU           faults  per reference\n");
    for (unsigned i = 0; size_at(w, i); i++) {
        uint64_t faults = workset_lru_faults(w, size_at(w, i));
        printf("  %17s  %15s  %11.2f %%\n", cli_grouped(size_at(w, i), a), cli_grouped(faults, b),
               100 * (double)faults / (double)workset_references(w));
    }
    if (workset_references(w))
        printf("\n  With %s frames at most one in %u references faults beyond the first touches.\n",
               cli_grouped(workset_frames_for(w, RARE), a), RARE);
}

void needs_json(const struct workset *w, cJSON *root)
{
    struct workset_window window;
    cJSON *object = cJSON_AddObjectToObject(root, "working_set");
    cli_json_number(object, "references", workset_references(w));
    cli_json_number(object, "pages", workset_pages(w));
    cJSON *windows = cJSON_AddArrayToObject(object, "windows");
    for (size_t i = 0; workset_window(w, i, &window); i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(windows, item);
        cli_json_number(item, "references", window.references);
        cJSON_AddNumberToObject(item, "mean", window.mean);
        cli_json_number(item, "most", window.most);
    }
    cJSON *sizes = cJSON_AddArrayToObject(object, "lru");
    for (unsigned i = 0; size_at(w, i); i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(sizes, item);
        cli_json_number(item, "frames", size_at(w, i));
        cli_json_number(item, "faults", workset_lru_faults(w, size_at(w, i)));
    }
    if (workset_references(w))
        cli_json_number(object, "frames_for_one_in_1000", workset_frames_for(w, RARE));
}

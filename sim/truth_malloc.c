/* truth_malloc.c: traces of the malloc family, replayed and told in the words of the native replay.
 */
#include "sim/truth.h"

enum err truth_malloc(const struct trace *trace, const struct truth_options *o, struct truth *t,
                      struct error *e)
{
    (void)o;
    (void)t;
    return error_set(e, ERR_VALUE, trace->path, 0, NULL,
                     "a trace of malloc: this kind of trace is not understood yet");
}

/* truth_vm.c: sequences of memory calls, replayed and told in the words of the native replay. */
#include "sim/truth.h"

enum err truth_vm(const struct trace *trace, const struct truth_options *o, struct truth *t,
                  struct error *e)
{
    (void)o;
    (void)t;
    return error_set(e, ERR_VALUE, trace->path, 0, NULL,
                     "a sequence of memory calls: this kind of trace is not understood yet");
}

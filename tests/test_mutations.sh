#!/bin/bash
# test_mutations.sh: every fault of the lists in tests/mutations can still be put into the sources.
# Whether a test notices it is for 'make mutants', which takes long.
exec tests/mutations/run --check

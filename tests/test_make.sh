#!/bin/bash
# test_make.sh: an object is built again when, and only when, its source, a header of it or a flag
# changes; modes share nothing; the user's flags are added to ours; help knows the targets.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS

result() { # name, status
    if [ "$2" -eq 0 ]; then echo "ok $1"; else echo "not ok $1"; fi
}

# Builds one object and says whether it was compiled. The sources are this tree's, the objects not.
object=sim/base/err.o
compiles() {
    make B="$tmp/b" "$@" "$tmp/b/$object" 2>&1 | grep -q '  CC '
}

compiles
result first_time_compiles $?
! compiles
result second_time_does_not $?
compiles CFLAGS=-DSOMETHING
result changed_flag_compiles $?
! compiles CFLAGS=-DSOMETHING
result same_flag_does_not $?
compiles CFLAGS=-DSOMETHING -W sim/base/err.h
result changed_header_compiles $?
compiles CFLAGS=
result flag_taken_away_compiles $?

make B="$tmp/b" CFLAGS=-Wno-cpp "$tmp/b/$object" > /dev/null 2>&1
grep -qe '-Wconversion.*-Wno-cpp' "$tmp/b/flags.core"
result users_flags_are_added $?

for mode in release debug asan paranoid cover; do
    make -n MODE=$mode build/$mode/libmemwalk.a 2>&1 | grep -oE 'build/[a-z]+/' | sort -u
done > "$tmp/folders"
[ "$(sort "$tmp/folders" | uniq -d)" = "" ]
result modes_share_nothing $?

! make MODE=nonsense -n > "$tmp/log" 2>&1 && grep -q 'choose one of release' "$tmp/log"
result unknown_mode_is_refused $?

make help > "$tmp/help"
missing=0
for target in all deps demo check asan paranoid install uninstall bench model-check fuzz format format-check \
    layers lint cover notes clean help; do
    grep -qE "^  $target +[a-z]" "$tmp/help" || { echo "help lacks $target"; missing=1; }
done
result help_names_every_target $missing

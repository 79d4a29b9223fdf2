#!/bin/bash
# test_record.sh: recorded programs behave as they do alone, and their traces are true and replay.
# shellcheck disable=SC2016,SC2181  # single quotes on purpose; the status is looked at more than once
set -u
build=$(realpath "${MEMWALK_BUILD:-build/release}")
memwalk=$build/memwalk
here=$PWD/tests/record
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset LD_PRELOAD MEMWALK_RECORD MEMWALK_RECORDER
export LC_ALL=C PYTHONHASHSEED=0 PERL_HASH_SEED=0

if [ ! -x "$memwalk" ]; then
    echo "skip record the command is not built"
    exit 0
fi
cd "$tmp" || exit 1
for program in known threads process; do
    cc -std=c11 -O0 -fno-builtin -Wall -Wextra -Wno-use-after-free -o $program "$here/$program.c" -lpthread || exit 1
done
printf 'int add(int a, int b)\n{\n    return a + b;\n}\n' > small.c

say() { # NAME: the last command's success is the verdict
    if [ $? = 0 ]; then echo "ok $1"; else echo "not ok $1"; fi
}

# Every trace with that stem is valid and replays; prints what is not.
valid() {
    local files=("$1".jsonl* "$1".[0-9]*.jsonl*) bad=0 file
    for file in "${files[@]}"; do
        [ -f "$file" ] || continue
        python3 "$here/check.py" "$file" || bad=1
        "$memwalk" trace check "$file" > check.out 2>&1 || { cat check.out; bad=1; }
        "$memwalk" run "$file" > run.out 2>&1 || { tail -n 5 run.out; bad=1; }
    done
    return $bad
}

# same NAME COMMAND…: output, errors and exit status as without the recorder, and valid traces.
same() {
    local name=$1 alone recorded
    shift
    "$@" < small.c > alone.out 2> alone.err
    alone=$?
    "$memwalk" record -q -o "$name.jsonl.zst" -- "$@" < small.c > recorded.out 2> recorded.err
    recorded=$?
    cmp alone.out recorded.out && cmp alone.err recorded.err && [ $alone = $recorded ]
    say "same_$name"
    valid "$name"
    say "valid_$name"
}

# maybe NAME PROGRAM ARGUMENT…: same, where the program is installed.
maybe() {
    if [ -x "$2" ]; then same "$@"; else echo "skip $1 $2 is not installed"; fi
}

same ls ls -la "$here"
same cat cat - /nonexistent
same fds sh -c 'ls /proc/self/fd'
same shell sh -c '(ls / | sort -r) && exit 7'
maybe python /usr/bin/python3 -c 'import json; print(json.dumps([{str(i): i} for i in range(3000)]))'
maybe perl /usr/bin/perl -e 'my %h = map { $_ => "x" x $_ } 1 .. 500; print join(",", sort keys %h), "\n"'
maybe sqlite /usr/bin/sqlite3 :memory: \
    'create table t(a, b); insert into t values(1, randomblob(99)); select a, length(b) from t;'
maybe file /usr/bin/file small.c
same threads ./threads
same memory_limit sh -c 'ulimit -v 300000; ./process many'
same forks ./process fork
same vforks ./process vfork
same status ./process many
same threads_fork ./process threads-fork

# ---- gcc: the driver and every program that it starts ----
# Not a compiler cache that stands before it in PATH: that one starts nothing when it knows the answer.
PATH=$(printf '%s' "$PATH" | sed 's|[^:]*/ccache:||g')
if command -v gcc > gcc.out; then
    gcc -c small.c -o alone.o
    "$memwalk" record -q -o gcc.jsonl.zst -- gcc -c small.c -o recorded.o
    cmp alone.o recorded.o && [ -f gcc.jsonl.zst ] && [ -f gcc.1.jsonl.zst ] && [ -f gcc.2.jsonl.zst ]
    say gcc_every_child
    for file in gcc gcc.1 gcc.2; do zstd -dcq $file.jsonl.zst | head -n 1; done > gcc.heads
    grep -q '"gcc -c' gcc.heads && grep -q 'cc1 ' gcc.heads && grep -q '"as ' gcc.heads
    say gcc_heads_name_the_commands
    valid gcc
    say gcc_valid
else
    echo "skip gcc it is not installed"
fi

# ---- what is recorded ----
"$memwalk" record -q -o known.jsonl -- ./known && python3 "$here/check.py" --ops known.jsonl > known.ops
diff "$here/known.txt" known.ops
say known_calls_exactly

ops() { python3 "$here/check.py" --count "$@"; }
"$memwalk" record -q -o fork.jsonl -- ./process fork
[ "$(ops fork.jsonl malloc 3000) $(ops fork.jsonl malloc 2000)" = "1 0" ]
say fork_parent
[ "$(ops fork.1.jsonl malloc 1000) $(ops fork.1.jsonl malloc 2001)" = "1 1" ] &&
    [ "$(ops fork.1.jsonl malloc 3000) $(ops fork.1.jsonl malloc 4000)" = "0 0" ]
say fork_child
[ "$(ops fork.2.jsonl malloc 2000) $(ops fork.2.jsonl malloc 4000)" = "1 1" ] &&
    [ "$(ops fork.2.jsonl malloc 2001)" = 0 ]
say fork_grandchild_by_bare_system_call
"$memwalk" record -q --main-only -o only.jsonl -- ./process fork && [ -f only.jsonl ] && [ ! -f only.1.jsonl ]
say main_only
[ -f vforks.1.jsonl.zst ] && [ -f vforks.2.jsonl.zst ] && zstd -dcq vforks.2.jsonl.zst | head -n 1 | grep -q '"ls /"'
say vfork_and_spawn_then_exec

# One arena and no caches of threads: an address freed by one thread is at once another's.
for i in 1 2 3 4 5; do
    GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1 \
        "$memwalk" record -o "shared$i.jsonl" -- ./threads
done > shared.out 2> shared.err
[ "$(grep -c ' ops of ' shared.err)" = 5 ] && ! grep -v ' ops of ' shared.err &&
    python3 "$here/check.py" shared[1-5].jsonl
say addresses_pass_between_threads

# ---- programs that come to harm ----
"$memwalk" record -q -o close.jsonl -- ./process close
[ $? = 0 ] && [ "$(cat closed.out)" = mine ] && [ "$(ops close.jsonl malloc 100)" = 100000 ]
say every_descriptor_closed

"$memwalk" record -q -o crash.jsonl -- ./process crash 2> shell.err
[ $? = 139 ] && [ "$(ops crash.jsonl malloc 12345)" = 1 ] && valid crash
say crash_keeps_the_last_call

"$memwalk" record -q -o double.jsonl -- ./process double-free 2> double.err
[ $? = 134 ] && grep -q 'double free' double.err && [ "$(grep -c '"free"' double.jsonl)" = 2 ]
say double_free_is_kept

mkfifo fifo
killed() { # SIGNAL WHOM STATUS
    "$memwalk" record -q -o "kill$1.jsonl" -- ./process wait > fifo 2> kill.err &
    local recorder=$! whom pid
    read -r _ pid < fifo
    if [ "$2" = program ]; then whom=$pid; else whom=$recorder; fi
    kill "-$1" "$whom"
    wait $recorder 2> wait.err
    [ $? = "$3" ] && tail -n 3 "kill$1.jsonl" | grep -q 54321 && valid "kill$1"
}
# The program prints a line with its own printf buffer, so 54321 is not quite the last call.
killed 9 program 137
say kill_9
killed TERM memwalk 143
say signal_passed_on

"$memwalk" record -q --dir . -o dir.jsonl -- ./process crash 2> shell.err
[ $? = 139 ] && cmp <(tail -n +2 dir.jsonl) <(tail -n +2 crash.jsonl)
say raw_recording_on_the_disk

"$memwalk" record -q -o full.jsonl --limit 1 -- ./process many > full.out 2> full.err
[ $? = 2 ] && [ "$(cat full.out)" = "all done" ] && grep -q 'ran out of room' full.err && valid full
say limit_is_said

small_disk='mount -t tmpfs -o size=700k none disk && exec "$@"'
mkdir disk
if unshare -rm sh -c "$small_disk" sh true 2> unshare.err; then
    unshare -rm sh -c "$small_disk" sh "$memwalk" record -q --dir disk -o small.jsonl -- ./process many > full.out 2> full.err
    [ $? = 2 ] && [ "$(cat full.out)" = "all done" ] && grep -q 'ran out of room' full.err && valid small
    say full_disk_spares_the_program
    small_disk='mount -t tmpfs -o size=700k none disk && "$@"; status=$?; ls -A disk; exit $status'
    unshare -rm sh -c "$small_disk" sh "$memwalk" record -q -o disk/x.jsonl -- ./process many > full.out 2> full.err
    [ $? = 2 ] && [ "$(cat full.out)" = "all done" ] && [ -s full.err ]
    say full_output_disk_is_said
else
    echo "skip full_disk no mount namespaces here"
fi

# ---- refused before anything runs ----
refused() { # NAME STATUS MESSAGE ARGUMENT…
    local name=$1 status=$2 message=$3
    shift 3
    "$memwalk" record "$@" > refused.out 2> refused.err
    if [ $? = "$status" ] && grep -qF -- "$message" refused.err && [ ! -s refused.out ] && [ ! -e ran ]; then
        echo "ok $name"
    else
        cat refused.err
        echo "not ok $name"
    fi
    rm -f ran
}
refused missing_program 127 'no such program' -- no-such-program
refused missing_path 127 'no such program' -- ./no-such-program
refused not_executable 126 'cannot be executed' -- ./small.c
refused no_program 2 'no program to record' -o x.jsonl
refused unknown_option 2 'unrecognized option' --wrong -- touch ran
refused no_raw_directory 2 'no file for the recording' --dir none -- touch ran
refused bad_limit 2 'not a number of mebibytes' --limit 1x -- touch ran
refused standard_output 2 'belongs to the program' -o - -- touch ran
refused no_directory 2 'cannot be written' -o none/x.jsonl -- touch ran
refused output_is_directory 2 'is a directory' -o . -- touch ran
MEMWALK_RECORDER=/nonexistent.so refused no_recorder 2 'the recorder is not there' -- touch ran
if cc -static -o static "$here/known.c" 2> static.err; then
    refused static_program 2 'statically linked' -- ./static
else
    echo "skip static_program no static C library"
fi
cp known setuid
if chown 65534 setuid 2> chown.err && chmod u+s setuid; then
    refused setuid_program 2 'set-user-ID' -- ./setuid
else
    echo "skip setuid_program needs root"
fi

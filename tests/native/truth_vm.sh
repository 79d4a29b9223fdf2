#!/bin/bash
# truth_vm.sh: random sequences of memory calls on the Linux that runs here and on the simulator, and
# what differs.
#
# usage: truth_vm.sh BUILD N [FIRST]   BUILD: the folder of memwalk and libmemwalk.a
#
# What it needs, or says loudly that it cannot be done: Linux 6.18 on x86-64, huge pages for those who
# ask (madvise), overcommit mode 0, no swap, ptrace. A difference counts only if Linux does the same
# a second time; sequences on which it contradicts itself are counted apart.
set -u
build=$1
count=$2
first=${3:-1}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
    echo "SKIP: truth-vm: $*"
    exit 0
}

[[ $(uname -sm) == "Linux x86_64" && $(uname -r) == 6.18* ]] ||
    skip "this is $(uname -srm), not Linux 6.18 on x86_64"
grep -q '\[madvise\]' /sys/kernel/mm/transparent_hugepage/enabled || skip "transparent huge pages are not on madvise"
grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/shmem_enabled || skip "shared memory may get huge pages"
[[ $(cat /proc/sys/vm/overcommit_memory) == 0 ]] || skip "vm.overcommit_memory is not 0"
grep -Eq '^SwapTotal: +0 kB' /proc/meminfo || skip "there is swap"
ram=$(($(awk '/^MemTotal:/ {print $2}' /proc/meminfo) * 1024))

cc=${CC:-cc}
$cc -std=c11 -O1 -static -nostdlib -no-pie -Wl,-Ttext-segment=0x555555554000 -Wl,--build-id=none \
    -Wl,-z,noexecstack -o "$work/stub" "$here/vm_stub.c" &&
    $cc -std=c11 -O1 -o "$work/replay" "$here/vm_replay.c" &&
    $cc -std=c11 -O1 -D_GNU_SOURCE -I"$here/../.." -o "$work/generate" "$here/vm_generate.c" \
        "$build/libmemwalk.a" -lcjson -lz -lzstd -lm || exit 2
mkdir "$work/sequences" "$work/linux"
"$work/generate" "$work/sequences" "$first" "$count" || exit 2

# replay TRACE PREFIX: on Linux
replay() {
    timeout 300 "$work/replay" "$work/stub" "$1" "$2" 2> "$work/why"
    status=$?
    ((status == 0)) && return 0
    ((status == 3)) && grep -q ptrace "$work/why" && skip "$(cat "$work/why")"
    echo "FAIL: $(basename "$1"): status $status (124: not done in 300 s): $(cat "$work/why")"
    return 1
}

equal=0 differ=0 unsteady=0 failed=0 ops=0
for trace in "$work"/sequences/*.jsonl; do
    name=$(basename "$trace" .jsonl)
    ops=$((ops + $(wc -l < "$trace")))
    replay "$trace" "$work/linux/$name" || { failed=$((failed + 1)) && continue; }
    if timeout 300 "$build/memwalk" truth "$trace" --ram "$ram" --against "$work/linux/$name" > "$work/said" 2>&1; then
        equal=$((equal + 1))
        continue
    fi
    replay "$trace" "$work/again" || { failed=$((failed + 1)) && continue; }
    same=true
    for text in out maps pages json; do
        cmp -s "$work/again.$text" "$work/linux/$name.$text" || same=false
    done
    if $same; then
        differ=$((differ + 1))
        echo "== $name differs (vm_generate FOLDER ${name##*-} 1 makes it again)"
        head -n 40 "$work/said"
    else
        unsteady=$((unsteady + 1))
    fi
done
echo "truth-vm: $((equal + differ + unsteady + failed)) sequences ($first to $((first + count - 1))) of $ops ops on Linux" \
    "$(uname -r): $equal equal, $differ differ, $unsteady on which Linux contradicts itself, $failed not replayed"
((differ == 0 && failed == 0))

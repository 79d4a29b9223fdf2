#!/bin/bash
# test_cli.sh: every command as a person meets it: exit statuses, widths, JSON, messages, pipes.
set -u
build=$(cd "${MEMWALK_BUILD:-build/release}" && pwd)
memwalk=$build/memwalk
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
lesson=traces/lesson-anatomy-of-a-malloc.json

verdict() { # name, 0 for good
    if [ "$2" -eq 0 ]; then
        echo "ok $1"
    else
        cat "$tmp/out" "$tmp/err"
        echo "not ok $1"
    fi
}

# name, status wanted, what standard error must say ("" for silence), then the command
expect() {
    local name=$1 status=$2 say=$3 got good=0
    shift 3
    "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null
    got=$?
    [ $got -eq "$status" ] || { echo "exit status $got" >> "$tmp/err"; good=1; }
    if [ -n "$say" ]; then
        grep -qF -e "$say" "$tmp/err" || good=1
    elif [ -s "$tmp/err" ]; then
        good=1
    fi
    verdict "$name" $good
}

fits() { # no line of the output has more than 100 characters
    awk 'length > 100 { bad = 1; print "too wide: " $0 > "/dev/stderr" } END { exit bad }' "$tmp/out" \
        2>> "$tmp/err"
    verdict "$1 fits in 100 columns" $?
}

json() { # the output is one JSON value and the expression holds for it
    python3 -c "import json, sys; v = json.load(open(sys.argv[1])); assert $2" "$tmp/out" \
        2>> "$tmp/err"
    verdict "$1 is JSON with $2" $?
}

# ---- looking: text and JSON, at the end, after an op, inside an op ----

for command in run explain maps heap tlb tables frames; do
    moment=()
    [ $command = run ] || moment=(--op 4)
    expect "$command" 0 "" "$memwalk" $command $lesson "${moment[@]}"
    fits $command
    [ -s "$tmp/out" ]
    verdict "$command says something" $?
    expect "$command at the end" 0 "" "$memwalk" $command $lesson
    fits "$command at the end"
    expect "$command --json" 0 "" "$memwalk" $command --json $lesson "${moment[@]}"
    json $command "isinstance(v, dict) and v"
done
for command in maps heap tlb tables frames; do
    expect "$command inside an op" 0 "" "$memwalk" $command $lesson --op 2 --step 20
    expect "$command before the first op" 0 "" "$memwalk" $command $lesson --op 0
    expect "$command --all" 0 "" "$memwalk" $command $lesson --all
done
expect walk 0 "" "$memwalk" walk --op 4 $lesson 0x55555555a010
fits walk
grep -q 'PTE' "$tmp/out"
verdict "walk shows the PTE" $?
expect "walk --json" 0 "" "$memwalk" walk --json --op 4 $lesson 0x55555555a010
json walk 'len(v["entries"]) == 4 and v["entries"][0]["level"] == 4'
expect "walk of a page without a frame" 0 "" "$memwalk" walk --access w $lesson 0x400000
grep -q 'error code 0x6' "$tmp/out"
verdict "walk tells the error code" $?
expect "walk of an address that is not canonical" 0 "" "$memwalk" walk $lesson 0x8000000000000000
expect "walk of no address" 2 "ADDRESS" "$memwalk" walk $lesson
expect "walk of a bad address" 2 "zebra" "$memwalk" walk $lesson zebra

# ---- the report ----

expect "run --json" 0 "" "$memwalk" run --json $lesson
json "run" 'v["tlb"]["l1d"]["misses"] == v["tlb"]["l2"]["lookups"] > 0'
json "run" 'all(k in v for k in ("walks", "walk_reads", "cycles", "seconds"))'
json "run" 'v["faults"]["minor"] > 0 and v["faults"]["major"] == 0'
expect "run --compare" 0 "" "$memwalk" run --compare first-fit,best-fit,tlb.l1d.ways=2 $lesson
fits "run --compare"
expect "run --compare of equals" 0 "" \
    "$memwalk" run --compare first-fit,best-fit,bump traces/lesson-fragmentation.json
[ "$(grep '^held at the peak' "$tmp/out" | tr -cd '*' | wc -c)" -eq 2 ]
verdict "all that are best are marked, the others not" $?
expect "run --compare --json" 0 "" "$memwalk" run --json --compare first-fit,best-fit $lesson
json "run --compare" 'len(v["runs"]) == 2'
expect "run --compare of nothing known" 2 'did you mean "best-fit"' \
    "$memwalk" run --compare first-fit,bestfit $lesson
expect "run from a pipe" 0 "" bash -c "zstd -dc traces/ls.jsonl.zst | '$memwalk' run -"
expect "run --check" 0 "" "$memwalk" run --check $lesson
for form in svg png; do
    expect "run --plot .$form" 0 "" "$memwalk" run --plot "$tmp/plot.$form" traces/ls.jsonl.zst
    [ "$(wc -c < "$tmp/plot.$form")" -gt 2000 ]
    verdict "the .$form picture has something in it" $?
done
expect "run --plot elsewhere" 2 "plot.bmp" "$memwalk" run --plot "$tmp/plot.bmp" $lesson

printf '%s\n' '{"memwalk":1,"name":"t","expect":{"faults.minor":77,"walks":">= 1",' \
    '"tlb":{"l1d":{"misses":1}}},"ops":[' \
    '"p1 = malloc(10)",' '"write p1[0..10] -> 10",' '"read p1[0..10] -> 9"]}' > "$tmp/t.json"
expect "expectations that fail" 1 "$tmp/t.json" "$memwalk" run "$tmp/t.json"
grep -qF "$tmp/t.json:1: expect: faults.minor" "$tmp/err" &&
    grep -qF "$tmp/t.json:2: expect: tlb.l1d.misses" "$tmp/err" &&
    grep -qF "$tmp/t.json:5" "$tmp/err" && ! grep -q walks "$tmp/err"
verdict "they are named with file and line, the others are not" $?
expect "misuse is told with both ops" 0 "freed by op 10" "$memwalk" run traces/lesson-misuse.json

# ---- the log ----

expect "run --log" 0 "" "$memwalk" run --log "$tmp/log.jsonl" $lesson
python3 - "$tmp/log.jsonl" 2> "$tmp/err" << 'END'
import json, sys
import jsonschema
schema = json.load(open("docs/events.schema.json"))
events = {e["properties"]["event"]["const"]: e for e in schema["oneOf"]}
lines = [json.loads(line) for line in open(sys.argv[1])]
assert len(lines) > 500
for line in lines:
    one = dict(events[line["event"]], **{"$defs": schema["$defs"]})
    jsonschema.Draft202012Validator(one).validate(line)
moments = [tuple(line["moment"]) for line in lines]
assert moments == sorted(set(moments)), "each moment once, in order"
END
verdict "every line of the log is as the schema says, in order" $?
for end in gz zst; do
    expect "run --log .$end" 0 "" "$memwalk" run --log "$tmp/log.jsonl.$end" $lesson
done
gzip -dc "$tmp/log.jsonl.gz" | cmp - "$tmp/log.jsonl" > "$tmp/err" 2>&1 &&
    zstd -dc "$tmp/log.jsonl.zst" | cmp - "$tmp/log.jsonl" >> "$tmp/err" 2>&1
verdict "packed logs hold the same" $?
expect "run --log --events" 0 "" "$memwalk" run --log "$tmp/some" --events fault,tlb_miss $lesson
[ "$(grep -cvE '"event":"(fault(_[a-z]+)?|tlb_miss)"' "$tmp/some")" -eq 0 ] && [ -s "$tmp/some" ]
verdict "only those events are logged" $?
expect "run --events of an unknown one" 2 'tlb_mis' \
    "$memwalk" run --log "$tmp/some" --events tlb_mis $lesson
expect "run --log to a full disk" 2 "/dev/full" "$memwalk" run --log /dev/full $lesson

# ---- lists and their pages ----

expect "config --json" 0 "" "$memwalk" config --json -o tlb.l1d.ways=8
json config '{k["key"]: k for k in v["keys"]}["tlb.l1d.ways"]["value"] == "8"'
expect config 0 "" "$memwalk" config
fits config
expect "config of a key that is not there" 2 'did you mean "tlb.l1d.ways"' \
    "$memwalk" config tlb.l1d.way
expect events 0 "" "$memwalk" events
fits events
expect "events --json" 0 "" "$memwalk" events --json
json events 'len(v["events"]) > 50'
expect "events --markdown" 0 "" "$memwalk" events --markdown
cmp "$tmp/out" docs/events.md 2>> "$tmp/err"
verdict "docs/events.md is up to date" $?
expect "events --schema" 0 "" "$memwalk" events --schema
cmp "$tmp/out" docs/events.schema.json 2>> "$tmp/err"
verdict "docs/events.schema.json is up to date" $?
expect version 0 "" "$memwalk" version
expect --version 0 "" "$memwalk" --version
expect help 0 "" "$memwalk" help
fits help

# ---- streams of accesses ----

python3 - "$tmp" << 'END'
import struct, sys
addresses = [0x10000 + 64 * i for i in range(4096)]
with open(sys.argv[1] + "/a.u64", "wb") as f:
    f.write(struct.pack("<4096Q", *addresses))
with open(sys.argv[1] + "/cut.u64", "wb") as f:
    f.write(struct.pack("<2Q", *addresses[:2]) + b"abc")
with open(sys.argv[1] + "/a.txt", "w") as f:
    f.write("==123== Lackey, an example Valgrind tool\n")
    f.writelines(f" L {a:08x},8\n" for a in addresses)
    f.write("I  00020000,3\n S 00020ffc,8\n M 00021000,4\n")
with open(sys.argv[1] + "/bad.txt", "w") as f:
    f.write(" L 00010000,4\n L zebra,4\n")
with open(sys.argv[1] + "/hole.u64", "wb") as f:
    f.write(struct.pack("<3Q", 0x10000, 0x20000, 1 << 63))
END
expect "access .u64" 0 "" "$memwalk" access --json "$tmp/a.u64"
# Each of the 64 pages misses and faults once, and is tried again.
json "access .u64" 'v["accesses"] == v["loads"] == 4096 and v["faults"]["minor"] == 64'
json "access .u64" 'v["tlb"]["l1d"]["misses"] == v["walks"] == 64'
expect "access lackey" 0 "" "$memwalk" access --json "$tmp/a.txt"
# The store crosses a page border, so it counts twice;
# the M is a load and a store.
json "access lackey" 'v["fetches"] == 1 and v["loads"] == 4097 and v["stores"] == 3'
expect "access from a pipe" 0 "" bash -c "cat '$tmp/a.u64' | '$memwalk' access --form=u64 -"
fits "access from a pipe"
expect "access of a cut stream" 2 "cut.u64" "$memwalk" access "$tmp/cut.u64"
expect "access of a bad line" 2 "bad.txt:2" "$memwalk" access "$tmp/bad.txt"
expect "access of an impossible address" 2 "0x8000000000000000" "$memwalk" access "$tmp/hole.u64"
expect "access of nothing" 2 "nothere" "$memwalk" access "$tmp/nothere.u64"

# ---- mistakes ----

expect "no command" 2 "Usage" "$memwalk"
expect "unknown command" 2 'did you mean "explain"' "$memwalk" explian
expect "unknown option" 2 'did you mean "--compare"' "$memwalk" run --compar_ x $lesson
expect "unknown short option" 2 '"-y"' "$memwalk" run -y $lesson
expect "unknown key" 2 'did you mean "tlb.l1d.ways"' "$memwalk" run -o tlb.l1d.way=3 $lesson
expect "bad value" 2 "tlb.l1d.ways" "$memwalk" run -o tlb.l1d.ways=many $lesson
expect "no value" 2 "key=value" "$memwalk" run -o tlb.l1d.ways $lesson
expect "unknown allocator" 2 'did you mean "best-fit"' "$memwalk" run --alloc best_fit $lesson
expect "no trace" 2 "TRACE" "$memwalk" run
expect "two traces" 2 "too many" "$memwalk" run $lesson $lesson
expect "a trace that is not there" 2 "$tmp/nothere" "$memwalk" run "$tmp/nothere"
expect "a machine file that is not there" 2 "$tmp/nothere" "$memwalk" run -m "$tmp/nothere" $lesson
expect "an op that is not there" 2 "there is no op 1000" "$memwalk" heap --op 1000 $lesson
expect "a process that is not there" 2 "no process 77" "$memwalk" maps --pid 77 $lesson
expect "a number that is none" 2 "--op" "$memwalk" heap --op three $lesson
expect "a step without an op" 2 "--step" "$memwalk" heap --step 3 $lesson
echo '{"tlb": {"l1d": {"ways": 8}}} // eight' > "$tmp/m.json"
expect "a machine file" 0 "" "$memwalk" config --json -m "$tmp/m.json"
json "config with it" '{k["key"]: k for k in v["keys"]}["tlb.l1d.ways"]["value"] == "8"'
expect "the command line wins" 0 "" "$memwalk" config --json -m "$tmp/m.json" -o tlb.l1d.ways=2
json "config with both" '{k["key"]: k for k in v["keys"]}["tlb.l1d.ways"]["value"] == "2"'

# ---- where the answer goes ----

for command in run maps config help; do
    args=
    [ $command = config ] || [ $command = help ] || args=$lesson
    expect "$command to a full disk" 2 "standard output" \
        bash -c "'$memwalk' $command $args > /dev/full"
    expect "$command to a closed stream" 2 "standard output" \
        bash -c "'$memwalk' $command $args >&-"
done
expect "explain | head" 0 "" \
    bash -c "'$memwalk' explain --all traces/ls.jsonl.zst | head -1; exit \${PIPESTATUS[0]}"

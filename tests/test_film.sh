#!/bin/bash
# test_film.sh: films have the pictures and the length that they should have, in every format, and a
# film that cannot be made leaves nothing behind.
set -u
memwalk=${MEMWALK_BUILD:-build/release}/memwalk
trace=traces/lesson-anatomy-of-a-malloc.json
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

check() { # name, command …
    local name=$1
    shift
    if "$@" >"$tmp/out" 2>&1; then echo "ok $name"; else echo "not ok $name: $(head -c 300 "$tmp/out")"; fi
}
status() { # name, wanted status, part of the message, arguments …
    local name=$1 wanted=$2 part=$3 got
    shift 3
    PATH=${films_path:-$PATH} "$memwalk" film "$@" >"$tmp/out" 2>&1
    got=$?
    if [ $got = "$wanted" ] && grep -q -e "$part" "$tmp/out"; then echo "ok $name"; else
        echo "not ok $name: status $got: $(head -c 300 "$tmp/out")"
    fi
}

status no-output 2 "--output" $trace
status bad-format 2 ".gif, .webm or .mp4" $trace -O "$tmp/x.avi"
status bad-moment 2 "OP.STEP" $trace --from 2.x -O "$tmp/x.gif"
status bad-grain 2 "did you mean \"step\"" $trace --grain stap -O "$tmp/x.gif"
status odd-size 2 "even" $trace --size 641x360 -O "$tmp/x.gif"
status beyond-the-end 2 "21 ops" $trace --from 99 -O "$tmp/x.gif"
films_path=/nowhere status no-ffmpeg 2 "package ffmpeg" $trace --to 1 -O "$tmp/x.gif"
status no-folder 2 "/nowhere/x.gif" $trace --to 1 --size 640x360 -O /nowhere/x.gif
check nothing-left test "$(ls -A "$tmp")" = out

if ! command -v ffprobe >/dev/null; then echo "skip film ffmpeg is missing"; exit 0; fi
# Three micro-steps and the moment before them, half a second each, at 10 pictures a second.
pictures() { ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames,width,height -of csv=p=0 "$1"; }
for format in gif webm mp4; do
    check $format "$memwalk" film $trace --from 2 --to 2.3 --size 640x360 --rate 10 -O "$tmp/f.$format"
    check $format-pictures test "$(pictures "$tmp/f.$format")" = 640,360,20
done
check german "$memwalk" film $trace --from 2 --to 2.3 --size 640x360 --rate 10 --lang de -O "$tmp/de.mp4"
md5() { ffmpeg -v error -i "$1" -f md5 -; }
check german-is-another test "$(md5 "$tmp/de.mp4")" != "$(md5 "$tmp/f.mp4")"
ffmpeg -v error -i "$tmp/f.mp4" -f framemd5 - | awk '!/^#/ {print $NF}' | sort -u >"$tmp/different"
check moves test "$(wc -l <"$tmp/different")" -gt 4

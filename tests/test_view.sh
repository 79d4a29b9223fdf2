#!/bin/bash
# test_view.sh: the window as a person uses it: PNG files without a display, and the real window on
# a virtual screen, driven by keys and mouse.
set -u
memwalk=${MEMWALK_BUILD:-build/release}/memwalk
tmp=$(mktemp -d)
server=
window=
tidy_up() {
    local pid=
    for pid in $window $server; do kill "$pid" 2>/dev/null; done
    rm -rf "$tmp"
}
trap tidy_up EXIT

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: ${*:2}"; }
check() { # name, command …
    local name=$1
    shift
    if "$@" >"$tmp/out" 2>&1; then ok "$name"; else not_ok "$name" "$(head -c 300 "$tmp/out")"; fi
}

if [ ! -x "$memwalk" ]; then echo "skip view there is no $memwalk"; exit 0; fi
cat >"$tmp/t.jsonl" <<'END'
{"memwalk":1,"name":"view"}
{"op":"malloc","id":1,"size":24}
{"op":"write","id":1,"off":0,"len":8}
{"op":"malloc","id":2,"size":200000}
{"op":"write","id":2,"off":0,"len":8}
{"op":"free","id":2}
END
unset DISPLAY WAYLAND_DISPLAY
export XDG_STATE_HOME=$tmp/state # what the window remembers

# ---- without a display ----

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }
size_of() { od -An -tu1 -j16 -N8 "$1" | awk '{print $3 * 256 + $4 "x" $7 * 256 + $8}'; }

check png "$memwalk" view "$tmp/t.jsonl" --png "$tmp/a.png" --op 2 --step 9 --size 1280x720
check png-is-one is_png "$tmp/a.png"
check png-size test "$(size_of "$tmp/a.png")" = 1280x720
"$memwalk" view "$tmp/t.jsonl" --png "$tmp/b.png" --op 2 --step 9 --size 1280x720
check png-same cmp "$tmp/a.png" "$tmp/b.png"
"$memwalk" view "$tmp/t.jsonl" --png "$tmp/c.png" --op 4 --size 1280x720
check png-differs-elsewhere test "$(cmp -s "$tmp/a.png" "$tmp/c.png"; echo $?)" = 1
check svg "$memwalk" view "$tmp/t.jsonl" --svg "$tmp/a.svg" --op 2 --step 9
well_formed() { python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$1"; }
check svg-well-formed well_formed "$tmp/a.svg"
check svg-caption grep -q "view $tmp/t.jsonl --op 2 --step [0-9]*</text>" "$tmp/a.svg"
check svg-shows-the-address grep -q '0x0000_5555_5555' "$tmp/a.svg"
cp "$tmp/t.jsonl" "$tmp/a & <b>'s.jsonl"
check svg-escapes "$memwalk" view "$tmp/a & <b>'s.jsonl" --svg "$tmp/b.svg" --op 1
check svg-escapes-well well_formed "$tmp/b.svg"
memwalk() { "$memwalk" "$@"; }
again() { eval "$(sed -n 's|<desc>\(.*\)</desc>|\1|p' "$tmp/b.svg" | sed 's/&amp;/\&/g; s/&lt;/</g; s/&gt;/>/g') --svg $tmp/c.svg"; }
check caption-is-a-command again "$tmp/b.svg"
check caption-leads-back cmp "$tmp/b.svg" "$tmp/c.svg"
check pane "$memwalk" view "$tmp/t.jsonl" --png "$tmp/p.png" --op 2 --step 9 --size 1280x720 --pane walk
check pane-differs test "$(cmp -s "$tmp/a.png" "$tmp/p.png"; echo $?)" = 1
check no-part-left test ! -e "$tmp/a.svg.part"
for theme in dark light contrast; do
    check "png-$theme" "$memwalk" view "$tmp/t.jsonl" --png "$tmp/$theme.png" --theme $theme --scale 2
done

check german "$memwalk" view "$tmp/t.jsonl" --svg "$tmp/german.svg" --at-break fault --lang de
check german-pane grep -q ">PROGRAMM<" "$tmp/german.svg"
check german-sentence grep -q "#PF: CR2.*Fehlercode" "$tmp/german.svg"
check at "$memwalk" view "$tmp/t.jsonl" --svg "$tmp/at.svg" --at 2.9
check at-is-op-and-step cmp "$tmp/at.svg" "$tmp/a.svg"
check at-break "$memwalk" view "$tmp/t.jsonl" --svg "$tmp/break.svg" --at-break "fault error&2"
check at-break-is-there grep -q "#PF: CR2" "$tmp/break.svg"
check against "$memwalk" view "$tmp/t.jsonl" --svg "$tmp/two.svg" --against alloc=best-fit --at 5
check against-says-where grep -q "differ" "$tmp/two.svg"
check start-png "$memwalk" view --png "$tmp/start.png"
check start-png-is-one is_png "$tmp/start.png"

status() { # name, wanted status, part of the message, arguments …
    local name=$1 wanted=$2 part=$3 got
    shift 3
    SDL_VIDEODRIVER=x11 timeout 20 "$memwalk" view "$@" >"$tmp/out" 2>&1
    got=$?
    if [ $got = "$wanted" ] && grep -q -e "$part" "$tmp/out"; then ok "$name"; else
        not_ok "$name" "status $got: $(head -c 300 "$tmp/out")"
    fi
}
echo '{"memwalk":1}
{"op":"mallok"}' >"$tmp/bad.jsonl"
status bad-trace 2 "bad.jsonl:2" "$tmp/bad.jsonl"
status no-file 2 "none.jsonl" "$tmp/none.jsonl"
status no-such-op 2 "5 ops" "$tmp/t.jsonl" --png "$tmp/x.png" --op 6000
status bad-size 2 "--size" "$tmp/t.jsonl" --size 12
status bad-pane 2 "did you mean \"walk\"" "$tmp/t.jsonl" --pane wolk
status bad-lang 2 "only en and de" "$tmp/t.jsonl" --lang fr
status bad-theme 2 "did you mean \"dark\"" "$tmp/t.jsonl" --theme dork
status bad-query 2 "did you mean \"fault\"" "$tmp/t.jsonl" --at-break falt --png "$tmp/x.png"
status query-never-holds 2 "no event of the run" "$tmp/t.jsonl" --at-break swap_in --png "$tmp/x.png"
status bad-against 2 "did you mean" "$tmp/t.jsonl" --against alloc=best-fitt --png "$tmp/x.png"
status against-nothing 2 "against" "$tmp/t.jsonl" --against nonsense --png "$tmp/x.png"
status bad-at 2 "OP.STEP" "$tmp/t.jsonl" --at zero --png "$tmp/x.png"
status at-beyond 2 "5 ops" "$tmp/t.jsonl" --at 99 --png "$tmp/x.png"
status at-without-trace 2 "TRACE is missing" --at 1.1 --png "$tmp/x.png"
status no-folder 2 "/nowhere" "$tmp/t.jsonl" --png /nowhere/x.png
status no-display 2 "no display" "$tmp/t.jsonl"

# ---- the window ----

if ! command -v Xvfb >/dev/null || ! command -v xdotool >/dev/null; then
    echo "skip window Xvfb or xdotool is missing"
    exit 0
fi
Xvfb -noreset -displayfd 3 -screen 0 1280x800x24 3>"$tmp/display" >/dev/null 2>&1 &
server=$!
for _ in $(seq 100); do [ -s "$tmp/display" ] && break; sleep 0.1; done
if [ ! -s "$tmp/display" ]; then echo "skip window Xvfb does not start"; exit 0; fi
DISPLAY=:$(cat "$tmp/display")
export DISPLAY SDL_VIDEODRIVER=x11 SDL_RENDER_DRIVER=software
# What the display's own libraries keep after they were unloaded is not ours to free, and has no
# name to be excused by. The pictures above are drawn by the same code and are checked for leaks.
export ASAN_OPTIONS=detect_leaks=0

check exit-after timeout 30 "$memwalk" view "$tmp/t.jsonl" --exit-after 3 --size 1280x800
mkdir "$tmp/shots"
program=$(realpath "$memwalk")
(cd "$tmp/shots" && exec "$program" view "$tmp/t.jsonl" --size 1280x800 --still --narrate >"$tmp/said") &
window=$!
find_window() { # sets id, when the window is there
    id=
    for _ in $(seq 100); do
        id=$(xdotool search --onlyvisible --name 'memwalk' 2>/dev/null | head -1)
        [ -n "$id" ] && break
        sleep 0.1
    done
}
find_window
check window-opens test -n "$id"
[ -n "$id" ] || exit 0
xdotool windowfocus "$id" 2>/dev/null
title() { xdotool getwindowname "$id"; }
# Waits until the title, which names the moment, is as wanted.
reaches() {
    for _ in $(seq 100); do
        [[ "$(title)" == *"$1"* ]] && return 0
        sleep 0.1
    done
    echo "the title is \"$(title)\", not …$1"
    return 1
}
key() { xdotool key "$@"; }

check start reaches "op 1.0"
key Right; check step reaches "op 1.1"
key Next; check step-page-down reaches "op 1.2"
key Left; check back reaches "op 1.1"
key 3 Right Right Right Right; check step-op reaches "op 2."
key End; check end reaches "op 5."
key Home; check home reaches "op 1.0"
key g 4 Return; check go-to reaches "op 4."
key f; check no-fault-after reaches "op 4."
key shift+f; check fault-before reaches "op 3."
key Home 3 space; check play-reaches-the-end reaches "op 5."
xdotool mousemove 640 672 click 1; check scrub reaches "op 3."
xdotool mousemove 640 672 mousedown 1 mousemove 300 672 mouseup 1; check drag reaches "op 1."
key g 2 Return b Home shift+b; check bookmark reaches "op 2."
key r; check restart reaches "op 1.0"
key ctrl+shift+s
written() { for _ in $(seq 100); do [ -s "$1" ] && return 0; sleep 0.1; done; return 1; }
check screenshot written "$tmp/shots/memwalk-1.0.png"
check screenshot-is-one is_png "$tmp/shots/memwalk-1.0.png"
check screenshot-size test "$(size_of "$tmp/shots/memwalk-1.0.png")" = 1280x800
shot() { # name: a picture of this moment under that name
    rm -f "$tmp/shots/memwalk-1.0.png"
    key ctrl+shift+s
    written "$tmp/shots/memwalk-1.0.png" && cp "$tmp/shots/memwalk-1.0.png" "$tmp/$1.png"
}
differ() { ! cmp -s "$tmp/$1.png" "$tmp/$2.png"; }
xdotool mousemove 640 796
key Tab Tab Escape; shot plain
key z; shot enlarged; check enlarges differ plain enlarged
key Escape h; shot hidden; check hides differ plain hidden
check hidden-is-not-enlarged differ enlarged hidden
key shift+h; shot shown; check shows-again differ hidden shown
check narrates grep -q '^2\.[0-9]* .*: .*' "$tmp/said"
check narrates-in-order test "$(head -c 4 "$tmp/said")" = "1.0 "
key question Escape ctrl+t plus minus; check still-alive kill -0 "$window"
xdotool windowsize "$id" 900 600; key Home; check resized reaches "op 1.0"

# ---- looking for things, two runs, close looks ----

xdotool windowsize --sync "$id" 1280 800
key Home slash; xdotool type 'fault'; key Return
check find-goes-there reaches "op 1.1"
key Home F9; xdotool type 'brk_move'; key Return space
stopped() {
    for _ in $(seq 100); do
        tail -1 "$tmp/said" | grep -q 'program break' && return 0
        sleep 0.1
    done
    tail -3 "$tmp/said"
    return 1
}
check play-stops-at-a-breakpoint stopped
key shift+F9 Home ctrl+shift+p; xdotool type 'the end'; key Return; check palette reaches "op 5."
key Home; shot before
for pane in v y x; do key $pane; shot pane-$pane; check "pane-$pane" differ before pane-$pane; key $pane; done
key Home; shot after; check panes-close cmp "$tmp/before.png" "$tmp/after.png"
# Keys that come faster than they are read: each is taken with what was held when it was pressed.
opened() { grep -c '^> bytes$' "$tmp/said"; }
times=$(opened)
kill -STOP "$window"; key x; xdotool keydown ctrl; kill -CONT "$window"
hurried() {
    for _ in $(seq 50); do [ "$(opened)" -gt "$times" ] && return 0; sleep 0.1; done
    return 1
}
check keys-in-a-hurry hurried
xdotool keyup ctrl; key Escape Escape Home
xdotool mousemove 1000 365 click 1; key Home; shot selected; check click-selects differ before selected
xdotool mousemove 640 796 mousemove 1000 365 click --repeat 2 --delay 50 1; key Home; shot doubled; check double-click-follows differ selected doubled
key Escape Escape Escape
key Home; xdotool click 3; shot menu; check right-click-asks differ before menu
key Escape Escape Escape

# ---- every key of the table ----

x_name() { # of a key as the table writes it
    local k=$1
    k=${k//Ctrl+Shift+/ctrl+shift+} k=${k//Ctrl+/ctrl+} k=${k//Shift+/shift+}
    case $k in
    →) k=Right ;; ←) k=Left ;; ↑) k=Up ;; ↓) k=Down ;;
    PageDown) k=Next ;; PageUp) k=Prior ;; Space) k=space ;; Enter) k=Return ;; Esc) k=Escape ;;
    .) k=period ;; ,) k=comma ;; /) k=slash ;; '?') k=question ;;
    '>') k=greater ;; '<') k=less ;; +) k=plus ;; =) k=equal ;; -) k=minus ;;
    ctrl+=) k=ctrl+equal ;; ctrl+shift+=) k=ctrl+shift+equal ;; ctrl++) k=ctrl+plus ;; ctrl+-) k=ctrl+minus ;;
    esac
    local base=${k##*+}
    [[ $base =~ ^[A-Z]$ ]] && k=${k%"$base"}${base,,}
    echo "$k"
}
said() { grep -c "^> $1\$" "$tmp/said"; }
each_key() {
    local label name doc bad=0 before
    while IFS=$'\t' read -r label name doc; do
        case $name in quit | full-screen | lecture) continue ;; esac # they have tests of their own
        key Escape Escape
        before=$(said "$name")
        key "$(x_name "$label")"
        for _ in $(seq 50); do [ "$(said "$name")" -gt "$before" ] && break; sleep 0.05; done
        [ "$(said "$name")" -gt "$before" ] || { echo "$label does not $name ($doc)"; bad=1; }
        case $name in open) key Escape ;; predict) key p ;; esac
    done < <("$memwalk" view --keys)
    return $bad
}
check every-key each_key
key Escape Escape Escape Home; check still-there reaches "op 1.0"
key F11 F11 F5 F5; check full-screen-and-back reaches "op 1.0"
key q
gone() { for _ in $(seq 100); do kill -0 "$window" 2>/dev/null || return 0; sleep 0.1; done; return 1; }
check quit gone
wait $window
check quit-status test $? = 0
window=

# ---- the start screen, and what is remembered ----

remembers() { grep -q "\"$1\"" "$tmp/state/memwalk/window.json"; }
check remembers-the-trace remembers "$(realpath "$tmp/t.jsonl")"
(exec "$program" view --size 1280x800 --still --narrate >"$tmp/said" 2>"$tmp/err") &
window=$!
find_window
xdotool windowfocus "$id" 2>/dev/null
check start-screen reaches "start"
key 1; check card-opens reaches "promise"
key o; check start-again reaches "start"
key Escape; check back-to-the-trace reaches "promise"
key o; check start-once-more reaches "start"
xdotool mousemove 640 560 click 1; check click-opens reaches "op 1.0"
theme() { grep -o '"theme":[^,]*' "$tmp/state/memwalk/window.json"; }
language() { grep -o '"lang":[^,]*' "$tmp/state/memwalk/window.json"; }
was=$(theme) spoke=$(language)
key l; key ctrl+t ctrl+l q
check quit-again gone
wait $window
check quit-again-status test $? = 0
window=
other_theme() { [ -n "$was" ] && [ "$(theme)" != "$was" ]; }
check remembers-the-theme other_theme
other_language() { [ -n "$spoke" ] && [ "$(language)" != "$spoke" ]; }
check remembers-the-language other_language
check remembers-the-card grep -q lesson-promise.json "$tmp/state/memwalk/window.json"
echo '{"theme":' >"$tmp/state/memwalk/window.json"
check broken-memory timeout 30 "$memwalk" view "$tmp/t.jsonl" --exit-after 2
cp "$tmp/out" "$tmp/told"
check broken-memory-is-told grep -q "window.json" "$tmp/told"
rm "$tmp/state/memwalk/window.json"
check fresh timeout 30 "$memwalk" view "$tmp/t.jsonl" --exit-after 2 --fresh
check fresh-leaves-nothing test ! -e "$tmp/state/memwalk/window.json"

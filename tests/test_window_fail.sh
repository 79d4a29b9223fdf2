#!/bin/bash
# test_window_fail.sh: a window that cannot be had (no such display, no font) is told in one line that
# says what to do, with exit status 2, and leaves nothing behind; a renderer that is not there is no
# reason to fail.
set -u
memwalk=${MEMWALK_BUILD:-build/release}/memwalk
tmp=$(mktemp -d)
server=
window=
tidy_up() {
    local pid
    for pid in $window $server; do kill "$pid" 2>/dev/null; done
    rm -rf "$tmp"
}
trap tidy_up EXIT

if [ ! -x "$memwalk" ]; then echo "skip window_fail there is no $memwalk"; exit 0; fi
memwalk=$(realpath "$memwalk")
mkdir "$tmp/work" "$tmp/home"
printf '%s\n' '{"memwalk":1,"name":"fail"}' '{"op":"malloc","id":1,"size":24}' >"$tmp/t.jsonl"
printf '%s\n' '<?xml version="1.0"?>' '<fontconfig></fontconfig>' >"$tmp/no-fonts.conf"
export HOME=$tmp/home XDG_RUNTIME_DIR=$tmp/home
unset DISPLAY WAYLAND_DISPLAY XDG_CONFIG_HOME XDG_CACHE_HOME XDG_STATE_HOME XDG_DATA_HOME

# name, words that the one line on stderr must have, settings for env … : a view that must fail so
fails() {
    local name=$1 words=$2 status
    shift 2
    (cd "$tmp/work" && env "$@" timeout 60 "$memwalk" view "$tmp/t.jsonl" >"$tmp/out" 2>"$tmp/err")
    status=$?
    if [ $status -ne 2 ]; then
        echo "not ok $name: exit status $status: $(head -c 300 "$tmp/err")"
    elif [ -s "$tmp/out" ] || [ "$(wc -l <"$tmp/err")" -ne 1 ] || ! grep -q "$words" "$tmp/err"; then
        echo "not ok $name: it said: $(cat "$tmp/out" "$tmp/err")"
    elif [ -n "$(find "$tmp/work" "$tmp/home" -mindepth 1)" ]; then
        echo "not ok $name: left behind: $(find "$tmp/work" "$tmp/home" -mindepth 1)"
    else
        echo "ok $name"
    fi
}

fails no_such_display '^memwalk: no display (use --png FILE for a picture)' SDL_VIDEODRIVER=nonsense
fails no_display '^memwalk: no display (use --png FILE for a picture)' -u SDL_VIDEODRIVER
fails no_font '^memwalk: no font found .*; install fonts-dejavu-core' \
    SDL_VIDEODRIVER=dummy FONTCONFIG_FILE="$tmp/no-fonts.conf"

if ! command -v Xvfb >/dev/null || ! command -v xdotool >/dev/null; then
    echo "skip renderer Xvfb or xdotool is missing"
    exit 0
fi
mkfifo "$tmp/display"
Xvfb -noreset -displayfd 3 -screen 0 1280x800x24 3>"$tmp/display" >/dev/null 2>&1 &
server=$!
read -r -t 30 number <"$tmp/display" || { echo "skip renderer Xvfb does not start"; exit 0; }
export DISPLAY=:$number
fails no_font_on_a_screen '^memwalk: no font found .*; install fonts-dejavu-core' \
    FONTCONFIG_FILE="$tmp/no-fonts.conf"
SDL_RENDER_DRIVER=nonsense "$memwalk" view "$tmp/t.jsonl" >"$tmp/out" 2>"$tmp/err" &
window=$!
if timeout 60 xdotool search --sync --onlyvisible --pid "$window" >/dev/null 2>"$tmp/xerr" &&
    kill -0 "$window" && [ ! -s "$tmp/err" ]; then
    echo "ok another_renderer_is_taken"
else
    echo "not ok another_renderer_is_taken: $(cat "$tmp/err" "$tmp/xerr")"
fi

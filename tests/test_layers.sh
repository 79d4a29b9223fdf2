#!/bin/bash
# test_layers.sh: the rooms keep to the include table, and whoever breaks it is named with file:line.
set -u
here=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if .ci/layers; then echo "ok include_table"; else echo "not ok include_table"; fi

# name, file, line that must not be there, what the report must say
offence() {
    rm -rf "$tmp/tree"
    mkdir -p "$tmp/tree/$(dirname "$2")"
    printf '/* x */\n%s\n' "$3" > "$tmp/tree/$2"
    if (cd "$tmp/tree" && "$here/.ci/layers") > "$tmp/out" || ! grep -qF "$2:2: $4" "$tmp/out"; then
        cat "$tmp/out"
        echo "not ok $1"
    else
        echo "ok $1"
    fi
}

offence mmu_looks_up mmu/walk.c '#include "kernel/kernel.h"' 'mmu must not include kernel/kernel.h'
offence base_looks_up sim/base/arena.c '#include "sim/config.h"' 'sim/base must not include'
offence alloc_sees_only_uapi alloc/bump.c '#include "kernel/kernel.h"' 'alloc must not include'
offence kernel_sees_no_alloc kernel/brk.c '  # include "alloc/alloc.h"' 'kernel must not include'
offence sim_sees_no_window sim/sim.c '#include "viz/viz.h"' 'sim must not include viz/viz.h'
offence window_sees_no_inside viz/model.c '#include "sim/machine.h"' 'viz must not include'
offence not_from_the_root mmu/walk.c '#include "walk.h"' 'mmu must not include walk.h'
offence plain_c11 kernel/brk.c '#include <unistd.h>' 'kernel is plain C11: unistd.h'
offence one_file_has_sdl viz/scene.c '#include <SDL.h>' 'only viz/sdl*.c includes SDL.h'
offence one_file_has_sdl2 sim/cli/view.c '#include <SDL2/SDL.h>' 'only viz/sdl*.c includes SDL2/SDL.h'

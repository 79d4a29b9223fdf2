#!/bin/bash
# test_install.sh: what `make install` puts there can be used by others, and uninstall takes it away.
set -u
build=${MEMWALK_BUILD:-build/release}
mode=${build##*/}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

result() { # name, status
    if [ "$2" -eq 0 ]; then echo "ok $1"; else echo "not ok $1"; fi
}

# Everything is built already: "all" is old, so nothing that runs beside this test is touched.
from_make() {
    make -s -o all B="$build" MODE="$mode" DESTDIR="$tmp/root" PREFIX="$prefix" "$1"
}

prefix=$(sed -n 's/^prefix=//p' "$build/memwalk.pc")
root=$tmp/root$prefix
from_make install > "$tmp/log" 2>&1 || cat "$tmp/log"
result install $?

export PKG_CONFIG_SYSROOT_DIR=$tmp/root PKG_CONFIG_PATH=$root/lib/pkgconfig
read -ra cflags < <(pkg-config --cflags memwalk)
read -ra libs < <(pkg-config --libs memwalk)
read -ra libs_static < <(pkg-config --static --libs memwalk)
case $mode in
asan) cflags+=(-fsanitize=address -fsanitize=undefined) ;;
cover) cflags+=(--coverage) ;;
esac

# A stranger's program: every public header, one call into each of a few rooms.
{
    (cd "$root/include/memwalk" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include "\1"|')
    cat << 'END'
int main(void)
{
    struct arena *a = arena_new(MIB);
    void *p = arena_alloc(a, 100);
    struct error e;
    char text[100];
    error_set(&e, ERR_VALUE, "t.json", 3, "size", "too %s", "big");
    puts(error_text(&e, text, sizeof(text)));
    puts(event_info[EV_op_begin].name);
    arena_free(a, p, 100);
    arena_destroy(a);
    return 0;
}
END
} > "$tmp/client.c"
printf 't.json:3: size: too big\nop_begin\n' > "$tmp/expected"

cc=${CC:-gcc}
"$cc" -std=c11 -Wall -Wextra -Werror "${cflags[@]}" "$tmp/client.c" "${libs[@]}" -o "$tmp/shared"
result client_shared_builds $?
LD_LIBRARY_PATH=$root/lib "$tmp/shared" | cmp - "$tmp/expected"
result client_shared_runs $?
readelf -d "$tmp/shared" | grep -q 'NEEDED.*libmemwalk\.so\.0\]'
result client_needs_the_soname $?

rm "$root"/lib/libmemwalk.so*
"$cc" -std=c11 "${cflags[@]}" "$tmp/client.c" "${libs_static[@]}" -o "$tmp/static"
result client_static_builds $?
"$tmp/static" | cmp - "$tmp/expected"
result client_static_runs $?

from_make uninstall > "$tmp/log" 2>&1 || cat "$tmp/log"
left=$(find "$tmp/root" -type f -o -type l)
[ -z "$left" ] || echo "left behind: $left"
[ -z "$left" ]
result uninstall_leaves_nothing $?

# Makefile: builds memwalk, its library and its recorder; tests, measures and installs them.
#
# One file, because a build that is read from top to bottom needs no second place to look. Sources
# are found by room, so a new .c file needs no line here. Each mode has its own folder under
# build/, and every object depends on the text of its own compile command: whatever flag changes,
# what depends on it is built again, and nothing else is.
#
#   make                      build/release/memwalk
#   make MODE=debug CC=clang  build/debug/memwalk
#   make check                install what is missing, build, test

VERSION := 0.1.0
SOMAJOR := 0
MODE    ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
B       := build/$(MODE)

LIBDIR     ?= $(PREFIX)/lib
BINDIR     ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include/memwalk
DATADIR    ?= $(PREFIX)/share/memwalk
MANDIR     ?= $(PREFIX)/share/man
# What memwalk opens at run time besides the user's files: the recorder and the shipped traces.
PLUGINDIR  ?= $(LIBDIR)/memwalk

DEMO_TRACE   ?= traces/sqlite3.jsonl.zst
FUZZ_SECONDS ?= 60
COVER_MIN    ?= 0
TEST_JOBS    ?= 2
TEST_TIMEOUT ?= 300
TESTS        ?=
N            ?= 1000000
SEED         ?= 1

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash

# ---- what Debian 12 must have ----

DEPS_BUILD := gcc libc6-dev make pkg-config python3 libcjson-dev zlib1g-dev libzstd-dev uthash-dev \
              libsdl2-dev libsdl2-ttf-dev libsdl2-image-dev libfontconfig-dev libcairo2-dev fonts-dejavu-core
DEPS_TEST  := check python3-jsonschema zstd gzip mandoc xvfb xauth xdotool ffmpeg \
              binutils qemu-system-x86
DEPS_DEV   := clang clang-format-14 clang-tidy libclang-rt-14-dev cppcheck shellcheck gcovr

# ---- sources, by room ----

SRC_CORE   := $(wildcard sim/base/*.c mmu/*.c kernel/*.c alloc/*.c sim/*.c)
SRC_TRACES := $(wildcard traces/*.c)
SRC_CLI    := $(wildcard sim/cli/*.c)
SRC_VIZ    := $(wildcard viz/*.c)
SRC_RECORD := $(wildcard traces/record/*.c)
SRC_TESTS  := $(wildcard tests/test_*.c)
SRC_BENCH  := $(wildcard tests/bench/*.c)
SRC_FUZZ   := $(wildcard tests/fuzz_*.c)
SRC_PROOF  := $(wildcard tests/proof_*.c)
SRC_HELP   := $(filter-out $(SRC_TESTS) $(SRC_FUZZ) $(SRC_PROOF),$(wildcard tests/*.c))

HEADERS_PUBLIC := $(wildcard sim/base/*.h sim/base/*.def mmu/mmu.h mmu/pte.h mmu/ram.h mmu/ept.h \
                  kernel/kernel.h kernel/uapi.h alloc/alloc.h traces/trace.h traces/tools.h traces/*.def \
                  sim/sim.h sim/inspect.h sim/access.h sim/explain.h sim/words.h sim/config.h sim/config.def sim/nested.h)
SRC_PRODUCT    := $(SRC_CORE) $(SRC_TRACES) $(SRC_CLI) $(SRC_VIZ) $(SRC_RECORD)
ALL_C          := $(SRC_PRODUCT) $(SRC_TESTS) $(SRC_BENCH) $(SRC_FUZZ) $(SRC_PROOF) $(SRC_HELP)
ALL_H          := $(wildcard sim/base/*.h mmu/*.h kernel/*.h alloc/*.h traces/*.h sim/*.h \
                  sim/cli/*.h viz/*.h traces/record/*.h tests/*.h tests/bench/*.h)

# ---- flags ----
#
# Ours are in MW_*; the user's CFLAGS, CPPFLAGS and LDFLAGS are added behind, never instead.
# One set of position-independent objects makes both libraries; without semantic interposition
# that costs nothing.

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
MW_CFLAGS  := -std=c11 $(WARN) -g -fPIC -fno-semantic-interposition -I. -MMD -MP
MW_LDFLAGS := -Wl,--as-needed

MODES := release debug asan paranoid tiny cover fuzz
ifeq ($(filter $(MODE),$(MODES)),)
$(error MODE=$(MODE): choose one of $(MODES))
endif
ifeq ($(MODE),fuzz)
CC := clang
endif
ifeq ($(origin CC),default)
CC := gcc
endif

FLAGS_release  := -O2
FLAGS_debug    := -O0 -DMEMWALK_DEBUG
FLAGS_asan     := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_paranoid := -O1 -DMEMWALK_PARANOID
FLAGS_tiny     := -O1 -DMEMWALK_PARANOID -DMEMWALK_TINY
FLAGS_cover    := -O0 --coverage
FLAGS_fuzz     := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

MW_CFLAGS  += $(FLAGS_$(MODE))
MW_LDFLAGS += $(filter -fsanitize=address% --coverage,$(FLAGS_$(MODE)))
ifeq ($(MODE),fuzz)
MW_LDFLAGS += -fsanitize=address,undefined
endif

PKG        := pkg-config
PC_LIB     := libcjson zlib libzstd
PC_WINDOW  := sdl2 SDL2_ttf SDL2_image fontconfig
LIBS       := -lcjson -lz -lzstd -lm
LIBS_VIZ   := $(shell $(PKG) --libs $(PC_WINDOW) 2>/dev/null)
CFLAGS_VIZ := $(shell $(PKG) --cflags $(PC_WINDOW) 2>/dev/null)
LIBS_PLOT  := $(shell $(PKG) --libs cairo 2>/dev/null)
LIBS_CHECK := $(shell $(PKG) --libs check 2>/dev/null)

# The simulator itself is plain C11; only what talks to the host gets more than that.
GNU        := -D_GNU_SOURCE
PLACES     := -DMEMWALK_LIBDIR='"$(PLUGINDIR)"' -DMEMWALK_DATADIR='"$(DATADIR)"' \
              -DMEMWALK_VERSION='"$(VERSION)"'

COMPILE        := $(CC) $(CPPFLAGS) $(MW_CFLAGS) $(CFLAGS)
COMPILE_core   := $(COMPILE)
COMPILE_traces := $(COMPILE) $(GNU)
COMPILE_cli    := $(COMPILE) $(GNU) $(PLACES)
COMPILE_viz    := $(COMPILE) $(GNU) $(CFLAGS_VIZ)
COMPILE_tests  := $(COMPILE) $(GNU) $(CFLAGS_VIZ) -Wno-gnu-zero-variadic-macro-arguments
# The recorder lives in other people's processes: no sanitizer, no counter, nothing but libc.
COMPILE_record := $(CC) $(CPPFLAGS) -std=c11 $(WARN) -O2 -g -fPIC -fvisibility=hidden -I. -MMD -MP \
                  $(GNU) $(CFLAGS)
LINK           := $(CC) $(MW_LDFLAGS) $(CFLAGS) $(LDFLAGS)
KINDS          := core traces cli viz tests record

# ---- objects ----

obj         = $(patsubst %.c,$B/%.o,$(1))
OBJ_LIB    := $(call obj,$(SRC_CORE) $(SRC_TRACES))
OBJ_ROOF   := $(call obj,$(filter-out sim/cli/main.c,$(SRC_CLI)) $(SRC_VIZ))
BIN_TESTS  := $(patsubst tests/%.c,$B/tests/%,$(SRC_TESTS))
BIN_BENCH  := $(patsubst tests/%.c,$B/tests/%,$(SRC_BENCH))
BIN_PROOF  := $(patsubst tests/%.c,$B/tests/%,$(SRC_PROOF))
BIN_FUZZ   := $(patsubst tests/%.c,$B/tests/%,$(SRC_FUZZ))
SCRIPTS    := $(wildcard tests/test_*.sh tests/test_*.py)
BIN_WANTED := $(if $(TESTS),$(filter $(TESTS:%=$B/tests/test_%),$(BIN_TESTS)),$(BIN_TESTS))

LIB_A      := $B/libmemwalk.a
LIB_SO     := $B/libmemwalk.so.$(VERSION)
LIB_REC    := $(if $(SRC_RECORD),$B/libmemwalk-record.so)
PROGRAM    := $(if $(wildcard sim/cli/main.c),$B/memwalk)

.PHONY: all
all: $(LIB_A) $(LIB_SO) $(LIB_REC) $(PROGRAM) $B/memwalk.pc ## build the library, the command and the recorder (MODE=release)

# The compile command of each kind of object, in a file that changes only when the command does.
stamp = $B/flags.$(1)
define STAMP
$B/flags.$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' $$(call quote,$$(COMPILE_$(1)) $$(LINK)) | cmp -s - $$@ || \
	 printf '%s\n' $$(call quote,$$(COMPILE_$(1)) $$(LINK)) > $$@
endef
quote = '$(subst ','\'',$(1))'
.PHONY: FORCE
$(foreach k,$(KINDS),$(eval $(call STAMP,$k)))

# One rule per kind: $(1) the kind, $(2) its sources.
define RULE
$(call obj,$(2)): $B/%.o: %.c $B/flags.$(1)
	@mkdir -p $$(@D)
	@echo "  CC      $$<"
	@$$(COMPILE_$(1)) -c $$< -o $$@
endef
$(eval $(call RULE,core,$(SRC_CORE)))
$(eval $(call RULE,traces,$(SRC_TRACES)))
$(eval $(call RULE,cli,$(SRC_CLI)))
$(eval $(call RULE,viz,$(SRC_VIZ)))
$(eval $(call RULE,record,$(SRC_RECORD)))
$(eval $(call RULE,tests,$(SRC_TESTS) $(SRC_BENCH) $(SRC_FUZZ) $(SRC_PROOF) $(SRC_HELP)))

# Which objects there are, in a file that changes when a source comes or goes.
$B/objects: FORCE
	@mkdir -p $(@D)
	@echo "$(OBJ_LIB) $(OBJ_ROOF)" | cmp -s - $@ || echo "$(OBJ_LIB) $(OBJ_ROOF)" > $@

$(LIB_A): $(OBJ_LIB) $B/objects
	@echo "  AR      $@"
	@rm -f $@ && ar rcs $@ $(OBJ_LIB)

# Command line and window without main: tests of them link this.
$B/roof.a: $(OBJ_ROOF) $B/objects
	@echo "  AR      $@"
	@rm -f $@ && ar rcs $@ $(OBJ_ROOF)

$(LIB_SO): $(OBJ_LIB) $B/objects
	@echo "  LD      $@"
	@$(LINK) -shared -Wl,-soname,libmemwalk.so.$(SOMAJOR) $(OBJ_LIB) $(LIBS) -o $@
	@ln -sfn libmemwalk.so.$(VERSION) $B/libmemwalk.so.$(SOMAJOR)
	@ln -sfn libmemwalk.so.$(SOMAJOR) $B/libmemwalk.so

$B/memwalk: $(call obj,$(SRC_CLI) $(SRC_VIZ)) $(LIB_A)
	@echo "  LD      $@"
	@$(LINK) $^ $(LIBS) $(LIBS_VIZ) $(LIBS_PLOT) -lpthread -o $@

$B/libmemwalk-record.so: $(call obj,$(SRC_RECORD))
	@echo "  LD      $@"
	@$(CC) -shared -Wl,-z,now $(LDFLAGS) $^ -ldl -lpthread -o $@

$B/memwalk.pc: $B/flags.cli
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' \
	  'Name: memwalk' 'Description: x86-64 memory-subsystem simulator' 'Version: $(VERSION)' \
	  'Requires.private: $(PC_LIB)' 'Libs: -L$${libdir} -lmemwalk' 'Libs.private: -lm' \
	  'Cflags: -I$${includedir}' > $@

$(BIN_TESTS) $(BIN_PROOF): $B/tests/%: $B/tests/%.o $(call obj,$(SRC_HELP)) $B/roof.a $(LIB_A)
	@echo "  LD      $@"
	@$(LINK) $^ $(LIBS_CHECK) $(LIBS) $(LIBS_VIZ) $(LIBS_PLOT) -lpthread -o $@

$(BIN_BENCH): $B/tests/%: $B/tests/%.o $B/roof.a $(LIB_A)
	@echo "  LD      $@"
	@$(LINK) $^ $(LIBS) $(LIBS_VIZ) $(LIBS_PLOT) -lpthread -o $@

$(BIN_FUZZ): $B/tests/%: $B/tests/%.o $(LIB_A)
	@echo "  LD      $@"
	@$(LINK) -fsanitize=fuzzer $^ $(LIBS) -o $@

-include $(patsubst %.c,$B/%.d,$(ALL_C))

.PHONY: debug asan paranoid
debug: ## build for the debugger, without optimisation
	@$(MAKE) MODE=debug all
asan: ## build and test with the address and undefined-behaviour sanitizers
	@$(MAKE) $(PARALLEL) MODE=asan tests
paranoid: ## build and test with the invariant walkers after every op
	@$(MAKE) $(PARALLEL) MODE=paranoid tests

# ---- what must be installed ----
#
# Asks the package database what is missing and installs only that, as root or by sudo.

.PHONY: deps deps-dev
deps: build/deps ## install the Debian packages that building and testing need
deps-dev: build/deps-dev ## install also what lint, format, fuzz and cover need

build/deps: Makefile
	@.ci/deps $(DEPS_BUILD) $(DEPS_TEST)
	@mkdir -p build && touch $@
build/deps-dev: Makefile
	@.ci/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_DEV)
	@mkdir -p build && touch $@

# ---- the two commands of the README ----
#
# Both call make again after deps, because pkg-config's answers are read when make starts; and on
# all cores, unless the user said how many.

PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: demo show check tests
demo: deps ## replay a recorded program and look at it: a report, then the window (or pictures in out/)
	@$(MAKE) $(PARALLEL) all
	@$(MAKE) show

show:
	$B/memwalk run $(DEMO_TRACE)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
	    echo "$B/memwalk view $(DEMO_TRACE)"; $B/memwalk view $(DEMO_TRACE); \
	else \
	    mkdir -p out; \
	    for op in 1 100 10000; do \
	        $B/memwalk view $(DEMO_TRACE) --png out/demo-$$op.png --op $$op || exit; \
	        echo "no display: wrote out/demo-$$op.png"; \
	    done; \
	fi

check: deps ## install what is missing, build, and run all tests (TESTS="arena mmu": only those)
	@$(MAKE) $(PARALLEL) tests

tests: all $(BIN_WANTED)
	@MEMWALK_BUILD=$B tests/run --jobs $(TEST_JOBS) --timeout $(TEST_TIMEOUT) \
	  $(addprefix --only ,$(TESTS)) $(BIN_WANTED) $(SCRIPTS)

# A picture of each sample moment to look at, in build/pictures, and the golden files that the tests
# hold the window against.
.PHONY: goldens
goldens: all $B/tests/test_moments ## write the window's golden files anew, and their pictures into build/pictures
	@mkdir -p build/pictures
	@MEMWALK_GOLDEN=write MEMWALK_PICTURES=build/pictures $B/tests/test_moments

.PHONY: pictures
pictures: all ## make the pictures and the film of docs/pictures anew
	@MEMWALK_BUILD=$B docs/pictures/make

# ---- install ----

.PHONY: install uninstall
install: all ## install below PREFIX=/usr/local (DESTDIR is put before it)
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(PLUGINDIR)" \
	  "$(DESTDIR)$(DATADIR)/traces" "$(DESTDIR)$(MANDIR)/man1"
	install -m 644 $(LIB_A) "$(DESTDIR)$(LIBDIR)/"
	install -m 755 $(LIB_SO) "$(DESTDIR)$(LIBDIR)/"
	ln -sfn libmemwalk.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libmemwalk.so.$(SOMAJOR)"
	ln -sfn libmemwalk.so.$(SOMAJOR) "$(DESTDIR)$(LIBDIR)/libmemwalk.so"
	install -m 644 $B/memwalk.pc "$(DESTDIR)$(LIBDIR)/pkgconfig/"
	for h in $(HEADERS_PUBLIC); do \
	    install -D -m 644 $$h "$(DESTDIR)$(INCLUDEDIR)/$$h" || exit; done
	for f in $(PROGRAM); do install -m 755 $$f "$(DESTDIR)$(BINDIR)/" || exit; done
	for f in $(LIB_REC); do install -m 755 $$f "$(DESTDIR)$(PLUGINDIR)/" || exit; done
	for f in $(wildcard traces/*.json traces/*.jsonl traces/*.zst traces/*.gz); do \
	    install -m 644 $$f "$(DESTDIR)$(DATADIR)/traces/" || exit; done
	for f in $(wildcard docs/man/*.1); do \
	    install -m 644 $$f "$(DESTDIR)$(MANDIR)/man1/" || exit; done

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(LIBDIR)"/libmemwalk.a "$(DESTDIR)$(LIBDIR)"/libmemwalk.so \
	  "$(DESTDIR)$(LIBDIR)"/libmemwalk.so.$(SOMAJOR) "$(DESTDIR)$(LIBDIR)"/libmemwalk.so.$(VERSION) \
	  "$(DESTDIR)$(LIBDIR)"/pkgconfig/memwalk.pc "$(DESTDIR)$(BINDIR)"/memwalk
	rm -f $(patsubst docs/man/%,"$(DESTDIR)$(MANDIR)/man1/%",$(wildcard docs/man/*.1))
	rm -rf "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(PLUGINDIR)" "$(DESTDIR)$(DATADIR)"

# ---- outside oracles ----

.PHONY: oracle
oracle: all ## N=1000000 random translations, drawn from SEED=1, by QEMU and by memwalk: compared
	@MEMWALK_BUILD=$B tests/oracle/oracle.py --cases $(N) --seed $(SEED)

# Minutes of work on every core; a part of it is in the tests.
.PHONY: model-check
model-check: $B/tests/proof_model ## the window's model against inspection: all traces, allocators, processors
	@$< $(shell nproc)

# ---- measuring ----

.PHONY: bench fuzz fuzzers cover mutants
bench: all $(BIN_BENCH) ## measure speed, side by side with the references
	@for b in $(sort $(BIN_BENCH)); do echo "== $$b"; $$b || exit; done
	@for s in $(sort $(wildcard tests/bench/*.sh)); do echo "== $$s"; MEMWALK_BUILD=$B $$s || exit; done

# Not a test: it needs the very Linux that is modelled, and minutes.
N     ?= 1000
FIRST ?= 1
.PHONY: truth-vm
truth-vm: all ## N=1000 random sequences of memory calls on this Linux and on the simulator, compared
	@tests/native/truth_vm.sh $B $(N) $(FIRST)

fuzz: deps-dev ## run each fuzz target for FUZZ_SECONDS=60 from its corpus
	@$(MAKE) $(PARALLEL) MODE=fuzz fuzzers

# What is found goes to build/corpus; tests/corpus holds what was worth keeping.
fuzzers: $(BIN_FUZZ)
	@for f in $(BIN_FUZZ); do \
	    name=$${f##*/fuzz_}; log=build/fuzz_$$name.log; \
	    mkdir -p build/corpus/$$name tests/corpus/$$name; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	      -artifact_prefix=build/fuzz_$$name- build/corpus/$$name tests/corpus/$$name \
	      > $$log 2>&1 || { tail -n 60 $$log; echo "fuzz $$name: FAILED"; exit 1; }; \
	    echo "fuzz $$name: $$(grep -a '^Done' $$log)"; \
	done

# Faults put in on purpose, one at a time, in a copy of the sources below build/mutants.
mutants: deps ## does a test notice each fault of tests/mutations/ROOM.toml? (no ROOM: of all lists)
	@tests/mutations/run --jobs $(shell nproc) $(ROOM:%=tests/mutations/%.toml)

cover: deps-dev ## line coverage of the rooms by the tests; fails under COVER_MIN percent
	@find build/cover -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) $(PARALLEL) MODE=cover tests
	@gcovr --root . --object-directory build/cover --filter '(mmu|alloc|kernel|sim|traces)/' \
	  --exclude 'traces/record/' --fail-under-line $(COVER_MIN) --print-summary build/cover

# ---- reading the code with a machine ----

# ---- truth ----
#
# The native replayer is built by itself: it must not call anything that the compiler could know
# better (malloc and free that cancel out), and it is no part of the tests' binaries.

SEED ?=
.PHONY: truth truth-all
truth: all $B/tests/native ## N=200 fresh random traces against this computer's own C library (SEED=1: repeatable)
	@MEMWALK_BUILD=$B python3 tests/truth/make_truth.py $B/tests/native $(or $N,200) $(SEED)
truth-all: all ## every recorded trace of ../shared/traces, in both modes
	@MEMWALK_BUILD=$B python3 tests/test_truth.py

$B/tests/native: tests/truth/native.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -std=c11 -O2 $(WARN) -Wno-conversion -Wno-sign-conversion -fno-builtin $< -o $@

.PHONY: format format-check layers lint notes
CLANG_FORMAT ?= clang-format-14
format: ## write all C files in the one format
	@$(CLANG_FORMAT) -i $(ALL_C) $(ALL_H)
format-check: ## name the files that are not in it
	@$(CLANG_FORMAT) --dry-run --Werror $(ALL_C) $(ALL_H)

layers: ## enforce who may include whom (the table is in .ci/layers)
	@.ci/layers

lint: deps-dev ## both compilers' warnings, clang-tidy, cppcheck, shellcheck, house rules
	@.ci/lint

# One target for each file, so that only what changed is looked at again. uthash's hash function
# is replaced by a plain one, because the analyzer gets lost in it. The analyzer follows TIDY_NODES
# states of each function: a third of the time of its own 225000, which is for a night.
TIDY_NODES ?= 60000
FLAGS_TIDY := -std=c11 $(GNU) $(CFLAGS_VIZ) -I. -DMEMWALK_LIBDIR=__FILE__ \
              -DMEMWALK_DATADIR=__FILE__ -DMEMWALK_VERSION=__FILE__ -D'HASH_FUNCTION(k,n,h)=((h)=(unsigned)(n))' \
              -Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES)
BIN_TIDY   := $(patsubst %.c,build/lint/%.tidy,$(ALL_C))
.PHONY: tidy binaries
tidy: $(BIN_TIDY)
$(BIN_TIDY): build/lint/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(FLAGS_TIDY) 2> $@.log || { cat $@.log; false; }
	@clang $(FLAGS_TIDY) -MM -MP -MT $@ -MF $@.d $< && touch $@
-include $(BIN_TIDY:=.d)

binaries: all $(BIN_TESTS) $(BIN_PROOF) $(BIN_BENCH)

notes: ## list the stated simplifications
	@grep -rnoE 'NOTE: .*' --include='*.[ch]' --include='*.def' sim mmu kernel alloc traces viz | \
	  sed 's/ *\*\/$$//' || true

.PHONY: allocators
allocators: all ## fill the tables of docs/allocators.md with the figures of fresh runs
	@.ci/allocators $B/memwalk docs/allocators.md

.PHONY: help clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	  while IFS=$$'\t' read -r name text; do printf '  %-13s %s\n' "$$name" "$$text"; done
	@echo "  MODE=…        $(MODES)"

clean: ## remove everything that was built
	rm -rf build out

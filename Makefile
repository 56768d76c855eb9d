# Makefile - builds Postern, installs what that needs, runs it and tests it. `make help` lists what it can do.
#
#   CC=clang            another compiler             ASAN=1, TSAN=1   with sanitizers, apart under build/
#   BORINGSSL=DIR       a tree of include/ and lib/  BUILD=DIR        objects and programs elsewhere

ifeq ($(origin CC),default)
CC       := gcc
endif
BUILD    := build
CPPFLAGS := -D_GNU_SOURCE -I.
CFLAGS   := -std=gnu11 -O2 -g -Wall -Wextra -Werror -fstack-protector-strong -fno-omit-frame-pointer -pthread -MMD -MP
LDFLAGS  := -pthread -Wl,--fatal-warnings
JOBS     := $(shell nproc)

ifeq ($(ASAN),1)
BUILD    := build/asan
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=address,undefined
endif
ifeq ($(TSAN),1)
BUILD    := build/tsan
CFLAGS   += -fsanitize=thread
LDFLAGS  += -fsanitize=thread
endif
ifeq ($(FUZZ),1)
CC       := clang
BUILD    := build/fuzz
CFLAGS   += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=fuzzer,address,undefined
endif

# Debian keeps BoringSSL apart from OpenSSL; BORINGSSL=DIR takes a tree of include/ and lib/ instead.
MULTIARCH = $(shell $(CC) -print-multiarch)
ifdef BORINGSSL
CPPFLAGS += -isystem $(BORINGSSL)/include
SSL_LIBS := -L$(BORINGSSL)/lib -Wl,-rpath,$(abspath $(BORINGSSL)/lib) -lssl -lcrypto -lstdc++
else
CPPFLAGS += -isystem /usr/include/android
SSL_LIBS  = -L/usr/lib/$(MULTIARCH)/android -Wl,-rpath,/usr/lib/$(MULTIARCH)/android -lssl -lcrypto
endif
LIBS      = $(SSL_LIBS) -lev -lleveldb -lconfuse -ljansson -lunistring -lidn -lidn2 -lcrypt -lcares

# What each purpose needs of Debian.
BUILD_PACKAGES := gcc libc6-dev libcrypt-dev libev-dev libleveldb-dev libconfuse-dev libjansson-dev \
	libunistring-dev libidn-dev libidn2-dev libc-ares-dev android-libboringssl-dev
RUN_PACKAGES   := python3 openssl swaks curl mutt
CHECK_PACKAGES := perl libnet-ssleay-perl clang libclang-rt-14-dev isync fetchmail util-linux offlineimap3 getmail6 mpop \
	msmtp s-nail imapfilter neomutt alpine tmux thunderbird gsasl rsync procmail
LINT_PACKAGES  := clang-format cppcheck

SOURCES := $(shell find core conf dns storage protocols sip -name '*.c' 2>/dev/null | sort)
OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out core/main.c,$(SOURCES)))
UNITS   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard t/unit/*.c)))
FUZZERS := $(patsubst %.c,build/fuzz/%,$(sort $(wildcard t/fuzz/*.c)))
# Those that cross threads and processes run under ThreadSanitizer too.
THREADED := $(patsubst t/unit/%.c,build/tsan/t/unit/%,$(wildcard $(patsubst %,t/unit/%.c,ring call call_crowd lane journal journal_relaxed)))
# Simple tests run before hard ones, so the first failure is the cause.
SCRIPTS := $(shell find t -mindepth 2 \( -name '*.t' -o -name '*.py' \) ! -path 't/lib/*' | sort) $(wildcard t/*.py)
HARD    := t/sending/% t/clients/% t/corpus.py t/crash/%
TESTS   := $(filter-out $(HARD),$(SCRIPTS)) $(filter $(HARD),$(SCRIPTS))

all: $(BUILD)/postern  ## build the server (the default)

run: deps-run  ## build, make a demo store in build/demo and serve it on loopback; P=10000 is its first port
	@$(MAKE) $(PARALLEL) all
	@BUILD=$(BUILD) t/demo $(BUILD)/demo $(P)

# Each of its two runs brings something of its own: the plain one ThreadSanitizer, the one with ASAN=1 a little fuzzing.
check: deps-check  ## build and run every test that is quick
	@$(MAKE) $(PARALLEL) all units disk $(BUILD)/bench/accounts_fill $(BUILD)/bench/queue_fill
	@$(MAKE) $(PARALLEL) $(if $(ASAN),ASAN= FUZZ=1 fuzzers,TSAN=1 CC=clang threaded)
	BUILD=$(BUILD) prove -j2 -e t/run $(UNITS) $(if $(ASAN),$(FUZZERS),$(THREADED)) $(TESTS)

unit: units  ## build and run the unit tests alone
	@prove -e t/run $(UNITS)

crash: deps-check  ## N times (1,000) kill the server under load, and cut its power; look for all that was acknowledged
	@$(MAKE) $(PARALLEL) all disk
	BUILD=$(BUILD) SEED=$(or $(SEED),random) KILLS=$(or $(N),1000) \
		TEST_LIMIT=0 prove -v -j$(JOBS) -e t/run $(wildcard t/crash/*.py) | t/crash/table

bench: deps-run  ## run a benchmark: B=name, PEER=another server to compare with
	@$(MAKE) $(PARALLEL) all $(BUILD)/bench/load $(BUILD)/bench/sink $(BUILD)/bench/offer $(BUILD)/bench/queue_fill $(BUILD)/bench/accounts_fill
	BUILD=$(BUILD) bench/run $(B) $(PEER)

fuzz: deps-check  ## run each fuzz target for T seconds (20) from its corpus
	@$(MAKE) $(PARALLEL) FUZZ=1 fuzzers
	FUZZ_S=$(or $(T),20) prove -v -j2 -e t/run $(FUZZERS)

PREFIX     := /usr/local
SYSCONFDIR := /etc
install: all  ## put program, sample configuration, manual and systemd unit in place (DESTDIR, PREFIX, SYSCONFDIR)
	install -D -m 755 $(BUILD)/postern $(DESTDIR)$(PREFIX)/sbin/postern
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 conf/*.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 conf/*.5
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/sbin|$(PREFIX)/sbin|' conf/postern.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/postern.service
	install -D -m 644 conf/postern.conf $(DESTDIR)$(PREFIX)/share/doc/postern/postern.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/postern/postern.conf || \
		install -D -m 640 conf/postern.conf $(DESTDIR)$(SYSCONFDIR)/postern/postern.conf

pages: all  ## write conf/postern.conf and conf/postern.conf.5 anew, after a change of settings
	$(BUILD)/postern help sample >conf/postern.conf
	$(BUILD)/postern help manual >conf/postern.conf.5

C_FILES = $(shell git ls-files '*.c' '*.h')
format: deps-lint  ## lay out all C sources as .clang-format says
	@clang-format -i $(C_FILES)

lint: deps-lint  ## look for what compilers do not see: layout, banned calls, doubtful code
	@clang-format --dry-run -Werror $(C_FILES)
	@! grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|system|popen|usleep|sleep) ?\(' $(filter-out t/%,$(C_FILES))
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability -D_GNU_SOURCE -I. \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches $(SOURCES)

clean:  ## remove what was built, demo store included
	rm -rf "$$(readlink -f build/demo)" build

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## /{printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# Building -------------------------------------------------------------------------------------------------------

units: $(UNITS)
disk: $(BUILD)/t/crash/disk.so
threaded: $(THREADED)
fuzzers: $(FUZZERS)

# From the objects, not the archive, of which the linker would silently take one of two functions of the same name.
$(BUILD)/postern: $(BUILD)/core/main.o $(OBJECTS) $(BUILD)/sources
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(BUILD)/libpostern.a: $(OBJECTS) $(BUILD)/sources
	@rm -f $@
	@ar rcs $@ $(OBJECTS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(BUILD)/libpostern.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libpostern.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/t/fuzz/%: $(BUILD)/t/fuzz/%.o $(BUILD)/libpostern.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# Loaded into a server of any build: without sanitizers of its own.
$(BUILD)/t/crash/%.so: t/crash/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

# Files that change when the compiler, its flags or the list of sources do, and only then.
$(BUILD)/flags: STATE = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LIBS)
$(BUILD)/sources: STATE = $(SOURCES)
$(BUILD)/flags $(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(STATE)' | cmp -s - $@ || echo '$(STATE)' >$@

# A make started from here works in parallel, unless the whole already does.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) --no-print-directory

# What is needed of Debian ---------------------------------------------------------------------------------------

deps-run: PACKAGES := $(BUILD_PACKAGES) $(RUN_PACKAGES)
deps-check: PACKAGES := $(BUILD_PACKAGES) $(RUN_PACKAGES) $(CHECK_PACKAGES)
deps-lint: PACKAGES := $(LINT_PACKAGES)
deps: deps-check
deps-run deps-check deps-lint:
	@t/deps $(PACKAGES)

-include $(OBJECTS:.o=.d) $(BUILD)/core/main.d $(BUILD)/bench/load.d $(BUILD)/bench/sink.d $(BUILD)/bench/offer.d $(BUILD)/bench/queue_fill.d $(BUILD)/bench/accounts_fill.d $(UNITS:=.d) $(FUZZERS:=.d)
.PHONY: all run check unit crash bench fuzz install pages format lint clean help
.PHONY: units disk threaded fuzzers deps deps-run deps-check deps-lint FORCE
.SECONDARY:

# Makefile - builds Postern, installs what that needs, runs it and tests it. `make help` lists the targets.

CC       ?= gcc
BUILD    := build
CPPFLAGS := -D_GNU_SOURCE -I.
CFLAGS   := -std=gnu11 -O2 -g -Wall -Wextra -Werror -fstack-protector-strong -fno-omit-frame-pointer -pthread -MMD -MP
LDFLAGS  := -pthread -Wl,--fatal-warnings

ifdef ASAN
BUILD    := build/asan
CFLAGS   += -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=address,undefined
endif
ifdef TSAN
BUILD    := build/tsan
CFLAGS   += -fsanitize=thread
LDFLAGS  += -fsanitize=thread
endif

# Debian keeps BoringSSL apart from OpenSSL; BORINGSSL=DIR takes a tree of include/ and lib/ instead.
MULTIARCH := $(shell $(CC) -print-multiarch)
ifdef BORINGSSL
CPPFLAGS += -isystem $(BORINGSSL)/include
SSL_LIBS := -L$(BORINGSSL)/lib -lssl -lcrypto -lstdc++
else
CPPFLAGS += -isystem /usr/include/android
SSL_LIBS := -L/usr/lib/$(MULTIARCH)/android -Wl,-rpath,/usr/lib/$(MULTIARCH)/android -lssl -lcrypto
endif
LIBS := $(SSL_LIBS) -lev -lleveldb -lconfuse -ljansson -lcrypt

SOURCES := $(shell find core conf dns storage protocols sip -name '*.c' 2>/dev/null)
OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out core/main.c,$(SOURCES)))
UNITS   := $(patsubst %.c,$(BUILD)/%,$(wildcard t/unit/*.c))

all: $(BUILD)/postern

$(BUILD)/postern: $(BUILD)/core/main.o $(BUILD)/libpostern.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libpostern.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(BUILD)/libpostern.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

unit: $(UNITS)
	prove -e '' $(UNITS)

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all unit clean
.SECONDARY:

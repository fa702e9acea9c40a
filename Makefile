# make run    build everything, start the service on loopback, classify the examples, keep serving
# make test   the tests that need nothing but Go, a C compiler and ONNX Runtime
# make build  bin/goshawk        make dist   one file with the runtime inside, for machines without tools
# make lint   make bench         make docs   make lib   make clean   make protos
#
# LISTEN=HOST:PORT and DATA=DIR tell run where to listen and where to keep what is kept.

LISTEN ?= 127.0.0.1:8080
DATA ?=
TESTFLAGS ?=
SHARED ?= ../shared
LINT_VERSION = v2.15.0

export CGO_ENABLED = 1
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
# Without a usable git (an archive, another owner's checkout) the go command cannot stamp the commit and would stop.
VCS = $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)
BUILD = go build -trimpath $(VCS) -ldflags "-X main.release=$(VERSION)"

EMBEDDED = internal/infer/ort/embedded/libonnxruntime.gz
DIST = dist/goshawk-$(VERSION)-$(shell go env GOOS)-$(shell go env GOARCH)

.PHONY: run build lib test dist bench lint docs protos clean need

run: build
	@exec scripts/run.sh "$(LISTEN)" "$(DATA)"

build: lib
	@scripts/modules.sh ./cmd/goshawk
	@$(BUILD) -o bin/goshawk ./cmd/goshawk

# First of all: is everything there that cannot be fetched?
need:
	@scripts/need.sh

lib: need
	@scripts/fetch-runtime.sh lib

test: build # the end-to-end tests run the real program
	@scripts/modules.sh -test ./...
	go test $(TESTFLAGS) ./...

# The pinned library goes into the program compressed, and no other; the copy is taken away again, since it is no source.
dist: need
	@GOSHAWK_ONNXRUNTIME_LIBRARY= scripts/fetch-runtime.sh lib
	@scripts/modules.sh ./cmd/goshawk
	@mkdir -p dist
	@gzip -9nc lib/libonnxruntime.so.* >$(EMBEDDED)
	@$(BUILD) -tags dist -o $(DIST) ./cmd/goshawk; code=$$?; rm -f $(EMBEDDED); exit $$code
	@for text in LICENSE ThirdPartyNotices.txt; do \
		if [ -f lib/$$text ]; then cp -f lib/$$text $(DIST).onnxruntime-$$text; \
		else echo "goshawk: lib has no $$text of ONNX Runtime to go with the file (rm -r lib, and make dist fetches it with the library)"; fi; \
	done
	@ls -lh $(DIST)*

bench: build # wants the test data beside the checkout, or SHARED=DIR
	go run ./bench -server bin/goshawk -shared "$(SHARED)"

docs: need
	go run ./cmd/goshawk reference docs/reference
	go run ./tools/notices NOTICE

protos: need # the Go code of api/oip
	go run ./tools/protos

lint: .cache/bin/golangci-lint-$(LINT_VERSION) # twice: a helper may be unused without the tests that CI runs, and a stub with them
	.cache/bin/golangci-lint-$(LINT_VERSION) run ./...
	.cache/bin/golangci-lint-$(LINT_VERSION) run --build-tags ci ./...

.cache/bin/golangci-lint-$(LINT_VERSION):
	@scripts/need.sh
	@echo "goshawk: building golangci-lint $(LINT_VERSION) (some minutes, once)"
	GOBIN="$(CURDIR)/.cache/bin" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .cache/bin/golangci-lint $@

clean:
	rm -rf bin dist lib .cache

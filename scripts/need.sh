#!/bin/sh
# Says in one sentence what is missing to build Goshawk, before anything is
# fetched or built. Silent when all is there.
set -u
cd "$(dirname "$0")/.." || exit 1

stop() {
	echo "goshawk: $*" >&2
	exit 1
}

wanted=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' go.mod)
command -v go >/dev/null 2>&1 || stop "Go is not installed (Go 1.$wanted or newer is needed: https://go.dev/dl)"

# Asked outside the module: inside it an older Go would begin to fetch a newer one.
version=$(cd / && GOTOOLCHAIN=local go version 2>/dev/null)
have=$(echo "$version" | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
[ -n "$have" ] || stop "'go version' says \"$version\", which is no version (Go 1.$wanted or newer is needed: https://go.dev/dl)"
if [ "$have" -lt 21 ]; then
	stop "Go 1.$have is too old, and too old to fetch a newer one by itself, as Debian 12's own Go is (Go 1.$wanted is needed: https://go.dev/dl)"
fi
if [ "$have" -lt "$wanted" ]; then
	toolchain=$(cd / && go env GOTOOLCHAIN)
	[ "$toolchain" != local ] || stop "Go 1.$have is too old, and GOTOOLCHAIN=local keeps it from fetching a newer one (set GOTOOLCHAIN=auto, or install Go 1.$wanted: https://go.dev/dl)"
	cache=$(cd / && go env GOMODCACHE)
	ls -d "$cache"/golang.org/toolchain@*go1."$wanted"* >/dev/null 2>&1 ||
		echo "goshawk: Go 1.$have fetches Go 1.$wanted for this build (about 72 MB, once)"
fi

cc=${CC:-$(cd / && GOTOOLCHAIN=local go env CC)}
echo '#include <stdlib.h>' | ${cc:-cc} -E - >/dev/null 2>&1 ||
	stop "a C compiler with its headers is missing: \"${cc:-cc}\" does not work (on Debian and Ubuntu: apt-get install gcc libc6-dev)"

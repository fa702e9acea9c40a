#!/bin/sh
# Says how much the go command is about to fetch, when it is about to.
# usage: modules.sh [-test] PACKAGES
set -u
cd "$(dirname "$0")/.." || exit 1
if [ "$1" = -test ]; then
	size="29 MB without what is there already"
else
	size="24 MB"
fi
GOPROXY=off GOFLAGS=-mod=readonly go list -deps "$@" >/dev/null 2>&1 ||
	echo "goshawk: fetching Go modules (about $size; once)"

#!/bin/sh
# Builds one file that has the runtime library inside.
# usage: dist.sh VERSION BUILD-COMMAND
set -eu
cd "$(dirname "$0")/.."
name=goshawk-$1-$(go env GOOS)-$(go env GOARCH)
mkdir -p dist internal/infer/ort/embedded
gzip -9nc "$(ls lib/libonnxruntime.so.*)" >internal/infer/ort/embedded/libonnxruntime.gz
$2 -tags dist -o "dist/$name" ./cmd/goshawk
echo "dist/$name ($(($(wc -c <"dist/$name") / 1000000)) MB)"

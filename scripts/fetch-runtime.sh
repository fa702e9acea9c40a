#!/bin/sh
# Puts ONNX Runtime 1.30.0 into the directory named by the argument:
#
#	scripts/fetch-runtime.sh lib
#
# It comes from pip's wheel, or else from npm's package; both are pinned by the
# digest of what is downloaded and of the library inside. When the right file is
# there already nothing is fetched and nothing printed. GOSHAWK_FETCH=pip or npm
# allows only that one. A library of the user's own, named by
# GOSHAWK_ONNXRUNTIME_LIBRARY, wins: then none is fetched.
set -eu

version=1.30.0
say() { printf '%s\n' "$*" >&2; }
fail() {
	say "fetch-runtime: $*"
	exit 1
}

[ $# -eq 1 ] || fail "name one directory to put the library in (as in: scripts/fetch-runtime.sh lib)"
dest=$1
own=${GOSHAWK_ONNXRUNTIME_LIBRARY:-}
if [ -n "$own" ]; then
	[ -f "$own" ] || fail "GOSHAWK_ONNXRUNTIME_LIBRARY names $own, and there is no such file"
	exit 0
fi
library="$dest/libonnxruntime.so.$version"

# The digests were taken from the files that pip and npm fetched on the day
# this release was chosen; both packages hold Microsoft's own builds.
npm_archive=6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75
case "$(uname -s)-$(uname -m)" in
Linux-x86_64 | Linux-amd64)
	platform=manylinux_2_28_x86_64 wheel_size="23.6 MB" node=x64
	wheel=fa688e7891a6aa206636fe7372e27ee75fd17713289f6b4fc7b190e0a7de9328
	from_wheel=c902c70b3003c0e99fada202f37478c515ae9bba7944c2b2abd0017bae0c82ed
	from_npm=ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23
	;;
Linux-aarch64 | Linux-arm64)
	platform=manylinux_2_28_aarch64 wheel_size="21.3 MB" node=arm64
	wheel=6c32a000d5139a38ba9349030b0032e3331acb559d596b22738d9d2b343a2b83
	from_wheel=8a218e1e446880131115c368ec7005969a5022af9a15a26173de648fef0b7789
	from_npm=1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76
	;;
*)
	fail "no ONNX Runtime is pinned for $(uname -s) on $(uname -m): install release $version yourself and name its library by GOSHAWK_ONNXRUNTIME_LIBRARY"
	;;
esac

has() { command -v "$1" >/dev/null 2>&1; }

digest() {
	if has sha256sum; then
		sha256sum "$1" | cut -d ' ' -f 1
	else
		shasum -a 256 "$1" | cut -d ' ' -f 1
	fi
}

if [ -f "$library" ]; then
	case "$(digest "$library")" in
	"$from_wheel" | "$from_npm") exit 0 ;;
	esac
	say "$library is not the pinned one and will be replaced"
fi

mkdir -p "$dest" || fail "the directory $dest cannot be made"
work=$(mktemp -d "$dest/.fetch.XXXXXX") || fail "the directory $dest cannot be written to"
work_full=$(cd "$work" && pwd)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# check FILE DIGEST WHAT
check() {
	got=$(digest "$1")
	[ "$got" = "$2" ] || fail "$3 has the sha256 $got and not the pinned $2: it is damaged or not the real one, and was thrown away"
}

# place FILE DIGEST moves the library to its name in one step.
place() {
	check "$1" "$2" "the library inside"
	chmod 755 "$1"
	mv -f "$1" "$library"
	say "ONNX Runtime $version is in $library"
	exit 0
}

# The licence texts that travel with the library, where the archive has them.
texts="LICENSE ThirdPartyNotices.txt"
keep() {
	[ ! -s "$work/$1" ] || mv -f "$work/$1" "$dest/$1"
}

# reason gives the last telling line of a log. pip says that there is no such
# release when it reached no index at all.
reason() {
	if grep -q 'No matching distribution' "$1"; then
		echo "the package index was not reached, or lacks this release"
		return
	fi
	grep -v '^[[:space:]]*$' "$1" | grep -iv 'notice\|a complete log' | tail -n 1 | cut -c 1-200
}

# python_command gives a Python, or nothing. That one answers is asked, since a version
# manager's shim may stand for none.
python_command() {
	for name in python3 python; do
		if has $name && $name -c 'import zipfile' >/dev/null 2>&1; then
			echo $name
			break
		fi
	done
}

# unzip_one ARCHIVE ENTRY FILE
unzip_one() {
	python=$(python_command)
	if has unzip; then
		unzip -p "$1" "$2" >"$3"
	elif [ -n "$python" ]; then
		$python -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$1" "$2" >"$3"
	elif has bsdtar; then
		bsdtar -xOf "$1" "$2" >"$3"
	else
		(cd "$(dirname "$0")" && go run ./unpack "$work_full/${1#"$work"/}" "$2") >"$3"
	fi
}

# pip gives a command that is pip, or nothing.
pip_command() {
	for name in "python3 -m pip" "python -m pip" pip3 pip; do
		if has ${name%% *} && $name --version >/dev/null 2>&1; then
			echo "$name"
			break
		fi
	done
}

tried=""

by_pip() {
	pip=$(pip_command)
	if [ -z "$pip" ]; then
		tried="$tried; pip is not installed"
		return
	fi
	say "fetching ONNX Runtime $version by pip ($wheel_size) ..."
	if ! $pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --retries 2 --only-binary=:all: \
		--platform $platform --python-version 3.12 --implementation cp \
		--dest "$work/wheel" "onnxruntime==$version" >"$work/log" 2>&1 </dev/null; then
		tried="$tried; pip: $(reason "$work/log")"
		return
	fi
	archive=$(find "$work/wheel" -name '*.whl')
	check "$archive" $wheel "the wheel that pip fetched"
	unzip_one "$archive" "onnxruntime/capi/libonnxruntime.so.$version" "$work/library" >&2 ||
		fail "the wheel cannot be unpacked: install unzip"
	for text in $texts; do
		if unzip_one "$archive" "onnxruntime/$text" "$work/$text" 2>/dev/null; then keep "$text"; fi
	done
	place "$work/library" $from_wheel
}

by_npm() {
	if ! has npm; then
		tried="$tried; npm is not installed"
		return
	fi
	say "fetching ONNX Runtime $version by npm (113.5 MB) ..."
	if ! (cd "$work" && npm pack --ignore-scripts --no-update-notifier --fund=false --audit=false --fetch-retries=1 \
		--cache "$PWD/cache" "onnxruntime-node@$version" >log 2>&1 </dev/null); then
		tried="$tried; npm: $(reason "$work/log")"
		return
	fi
	archive="$work/onnxruntime-node-$version.tgz"
	check "$archive" $npm_archive "the package that npm fetched"
	tar -xzOf "$archive" "package/bin/napi-v6/linux/$node/libonnxruntime.so.1" >"$work/library" ||
		fail "the package cannot be unpacked"
	for text in $texts; do
		if tar -xzOf "$archive" "package/$text" >"$work/$text" 2>/dev/null; then keep "$text"; fi
	done
	place "$work/library" $from_npm
}

case "${GOSHAWK_FETCH:-any}" in
pip) by_pip ;;
npm) by_npm ;;
*)
	by_pip
	by_npm
	;;
esac
fail "ONNX Runtime $version could not be fetched: ${tried#; } (or fetch release $version yourself and name its library by GOSHAWK_ONNXRUNTIME_LIBRARY)"

#!/bin/sh
# Starts the service, classifies the example pictures through its own API,
# prints a READY line and keeps serving until it is told to stop.
# usage: run.sh LISTEN [DATA]
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkfifo "$scratch/lines"
# Quiet unless somebody asks: a log between the lines of the table helps nobody.
GOSHAWK_LOG_LEVEL=${GOSHAWK_LOG_LEVEL:-warn} bin/goshawk serve --listen "$1" ${2:+--data "$2"} >"$scratch/lines" &
server=$!
# Ctrl-C reaches the server by itself (same terminal); a second signal from here would cut its draining short.
trap : INT
trap 'kill -TERM $server 2>/dev/null' TERM HUP

finish() { # waits for the server through any number of signals and ends as it ended
	code=0
	while kill -0 $server 2>/dev/null; do
		wait $server && code=0 || code=$?
	done
	exit $code
}

url=
exec 3<"$scratch/lines"
while read -r word rest <&3; do
	echo "$word${rest:+ $rest}"
	case $word in
	listening) url=$rest ;;
	ready) break ;;
	esac
done
if [ "${word:-}" != ready ]; then
	wait $server && code=0 || code=$?
	[ $code -ne 0 ] || exit 0
	echo "make run: the service did not start (another address: make run LISTEN=127.0.0.1:0; another data directory: DATA=DIR)" >&2
	exit $code
fi

# expected.csv says which of the two models a picture is for.
for model in imagenet cifar10; do
	set --
	while IFS=, read -r file for _; do
		[ "$for" != $model ] || set -- "$@" "examples/$file"
	done <examples/expected.csv
	echo
	echo "$model:"
	bin/goshawk predict --server "$url" --model $model --output table "$@" ||
		echo "make run: not every example was classified" >&2
done
echo
echo "READY $url"
finish

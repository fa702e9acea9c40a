"""A table of calls and what came of them, for the Go test that runs the script:
one line each, OK or FAIL, the call and its outcome between tabs."""

import sys
import traceback

failed = 0


def line(word, call, outcome):
    flat = " ".join(str(outcome).split())
    print(f"{word}\t{call}\t{flat[:160]}", flush=True)


def wrong(call, error):
    global failed
    failed += 1
    line("FAIL", call, f"{type(error).__name__}: {error}")
    traceback.print_exception(error, limit=-3, file=sys.stderr)


async def call(name, work, *args, **kwargs):
    """Runs work, an async function that says its outcome and asserts what it wants."""
    try:
        line("OK", name, await work(*args, **kwargs))
    except Exception as error:
        wrong(name, error)


def end():
    sys.exit(1 if failed else 0)

"""A table of calls and what came of them, for the Go test that runs the script: one
line each with tabs between OK or FAIL, the extension, the row of the table that the
call belongs to and what that says, the call, and its outcome."""

import sys
import traceback

PROTOCOL = "(the protocol)"
failed = 0
extension = PROTOCOL


def section(name):
    """The extension that the next calls are of."""
    global extension
    extension = name


def line(word, call, outcome, row=None):
    flat = " ".join(str(outcome).split())[:160]
    title, says = row or (call, flat)
    print(f"{word}\t{extension}\t{title}\t{says}\t{call}\t{flat}", flush=True)


def wrong(call, error):
    global failed
    failed += 1
    line("FAIL", call, f"{type(error).__name__}: {error}")
    traceback.print_exception(error, limit=-3, file=sys.stderr)


async def call(name, work, *args, row=None, **kwargs):
    """Runs work, an async function that says its outcome and asserts what it wants.
    Calls that are alike have one row, a pair of its title and what it says."""
    try:
        line("OK", name, await work(*args, **kwargs), row)
    except Exception as error:
        wrong(name, error)


def end():
    sys.exit(1 if failed else 0)

"""The emulator as a program: ``python -m tests.emulator --port 8090 --demo``."""

from __future__ import annotations

import argparse
import sys

import uvicorn

from . import __doc__ as about
from . import demo, faults, server, switches
from .emulator import SECRET, TOKEN, Emulator


def arguments(words: list[str]) -> argparse.Namespace:
    epilog = f"{about}\nSwitches (--set NAME=VALUE)\n{switches.manual()}\n\n{faults.__doc__}"
    parser = argparse.ArgumentParser("python -m tests.emulator", epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--database", default=":memory:", help="SQLite file; without it nothing is kept")
    parser.add_argument("--demo", action="store_true", help="fill an empty account with a small office")
    parser.add_argument("--zone", default="Europe/Berlin", help="the account's time zone")
    parser.add_argument("--token", default=TOKEN, help="of the first API user, default %(default)s")
    parser.add_argument("--secret", default=SECRET, help="default %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a switch, see below")
    parser.add_argument("--chaos", type=float, default=0.0, metavar="RATE", help="share of requests that meet a fault, 0 to 1")
    parser.add_argument("--seed", type=int, default=0, help="of --chaos")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    given = arguments(words)
    try:
        named = dict(one.split("=", 1) for one in given.set)
        chosen = switches.Switches(named)
    except ValueError as error:
        sys.exit(str(error))
    changed = {name: chosen[name] for name in named}
    emulator = Emulator(given.database, switches=changed, zone=given.zone, token=given.token, secret=given.secret)
    if given.demo:
        demo.fill(emulator)
    emulator.faults.chaos(given.chaos, given.seed)
    emulator.account.base = f"http://{given.host}:{given.port}"
    sys.stdout.write(f"API {emulator.account.base}/api/stable/api.php, page {emulator.account.base}/, token {given.token}\n")
    sys.stdout.flush()
    uvicorn.Server(server.config(emulator, host=given.host, port=given.port, log_level="warning")).run()


if __name__ == "__main__":
    main(sys.argv[1:])

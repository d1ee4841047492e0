"""The virtual cards as one machine: options, PCI addresses, seeds, dump.

ConnectX-4 with two ports is two PCI functions (04:00.0 and 04:00.1) over one
store; ConnectX-3 is one function (05:00.0) for both ports.
"""

import argparse
import json

import cx4_registers
from cx3_card import Cx3Card
from cx4_card import Cx4Function

CX3_ADDRESS = "0000:05:00.0"
CX4_ADDRESS = "0000:04:00.{}"


def add_options(parser):
    """Command-line options that every front end shares."""
    parser.add_argument("--card", action="append", choices=("cx3", "cx4"), required=True,
                        help="put this card into the machine (can be repeated)")
    parser.add_argument("--factory", action="store_true", help="no TLV is set")
    parser.add_argument("--seed", action="append", default=[], metavar="[CARD:]TYPE[/MOD]=HEX",
                        help="store a raw TLV; MOD is the port (cx3) or the function (cx4, class 3)")
    parser.add_argument("--corrupt", action="append", default=[], metavar="[CARD:]TYPE[/MOD]",
                        help="reading this TLV answers status 0x22")
    parser.add_argument("--ports", type=int, choices=(1, 2), default=2)
    parser.add_argument("--no-ip-ver", action="store_true",
                        help="the firmware does not offer the IP version setting")
    parser.add_argument("--no-cr-mailbox", action="store_true",
                        help="ConnectX-3 without the mailbox window in CR space")
    parser.add_argument("--boot-retry", action="store_true",
                        help="ConnectX-4 whose boot TLV has version 1 (shows BOOT_RETRY_CNT)")
    parser.add_argument("--unset", choices=("status8", "default"), default="status8",
                        help="what ConnectX-4 answers to a plain read of an absent TLV")
    parser.add_argument("--dump", metavar="FILE", help="write the final state as JSON")


def parse(parser, argv=None):
    """Split `options -- COMMAND...` and parse; the command comes back as `command`."""
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    return options


class Machine:
    """The cards asked for, keyed by PCI address."""

    def __init__(self, options):
        self.options = options
        self.functions = {}
        self.stores = {}
        if "cx4" in options.card:
            settings = cx4_registers.Settings(options)
            self.stores["cx4"] = settings.store
            for index in range(options.ports):
                self.functions[CX4_ADDRESS.format(index)] = Cx4Function(settings, index)
        if "cx3" in options.card:
            card = Cx3Card(options)
            self.stores["cx3"] = card.registers.store
            self.functions[CX3_ADDRESS] = card
        for text in options.seed:
            name, value = text.split("=", 1)
            store, key = self._locate(name)
            store.seed(key, bytes.fromhex(value.removeprefix("0x")))
        for text in options.corrupt:
            store, key = self._locate(text)
            store.corrupt.add(key)

    def _locate(self, text):
        """Store and key of `[CARD:]TYPE[/MOD]`; without a card, guessed from the type."""
        card, _, name = text.rpartition(":")
        kind, _, modifier = name.partition("/")
        kind, modifier = int(kind, 16), int(modifier or "0", 0)
        if not card:
            looks_like_cx3 = 0x10 <= kind <= 0x14 or 0x2000 <= kind <= 0x2FFF
            card = "cx3" if looks_like_cx3 else "cx4"
            if len(self.stores) == 1:
                card = next(iter(self.stores))
        if card not in self.stores:
            raise SystemExit(f"{text}: there is no {card} in this machine")
        return self.stores[card], (kind, modifier)

    def state(self):
        """Final state for the dump, one entry for each card."""
        cards = {}
        for address, function in self.functions.items():
            card = cards.setdefault(function.kind, {
                **self.stores[function.kind].dump(), "semaphores": [], "violations": {},
                "config_reads": 0, "config_writes": 0, "functions": {}})
            card["semaphores"] += function.held()
            card["config_reads"] += function.config.reads
            card["config_writes"] += function.config.writes
            for text, count in function.violations.items():
                card["violations"][text] = card["violations"].get(text, 0) + count
            card["functions"][address] = {"config_reads": function.config.reads,
                                          "config_writes": function.config.writes}
            if function.kind == "cx4":
                card["registers"] = function.settings.counts
                card["resets"] = function.settings.resets
            else:
                card["registers"] = function.registers.counts
        return cards

    def write_dump(self):
        """Write the dump file if one was asked for."""
        if self.options.dump:
            with open(self.options.dump, "w", encoding="ascii") as file:
                json.dump(self.state(), file, indent=1)
                file.write("\n")

"""Run QEMU with the virtual cards as real PCI devices of its guest.

    python3 mpqemu.py --card cx4 [card options] -- qemu-system-x86_64 ... \\
        -device x-pci-proxy-dev,id=nic0,fd={fd0},addr=04.0

Placeholders {fd0}, {fd1}, ... stand for one inherited socket for each function, in
the order of their PCI addresses. The other end of each socket speaks the multi
process protocol of QEMU 7.2: a header of 16 bytes (command, size), then a payload.
BAR accesses carry absolute addresses, so the BARs are decoded here.
"""

import argparse
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import foreign_card

SYNC_SYSMEM, RET, CFG_WRITE, CFG_READ, BAR_WRITE, BAR_READ, SET_IRQFD, RESET = range(8)
HEADER = struct.Struct("<iIQ")
CONFIG_ACCESS = struct.Struct("<IIi")
BAR_ACCESS = struct.Struct("<QQI")
MAX_DESCRIPTORS = 8

CIS_POINTER, BAR1, ROM_BAR = 0x28, 0x14, 0x30
ONES = 0xFFFFFFFF


def power_of_two(size, least):
    """The smallest power of two that holds `size` bytes."""
    return max(least, 1 << (size - 1).bit_length())


class ProxyDevice:
    """One PCI function behind one socket."""

    def __init__(self, function, rom):
        self.function = function
        self.config = function.config
        self.rom = rom
        self.probing = True
        self.probed = {}
        if rom:
            self.config.add_rom(power_of_two(len(rom), 2048))
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def serve_one(self):
        """Answer one message; False when QEMU has closed its end."""
        header, ancillary, _, _ = self.near.recvmsg(
            HEADER.size, socket.CMSG_SPACE(4 * MAX_DESCRIPTORS))
        for _, _, data in ancillary:
            for number in struct.unpack(f"<{len(data) // 4}i", data):
                os.close(number)
        if len(header) < HEADER.size:
            return False
        command, _, size = HEADER.unpack(header)
        payload = self.near.recv(size, socket.MSG_WAITALL) if size else b""
        answer = self._handle(command, payload)
        if answer is not None:
            self.near.sendall(HEADER.pack(RET, 0, 8) + struct.pack("<Q", answer))
        return True

    def _handle(self, command, payload):
        if command in (CFG_READ, CFG_WRITE):
            address, value, size = CONFIG_ACCESS.unpack(payload)
            return self._config(command == CFG_WRITE, address, value, size)
        if command in (BAR_READ, BAR_WRITE):
            address, value, size = BAR_ACCESS.unpack_from(payload)
            return self._bar(command == BAR_WRITE, address, value, size)
        if command == RESET:
            self.probing = False
            self.function.device_reset()
            return 0
        return None

    def _config(self, is_write, address, value, size):
        """Configuration access, with two lies while QEMU sizes the BARs.

        QEMU registers each BAR register as 32 bits, so the upper half of BAR0 must
        look empty; and a size answered at 0x28 becomes the expansion ROM region.
        """
        if self.probing and size == 4 and address in (BAR1, CIS_POINTER):
            if is_write:
                self.probed[address] = value
                return 0
            sizing = address == CIS_POINTER and self.rom and self.probed.get(address) == ONES
            return -self.config.bars[ROM_BAR] & ONES if sizing else 0
        if is_write:
            self.config.write(address, value, size)
            return 0
        return self.config.read(address, size)

    def _bar(self, is_write, address, value, size):
        place = address - self.config.bar_address(0x10)
        if 0 <= place < self.function.bar0_bytes:
            return self._bar0(is_write, place, value, size)
        if self.rom and not is_write:
            place = address - self.config.bar_address(ROM_BAR)
            if 0 <= place < self.config.bars[ROM_BAR]:
                return int.from_bytes(self.rom[place:place + size].ljust(size, b"\xff"), "little")
        return 0 if is_write else (1 << 8 * size) - 1

    def _bar0(self, is_write, place, value, size):
        """The registers behind BAR0 are big-endian dwords."""
        start, inside = place & ~3, place & 3
        if size == 4 and inside == 0 and is_write:
            self.function.bar0_write(start, int.from_bytes(value.to_bytes(8, "little")[:4], "big"))
            return 0
        data = bytearray(self.function.bar0_read(start).to_bytes(4, "big"))
        if is_write:
            data[inside:inside + size] = value.to_bytes(8, "little")[:size]
            self.function.bar0_write(start, int.from_bytes(data[:4], "big"))
            return 0
        return int.from_bytes(data[inside:inside + size], "little")


def add_rom_option(parser):
    """The option that gives the cards expansion ROMs."""
    parser.add_argument("--rom", action="append", default=[], metavar="[CARD:]FILE",
                        help="expansion ROM image of every function, or of those of one card")


def load_roms(options):
    """The images of `--rom` by kind of card."""
    roms = {}
    for text in options.rom:
        card, _, path = text.rpartition(":") if text[:4] in ("cx3:", "cx4:") else ("", "", text)
        with open(path, "rb") as file:
            data = file.read()
        roms.update(dict.fromkeys([card] if card else options.card, data))
    return roms


def run(machine, command, roms=None, timeout=None, **popen):
    """Start QEMU and serve its cards; (exit code or None after a timeout, stdout)."""
    devices = [ProxyDevice(function, (roms or {}).get(function.kind, b""))
               for _, function in sorted(machine.functions.items())]
    numbers = [device.far.fileno() for device in devices]
    for index, number in enumerate(numbers):
        command = [word.replace(f"{{fd{index}}}", str(number)) for word in command]
    qemu = subprocess.Popen(command, pass_fds=numbers, **popen)
    for device in devices:
        device.far.close()
    try:
        return _serve(devices, qemu, timeout)
    finally:
        if qemu.poll() is None:
            qemu.kill()
            qemu.wait()
        for device in devices:
            device.near.close()


def _serve(devices, qemu, timeout):
    deadline = time.monotonic() + timeout if timeout else None
    output = []
    poll = select.poll()
    sources = {device.near.fileno(): device for device in devices}
    process = os.pidfd_open(qemu.pid)
    console = qemu.stdout.fileno() if qemu.stdout else None
    for number in [*sources, process] + ([console] if console is not None else []):
        poll.register(number, select.POLLIN)
    try:
        while True:
            left = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
            events = poll.poll(left)
            if not events and left is not None:
                return None, b"".join(output)
            for number, _ in events:
                if number in sources and not _alive(sources[number]):
                    poll.unregister(number)
                elif number == console:
                    output.append(os.read(console, 65536))
                    if not output[-1]:
                        poll.unregister(console)
            if {number for number, _ in events} == {process}:
                return qemu.wait(), b"".join(output)
    finally:
        os.close(process)


def _alive(device):
    try:
        return device.serve_one()
    except (ConnectionError, BrokenPipeError):
        return False


def main():
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    foreign_card.add_options(parser)
    add_rom_option(parser)
    parser.add_argument("--timeout", type=float, metavar="SECONDS")
    options = foreign_card.parse(parser)
    if not options.command:
        parser.error("no QEMU command given after --")
    roms = load_roms(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = foreign_card.Machine(options)
    code, _ = run(machine, options.command, roms, options.timeout)
    machine.write_dump()
    if code is None:
        print(f"QEMU did not end within {options.timeout:g} s", file=sys.stderr)
        return 124
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())

"""Registers of the virtual ConnectX-4 and the settings behind them.

Type dwords, lengths and bits are those of the mstflint 4.21 database; the values
follow a published dual-port ConnectX-4 Lx. Class 3 settings belong to one PCI
function, all others to the whole card. A request always says host 0, function 0,
which means "the function that asks" (mstconfig 4.21 observed, FlexBoot source).
"""

import access_register as reg
from access_register import GET, SET, dword, put_dword
from tlv_store import TlvStore

FIRMWARE = (12, 28, 2006)
PSID = "MT_2150110033"
NAME = "MCX456A-ECA_Ax"
DESCRIPTION = ("ConnectX-4 VPI adapter card; EDR IB (100Gb/s) and 100GbE; dual-port QSFP28; "
               "PCIe3.0 x16; ROHS R6")
BASE_MAC = 0x7CFE9012A4B0

# nv_rom_cap: ip_ver, debug log, FlexBoot debug, UEFI logs, LACP, HII, without-failover, interrupt
ROM_CAP, ROM_CAP_IP_VER = 0x7CC00000, 0x80000000
EXP_ROM_PXE_AND_X86 = 0x06000000
HOST_CLASS = 3


def word(*values):
    """Big-endian dwords as TLV data."""
    return b"".join(value.to_bytes(4, "big") for value in values)


def settings_table(options):
    """type: (version for MNVQC, writable, factory bytes, bytes set by the owner)."""
    ip_ver = 0 if options.no_ip_ver else ROM_CAP_IP_VER
    ports = options.ports
    sriov = word(0x90000000, 0x80000000 | ports << 16 | 8, 0)
    boot = word(0xA0010001)
    table = {
        0x00000080: (0, True, sriov, sriov),
        0x00000081: (0, False, word(0x90000000, 0x80000000 | ports << 16 | 127, 0, 0, 0), None),
        0x00000101: (0, False, word(ROM_CAP | ip_ver), None),
        0x03000195: (2, True, word(0), word(0)),
        0x03000196: (0, True, word(0x80000000), word(0x80000000)),
        0x03000202: (0, True, word(0, 0, 0), word(0, 0, 0)),
        0x03000206: (0, True, word(0), word(0)),
        0x03000221: (1 if options.boot_retry else 0, True, boot, boot),
        0x03000222: (0, True, word(0), word(0)),
        0x07000080: (0, True, word(EXP_ROM_PXE_AND_X86), word(EXP_ROM_PXE_AND_X86)),
        0x07000081: (0, False, word(EXP_ROM_PXE_AND_X86), None),
    }
    for port in range(1, ports + 1):
        table[0x01000012 | port << 16] = (0, True, word(1 << 2), word(2 << 2))
        table[0x01000190 | port << 16] = (1, True, word(1), word(1))
    return table


class Settings:
    """What both functions of the card share: the store and the known types."""

    def __init__(self, options):
        self.options = options
        self.types = settings_table(options)
        self.store = TlvStore(8)
        self.resets = []
        self.counts = {}
        for kind, (_, _, factory, owner) in self.types.items():
            for function in range(options.ports if kind >> 24 == HOST_CLASS else 1):
                self.store.default[kind, function] = factory
                if owner is not None and not options.factory:
                    self.store.seed((kind, function), owner)

    def key(self, kind, function):
        """Where the store keeps this type for the asking function."""
        return kind, function if kind >> 24 == HOST_CLASS else 0


class FunctionRegisters:
    """The register file as one PCI function sees it."""

    def __init__(self, settings, function):
        self.settings = settings
        self.store = settings.store
        self.function = function
        self.table = {
            0x9020: (0xA0, self.mgir),
            0x9024: (12, self.mnvda),
            0x9025: (12, self.mnvdi),
            0x9028: (8, self.mfrl),
            0x9030: (8, self.mnvqc),
            0x9033: (8, self.mnvia),
            0x9034: (16, self.mnvgc),
            0x9035: (156, self.mnvgn),
            0x9064: (24, self.mqis),
        }

    def mgir(self, method, data):
        """General information (0x9020)."""
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        data[:0xA0] = reg.general_info(0, 0x1013, 0x209, self.settings.options.ports,
                                       BASE_MAC + self.function, FIRMWARE, PSID)
        return reg.OK

    def mnvqc(self, method, data):
        """Query capabilities (0x9030); type 0 is mstconfig's first probe."""
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        kind = dword(data, 0)
        if kind == 0:
            put_dword(data, 1, 0)
            return reg.OK
        if kind not in self.settings.types:
            return reg.BAD_PARAMETER
        version, writable, _, _ = self.settings.types[kind]
        put_dword(data, 1, version << 4 | writable << 1 | 1)
        return reg.OK

    def mnvda(self, method, data):
        """Read or write one TLV (0x9024): header of 12 bytes, then the data."""
        header, kind = dword(data, 0), dword(data, 1)
        length, default, current = header & 0x1FF, header >> 23 & 1, header >> 22 & 1
        key = self.settings.key(kind, self.function)
        if kind not in self.settings.types and key not in self.store.next:
            return reg.BAD_PARAMETER
        if default and current or method == SET and (default or current):
            return reg.BAD_PARAMETER
        if method == SET:
            return self._write(key, header, length, data)
        return self._read(key, header, length, default, current, data)

    def _read(self, key, header, length, default, current, data):
        if key in self.store.corrupt:
            return reg.CONFIG_CORRUPT
        value = self.store.get(key, "default" if default else "current" if current else "next")
        known = self.settings.types.get(key[0])
        always = known and not known[1] or self.settings.options.unset == "default"
        if value is None and always:
            value = self.store.get(key, "default")
        if value is None:
            return reg.RESOURCE_NOT_AVAILABLE
        if length < len(value) or len(data) < 12 + len(value):
            return reg.LENGTH_TOO_SMALL
        version = known[0] if known else 0
        put_dword(data, 0, header & 0x02C00000 | version << 12 | len(value))
        data[8:] = bytes(4) + value + bytes(len(data) - 12 - len(value))
        return reg.OK

    def _write(self, key, header, length, data):
        known = self.settings.types.get(key[0])
        if known and not known[1]:
            return reg.BAD_PARAMETER
        expected = len(known[2]) if known else len(self.store.next[key])
        if length < expected or len(data) < 12 + length:
            return reg.LENGTH_TOO_SMALL
        if length > expected:
            return reg.BAD_PARAMETER
        self.store.corrupt.discard(key)
        self.store.set(key, data[12:12 + length], function=self.function,
                       writer=header >> 16 & 0x1F, version=header >> 12 & 0xF)
        return reg.OK

    def mnvdi(self, method, data):
        """Delete one TLV (0x9025)."""
        if method != SET:
            return reg.METHOD_NOT_SUPPORTED
        known = self.settings.types.get(dword(data, 1))
        if not known or not known[1]:
            return reg.BAD_PARAMETER
        key = self.settings.key(dword(data, 1), self.function)
        self.store.corrupt.discard(key)
        self.store.delete(key, function=self.function)
        return reg.OK

    def mnvia(self, method, data):
        """Erase every user TLV of the card (0x9033)."""
        if method != SET:
            return reg.METHOD_NOT_SUPPORTED
        self.store.erase_all(function=self.function)
        return reg.OK

    def mnvgc(self, method, data):
        """General capabilities (0x9034): default and current can be read."""
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        put_dword(data, 0, 3)
        return reg.OK

    def mnvgn(self, method, data):
        """Walk the stored TLVs (0x9035): pointer at 0, header at 16, data at 28.

        Pointer 0 starts; the answer points past the TLV it carries, and is 0
        without a TLV at the end.
        """
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        keys = [key for key in sorted(self.store.next)
                if key == self.settings.key(key[0], self.function)]
        if not keys:
            return reg.RESOURCE_NOT_AVAILABLE
        index = dword(data, 0)
        data[:156] = bytes(156)
        if index < len(keys):
            value = self.store.next[keys[index]]
            put_dword(data, 0, index + 1)
            put_dword(data, 4, len(value))
            put_dword(data, 5, keys[index][0])
            data[28:28 + len(value)] = value
        return reg.OK

    def mfrl(self, method, data):
        """Reset level (0x9028): triggers 0x08 (PCI reset) and 0x40 (warm reboot)."""
        trigger, kind = dword(data, 1) & 0xFF, dword(data, 1) >> 8 & 0xFF
        if method == GET:
            put_dword(data, 0, 0)
            put_dword(data, 1, 0x48)
            return reg.OK
        if trigger not in (0x08, 0x40) or kind:
            return reg.BAD_PARAMETER
        self.settings.resets.append({"trigger": trigger, "function": self.function})
        if trigger == 0x08:
            self.store.power_cycle()
        return reg.OK

    def mqis(self, method, data):
        """Information strings (0x9064), eight bytes a call: 1 name, 2 description."""
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        text = {1: NAME, 2: DESCRIPTION}.get(dword(data, 0) & 0xFF, "").encode()
        if not text:
            return reg.BAD_PARAMETER
        offset, length = dword(data, 2) >> 16, min(dword(data, 2) & 0xFFFF, 8)
        put_dword(data, 1, len(text))
        data[16:24] = text[offset:offset + length].ljust(8, b"\0")
        return reg.OK

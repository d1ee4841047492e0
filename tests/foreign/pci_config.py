"""PCI configuration space of a virtual card: header, BAR sizing, capabilities.

A dword with a handler is live only for aligned four-byte accesses, which is how
mstflint 4.21 talks to its gateways. Any other access sees the plain bytes, so a
full dump of the space by lspci or by an audit has no side effect.
"""

import struct

MULTIFUNCTION = 0x80
BAR_64, BAR_PREFETCH = 4, 8


class PciConfig:
    """256 bytes of registers with a write mask for each bit, and live dwords."""

    def __init__(self, vendor, device, subsystem, class_code, revision):
        self.raw = bytearray(256)
        self.mask = bytearray(256)
        self.live = {}
        self.bars = {}
        self.reads = 0
        self.writes = 0
        self._chain = 0x34
        self._vpd = None
        struct.pack_into("<HH", self.raw, 0, vendor, device)
        self.raw[6] = 0x10
        struct.pack_into("<I", self.raw, 8, class_code << 8 | revision)
        struct.pack_into("<HH", self.raw, 0x2C, *subsystem)
        self.raw[0x3D] = 1
        struct.pack_into("<H", self.mask, 4, 0x0547)
        self.mask[0x0C] = self.mask[0x0D] = self.mask[0x3C] = 0xFF

    def add_bar(self, offset, size, flags):
        """A memory BAR; a 64-bit one owns the next register too."""
        self.bars[offset] = size
        struct.pack_into("<I", self.raw, offset, flags)
        struct.pack_into("<I", self.mask, offset, -size & 0xFFFFFFF0)
        if flags & BAR_64:
            struct.pack_into("<I", self.mask, offset + 4, 0xFFFFFFFF)

    def add_rom(self, size):
        """The expansion ROM BAR; bit 0 enables decoding."""
        self.bars[0x30] = size
        struct.pack_into("<I", self.mask, 0x30, -size & 0xFFFFF800 | 1)

    def bar_address(self, offset):
        """Address programmed into a BAR (low 32 bits), flags removed."""
        return struct.unpack_from("<I", self.raw, offset)[0] & (-self.bars[offset] & 0xFFFFFFFF)

    def add_capability(self, offset, identity, body):
        """Append a capability to the list; `body` is what follows id and next."""
        self.raw[self._chain] = offset
        self._chain = offset + 1
        self.raw[offset] = identity
        self.raw[offset + 2:offset + 2 + len(body)] = body

    def add_power_management(self, offset):
        """Power management, version 3, always in D0, no soft reset."""
        self.add_capability(offset, 0x01, struct.pack("<HHH", 0x0003, 0x0008, 0))

    def add_pcie(self, offset):
        """PCI Express endpoint, version 2, 8 GT/s by eight lanes."""
        self.add_capability(offset, 0x10, struct.pack(
            "<HIHHIHH", 0x0002, 0x00008FE2, 0x2810, 0, 0x00000083, 0, 0x0083))
        struct.pack_into("<H", self.mask, offset + 8, 0x7FFF)

    def add_msix(self, offset, vectors, table_offset):
        """MSI-X with its table and pending bits in BAR0."""
        self.add_capability(offset, 0x11, struct.pack(
            "<HII", vectors - 1, table_offset, table_offset + 0x1000))
        self.mask[offset + 3] = 0xC0

    def add_vpd(self, offset, product):
        """Vital product data holding the product name only."""
        name = product.encode()
        self._vpd = b"\x82" + struct.pack("<H", len(name)) + name + b"\x78"
        self._vpd_at = offset
        self.add_capability(offset, 0x03, bytes(6))
        struct.pack_into("<H", self.mask, offset + 2, 0xFFFF)

    def peek(self, address, size):
        """Bytes without side effects and without counting; zeros past the end."""
        return bytes(self.raw[address:address + size]).ljust(size, b"\0")

    def read(self, address, size):
        """One configuration read, little endian."""
        self.reads += 1
        if size == 4 and address in self.live:
            return self.live[address][0]() & 0xFFFFFFFF
        return int.from_bytes(self.peek(address, size), "little")

    def write(self, address, value, size):
        """One configuration write, little endian, through the write mask."""
        self.writes += 1
        if size == 4 and address in self.live:
            self.live[address][1](value & 0xFFFFFFFF)
            return
        for index in range(size):
            place = address + index
            if place < len(self.raw):
                mask = self.mask[place]
                byte = value >> index * 8 & 0xFF
                self.raw[place] = self.raw[place] & ~mask & 0xFF | byte & mask
        if self._vpd and address <= self._vpd_at + 3 < address + size:
            self._fetch_vpd()

    def _fetch_vpd(self):
        register = struct.unpack_from("<H", self.raw, self._vpd_at + 2)[0]
        if not register & 0x8000:
            start = register & 0x7FFC
            self.raw[self._vpd_at + 4:self._vpd_at + 8] = self._vpd[start:start + 4].ljust(4, b"\0")
            self.raw[self._vpd_at + 3] |= 0x80

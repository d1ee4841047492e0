"""Settings, default-parameter answers and registers of the virtual ConnectX-3.

Modelled on the published MCX354A-FCB, PSID MT_1090120019, firmware 2.42.5000.
Bit positions of QUERY_DEF_PARAMS and of the TLVs are those of mstflint 4.21
(observed); the link-up timeout of a port is known from FlexBoot 3.4.812 only.
"""

import access_register as reg
from access_register import GET, SET, dword, put_dword
from tlv_store import TlvStore

FIRMWARE = (2, 42, 5000)
PSID = "MT_1090120019"
NAME = "ConnectX-3 VPI (virtual)"
BASE_MAC = 0x248A0723BD75

SRIOV, WOL, VPI, BAR_SIZE, GLOBAL_CONF = 0x0011, 0x0010, 0x0012, 0x0013, 0x0014
BOOT_EXT, BOOT, PKEY = 0x2001, 0x2021, 0x2022
# type: (bytes, per port)
TYPES = {
    WOL: (8, True), SRIOV: (4, False), VPI: (4, True), BAR_SIZE: (4, False),
    GLOBAL_CONF: (32, False), BOOT_EXT: (4, True), BOOT: (4, True), PKEY: (4, True),
}

# The values burnt into the firmware image
IP_VERSION, LINKUP_TIMEOUT = 0, 0x0A
BOOT_VLAN, PROTOCOL_PXE, RETRIES = 1, 1, 0
VFS, LOG_BAR, MAX_LOG_BAR, MAX_FUNCTION = 8, 3, 6, 0x80
LINK_ETH, LINK_VPI = 2, 3


def word(*values):
    """Big-endian dwords as TLV data."""
    return b"".join(value.to_bytes(4, "big") for value in values)


def factory_values():
    """What each TLV would hold if the image defaults were written down."""
    return {
        SRIOV: word(1 << 31 | VFS),
        VPI: word(LINK_VPI),
        BAR_SIZE: word(LOG_BAR),
        GLOBAL_CONF: word(1 << 31, *[0] * 7),
        BOOT_EXT: word(IP_VERSION << 8 | LINKUP_TIMEOUT),
        BOOT: word(1 << 31 | RETRIES << 24 | PROTOCOL_PXE << 16 | BOOT_VLAN),
        PKEY: word(0),
    }


def query_dev_cap(ports):
    """QUERY_DEV_CAP: only the dwords that mstflint and FlexBoot look at."""
    data = bytearray(0x100)
    put_dword(data, 0x38 // 4, MAX_FUNCTION)
    put_dword(data, 0x48 // 4, (LOG_BAR - 1) << 16)
    put_dword(data, 0x9C // 4, 1 << 16)
    put_dword(data, 0xC0 // 4, 1 << 5 | 1 << 3 | 1 | (1 << 4 if ports > 1 else 0))
    put_dword(data, 0xC8 // 4, MAX_LOG_BAR << 3)
    return data


def query_def_params(port, options):
    """QUERY_DEF_PARAMS, global (port 0) or of one port; None for a port that is not there."""
    if port > options.ports:
        return None
    if port == 0:
        ip_ver = 0 if options.no_ip_ver else 1 << 21
        return bytearray(word(1 << 24 | 1 << 23 | 1 << 17,
                              1 << 31 | 1 << 29 | ip_ver | MAX_LOG_BAR << 12 | LOG_BAR << 8 | VFS,
                              0, 0, 0))
    return bytearray(word(1 << 24 | 1 << 18,
                          1 << 29 | LINK_VPI << 25 | RETRIES << 20 | PROTOCOL_PXE << 16 | BOOT_VLAN,
                          1 << 31 | 1 << 28 | IP_VERSION << 24 | LINKUP_TIMEOUT << 16,
                          0, 0, 0, 0))


class Registers:
    """The four registers of the ConnectX-3 and the store behind them."""

    def __init__(self, options):
        self.options = options
        self.store = TlvStore(4)
        self.counts = {}
        for kind, data in factory_values().items():
            for modifier in self.modifiers(kind):
                self.store.default[kind, modifier] = data
        if not options.factory:
            for modifier in self.modifiers(VPI):
                self.store.seed((VPI, modifier), word(LINK_ETH))
                self.store.seed((BOOT, modifier), factory_values()[BOOT])
        self.table = {
            0x9020: (0xA0, self.mgir),
            0x9024: (8, self.mnva),
            0x9025: (8, self.mnvdi),
            0x9029: (8, self.mnvia),
        }

    def modifiers(self, kind):
        """Ports that a TLV exists for; 0 for one that belongs to the card."""
        return range(1, self.options.ports + 1) if TYPES[kind][1] else range(1)

    def mgir(self, method, data):
        """General information (0x9020)."""
        if method != GET:
            return reg.METHOD_NOT_SUPPORTED
        data[:0xA0] = reg.general_info(1, 0x1003, 0x1F5, self.options.ports, BASE_MAC, FIRMWARE, PSID)
        return reg.OK

    def mnva(self, method, data):
        """Read or write one TLV (0x9024): header of 8 bytes, then the data.

        dword 0: [29:18] length in dwords, [15:0] type; dword 1: [31:28] version,
        [23:16] port.
        """
        length, kind = (dword(data, 0) >> 18 & 0xFFF) * 4, dword(data, 0) & 0xFFFF
        version, modifier = dword(data, 1) >> 28, dword(data, 1) >> 16 & 0xFF
        key = kind, modifier
        if method == SET:
            return self._write(key, length, version, data)
        if key in self.store.corrupt:
            return reg.CONFIG_CORRUPT
        value = self.store.get(key)
        if value is None:
            return reg.RESOURCE_NOT_AVAILABLE
        if length < len(value) or len(data) < 8 + len(value):
            return reg.LENGTH_TOO_SMALL
        put_dword(data, 0, len(value) // 4 << 18 | kind)
        put_dword(data, 1, modifier << 16)
        data[8:] = value + bytes(len(data) - 8 - len(value))
        return reg.OK

    def _write(self, key, length, version, data):
        kind, modifier = key
        known = kind in TYPES and modifier in self.modifiers(kind)
        if not known and key not in self.store.next:
            return reg.BAD_PARAMETER
        expected = TYPES[kind][0] if kind in TYPES else len(self.store.next[key])
        if length < expected or len(data) < 8 + length:
            return reg.LENGTH_TOO_SMALL
        if length > expected:
            return reg.BAD_PARAMETER
        self.store.corrupt.discard(key)
        self.store.set(key, data[8:8 + length], version=version)
        return reg.OK

    def mnvdi(self, method, data):
        """Delete one TLV (0x9025), same header as MNVA."""
        if method != SET:
            return reg.METHOD_NOT_SUPPORTED
        key = dword(data, 0) & 0xFFFF, dword(data, 1) >> 16 & 0xFF
        if key[0] not in TYPES and key not in self.store.next:
            return reg.BAD_PARAMETER
        self.store.corrupt.discard(key)
        self.store.delete(key)
        return reg.OK

    def mnvia(self, method, data):
        """Erase every TLV (0x9029 on this generation)."""
        if method != SET:
            return reg.METHOD_NOT_SUPPORTED
        self.store.erase_all()
        return reg.OK

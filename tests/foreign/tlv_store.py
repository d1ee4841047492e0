"""Non-volatile settings (TLVs) of one virtual card: default, current and next value.

A TLV that was never written is absent, which is not the same as a TLV full of
zeros: FlexBoot 3.4.812 falls back to the card's defaults only while the TLV is
absent, and mstconfig 4.21 treats register status 8 as "nothing stored".

A key is (type, modifier). The modifier is the port on ConnectX-3 and the PCI
function on ConnectX-4 (class 3 only), else 0.
"""


class TlvStore:
    """Three values for each key, and a log of every change in order."""

    def __init__(self, type_digits):
        self.type_digits = type_digits
        self.default = {}
        self.current = {}
        self.next = {}
        self.corrupt = set()
        self.log = []

    def name(self, key):
        """`type/modifier`, the notation of the command line and of the dump."""
        return f"0x{key[0]:0{self.type_digits}x}/{key[1]}"

    def seed(self, key, data):
        """Store a value as if it had been written before the last power-on."""
        self.next[key] = bytes(data)
        self.current[key] = bytes(data)

    def get(self, key, which="next"):
        """The stored bytes, or None when the TLV is absent."""
        table = {"next": self.next, "current": self.current, "default": self.default}
        return table[which].get(key)

    def set(self, key, data, **origin):
        """Write the value that the next power-on will use."""
        self.next[key] = bytes(data)
        self.log.append({"op": "set", "tlv": self.name(key), "data": bytes(data).hex(), **origin})

    def delete(self, key, **origin):
        """Drop one TLV, so that the default rules from the next power-on."""
        self.next.pop(key, None)
        self.log.append({"op": "delete", "tlv": self.name(key), **origin})

    def erase_all(self, **origin):
        """Drop every user TLV (`mstconfig reset`)."""
        self.next.clear()
        self.corrupt.clear()
        self.log.append({"op": "erase-all", **origin})

    def power_cycle(self):
        """A device reset: what was written becomes what is in force."""
        self.current = dict(self.next)

    def _named(self, table):
        return {self.name(key): table[key].hex() for key in sorted(table)}

    def dump(self):
        """The part of the dump file that this store answers for."""
        return {
            "tlvs": self._named(self.next),
            "current": self._named(self.current),
            "default": self._named(self.default),
            "writes": self.log,
        }

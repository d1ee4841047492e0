"""The files of /sys/bus/pci/devices that mstflint 4.21 opens, as nodes.

resource0 reads all ones from the page cache, which means "memory decoding is off"
to the tools and sends them to the configuration space. BAR0 of the ConnectX-3 is
given twice its real length in `resource`, because mstflint 4.21 maps physical
memory when it sees exactly 1 MiB there and cannot map resource0.
"""

CONFIG_BYTES = 4096


class Directory:
    """A fixed directory; `entries` maps a name to a node."""

    def __init__(self, entries):
        self.entries = entries


class Text:
    """A read-only file with fixed contents."""

    direct, mode = False, 0o444

    def __init__(self, text):
        self.data = text.encode()
        self.size = len(self.data)

    def read(self, offset, size):
        """Bytes of the text."""
        return self.data[offset:offset + size]

    def write(self, offset, data):
        """Not reached: the mode has no write bit and root gets a silent success."""


class AllOnes:
    """resource0 with memory decoding off; what is stored into it vanishes."""

    direct, mode = False, 0o600

    def __init__(self, size):
        self.size = size

    def read(self, offset, size):
        """All ones up to the end."""
        return b"\xff" * max(0, min(size, self.size - offset))

    def write(self, offset, data):
        """Dropped."""


class ConfigFile:
    """The configuration space, unbuffered: each access reaches the card."""

    direct, mode, size = True, 0o644, CONFIG_BYTES

    def __init__(self, config):
        self.config = config

    def read(self, offset, size):
        """Up to four bytes are one access; more is a plain copy."""
        size = max(0, min(size, CONFIG_BYTES - offset))
        if size in (1, 2, 4):
            return self.config.read(offset, size).to_bytes(size, "little")
        self.config.reads += 1
        return self.config.peek(offset, size)

    def write(self, offset, data):
        """Split into naturally aligned accesses, as the kernel does."""
        while data:
            size = next(step for step in (4, 2, 1) if offset % step == 0 and step <= len(data))
            self.config.write(offset, int.from_bytes(data[:size], "little"), size)
            offset, data = offset + size, data[size:]


def device_directory(function):
    """The directory of one PCI function."""
    config = function.config
    half = lambda offset: int.from_bytes(config.peek(offset, 2), "little")
    class_code = int.from_bytes(config.peek(8, 4), "little") >> 8
    length = function.bar0_bytes if function.kind == "cx4" else 2 * function.bar0_bytes
    start = 0xF0000000 + function.index * 0x4000000 if function.kind == "cx4" else 0xFA000000
    lines = [f"0x{start:016x} 0x{start + length - 1:016x} 0x{0x14220C:016x}\n"]
    lines += [f"0x{0:016x} 0x{0:016x} 0x{0:016x}\n"] * 12
    return Directory({
        "vendor": Text(f"0x{half(0):04x}\n"),
        "device": Text(f"0x{half(2):04x}\n"),
        "subsystem_vendor": Text(f"0x{half(0x2C):04x}\n"),
        "subsystem_device": Text(f"0x{half(0x2E):04x}\n"),
        "class": Text(f"0x{class_code:06x}\n"),
        "revision": Text(f"0x{config.peek(8, 1)[0]:02x}\n"),
        "numa_node": Text("-1\n"),
        "resource": Text("".join(lines)),
        "resource0": AllOnes(function.bar0_bytes),
        "config": ConfigFile(config),
    })


def device_tree(machine):
    """The whole of /sys/bus/pci/devices."""
    return Directory({address: device_directory(function)
                      for address, function in machine.functions.items()})

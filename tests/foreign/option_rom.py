"""A small PCI expansion ROM with the version record of a Mellanox image.

    python3 option_rom.py --device 0x1013 --version 3.6.102 FILE

One BIOS image without code: header, PCI data structure (PCI Firmware Specification
3.0, section 5.1), the record that mstflint 4.21 looks for, and a byte sum of zero.
"""

import argparse
import struct

BLOCK, BLOCKS = 512, 4
DATA_STRUCTURE, RECORD = 0x1C, 0x5F4
VENDOR, NETWORK_CLASS, LAST_IMAGE = 0x15B3, b"\x00\x00\x02", 0x80
PRODUCT_PXE, ANY_PROTOCOL = 0x10, 0xFF


def version_record(device, major, minor, sub):
    """`mlxsign:` and three little-endian dwords."""
    return b"mlxsign:" + struct.pack("<III", PRODUCT_PXE << 16 | major, minor << 16 | sub,
                                     device << 16 | ANY_PROTOCOL)


def image(device, version):
    """The bytes of the ROM."""
    data = bytearray(BLOCK * BLOCKS)
    struct.pack_into("<HBB", data, 0, 0xAA55, BLOCKS, 0xCB)
    struct.pack_into("<H", data, 0x18, DATA_STRUCTURE)
    struct.pack_into("<4sHHHHB3sHHBB", data, DATA_STRUCTURE, b"PCIR", VENDOR, device, 0, 0x18,
                     0, NETWORK_CLASS, BLOCKS, 0, 0, LAST_IMAGE)
    record = version_record(device, *version)
    data[RECORD:RECORD + len(record)] = record
    data[6] = -sum(data) & 0xFF
    return bytes(data)


def main():
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--device", type=lambda text: int(text, 0), required=True)
    parser.add_argument("--version", required=True, metavar="MAJOR.MINOR.SUB")
    parser.add_argument("file")
    options = parser.parse_args()
    with open(options.file, "wb") as file:
        file.write(image(options.device, [int(part) for part in options.version.split(".")]))


if __name__ == "__main__":
    main()

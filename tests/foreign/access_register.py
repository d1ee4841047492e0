"""The access-register envelope: an operation TLV, a register TLV, the register.

ConnectX-4 carries it in ICMD opcode 0x9001, ConnectX-3 in command 0x3b, with the
same big-endian layout (mstflint 4.21 observed):

| dword | fields |
|---|---|
| 0 | [31:27] = 1, [26:16] = 4 length, [14:8] status |
| 1 | [31:16] register id, [15] response, [14:8] method 1 get 2 set, [7:0] class = 1 |
| 2-3 | transaction id |
| 4 | [31:27] = 3, [26:16] length in dwords of this dword and the register |
| 5.. | the register |
"""

import struct

GET, SET = 1, 2
HEADER_BYTES = 20

OK = 0
UNKNOWN_TLV = 3
REGISTER_NOT_SUPPORTED = 4
CLASS_NOT_SUPPORTED = 5
METHOD_NOT_SUPPORTED = 6
BAD_PARAMETER = 7
RESOURCE_NOT_AVAILABLE = 8
CONFIG_CORRUPT = 0x22
LENGTH_TOO_SMALL = 0x24

OPERATION_TLV, REGISTER_TLV = 1, 3


def dword(data, index):
    """Big-endian dword `index` of a register."""
    return struct.unpack_from(">I", data, index * 4)[0]


def put_dword(data, index, value):
    """Store a big-endian dword into a register."""
    struct.pack_into(">I", data, index * 4, value & 0xFFFFFFFF)


def execute(mailbox, registers, counts):
    """Run the request in `mailbox` and leave the reply in the same place.

    `registers` maps an id to (smallest register length, handler); a handler gets
    (method, register bytes) and returns a status. `counts` tallies the calls.
    The rest of the mailbox keeps the bytes of earlier calls, as the tool expects
    of a mailbox that it clears only partly.
    """
    operation, request, register = dword(mailbox, 0), dword(mailbox, 1), dword(mailbox, 4)
    identity, method = request >> 16, request >> 8 & 0x7F
    counts[f"0x{identity:04x}"] = counts.get(f"0x{identity:04x}", 0) + 1
    length = ((register >> 16 & 0x7FF) - 1) * 4
    status = _refusal(operation, request, register, length, len(mailbox), registers)
    if status == OK:
        data = bytearray(mailbox[HEADER_BYTES:HEADER_BYTES + length])
        smallest, handler = registers[identity]
        status = LENGTH_TOO_SMALL if length < smallest else handler(method, data)
        mailbox[HEADER_BYTES:HEADER_BYTES + length] = data[:length].ljust(length, b"\0")
    put_dword(mailbox, 0, operation & ~0x7F00 | status << 8)
    put_dword(mailbox, 1, request | 0x8000)


def _refusal(operation, request, register, length, room, registers):
    if operation >> 27 != OPERATION_TLV or operation >> 16 & 0x7FF != 4:
        return UNKNOWN_TLV
    if register >> 27 != REGISTER_TLV or not 0 <= length <= room - HEADER_BYTES:
        return UNKNOWN_TLV
    if request & 0xFF != 1:
        return CLASS_NOT_SUPPORTED
    if request >> 8 & 0x7F not in (GET, SET):
        return METHOD_NOT_SUPPORTED
    if request >> 16 not in registers:
        return REGISTER_NOT_SUPPORTED
    return OK


def general_info(revision, device, hardware_id, ports, mac, firmware, psid):
    """Management general information register (MGIR, 0x9020), 160 bytes.

    Layout after mstflint 4.21: hardware part at 0, firmware part at 0x20.
    """
    data = bytearray(0xA0)
    put_dword(data, 0, revision << 16 | device)
    put_dword(data, 1, ports << 16)
    put_dword(data, 2, hardware_id)
    put_dword(data, 4, mac >> 32)
    put_dword(data, 5, mac)
    major, minor, sub_minor = firmware
    put_dword(data, 8, major << 16 | (minor & 0xFF) << 8 | sub_minor & 0xFF)
    data[0x30:0x40] = psid.encode().ljust(16, b"\0")
    for index, value in zip((17, 18, 19), firmware):
        put_dword(data, index, value)
    return data

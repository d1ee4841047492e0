"""Take semaphores of the cards and die, as a tool that is killed does.

    python3 hold_semaphores.py hcr|gateway|icmd ... [-- COMMAND ...]

hcr is that of the ConnectX-3 at 05:00.0; gateway and icmd are those of the ConnectX-4
at 04:00.0. With a command, the dead process stays unburied (a zombie) while that runs.
"""

import os
import subprocess
import sys

CX3, CX4 = "0000:05:00.0", "0000:04:00.0"
CR_ADDRESS, CR_DATA, SEM_TOOLS = 0x58, 0x5C, 0xF03BC
VSEC = 0xC0
SPACE, COUNTER, OWNER, ADDRESS, DATA = (VSEC + offset for offset in (0x04, 0x08, 0x0C, 0x10, 0x14))
SEMAPHORES, WRITE = 0x0A, 1 << 31


class Config:
    """The configuration space of a card, in dwords."""

    def __init__(self, address):
        self.file = os.open(f"/sys/bus/pci/devices/{address}/config", os.O_RDWR)

    def read(self, offset):
        """One dword."""
        return int.from_bytes(os.pread(self.file, 4, offset), "little")

    def write(self, offset, value):
        """One dword."""
        os.pwrite(self.file, value.to_bytes(4, "little"), offset)


def hold(names):
    """Take what is asked for; all of it must be free."""
    if "hcr" in names:
        card = Config(CX3)
        card.write(CR_ADDRESS, SEM_TOOLS)
        assert card.read(CR_DATA) == 0, "the tools semaphore is not free"
    if "gateway" in names or "icmd" in names:
        card = Config(CX4)
        ticket = card.read(COUNTER)
        card.write(OWNER, ticket)
        assert card.read(OWNER) == ticket, "the gateway is not free"
        if "icmd" in names:
            card.write(SPACE, SEMAPHORES)
            card.write(DATA, os.getpid())
            card.write(ADDRESS, WRITE)
        if "gateway" not in names:
            card.write(OWNER, 0)


def main():
    """Let a child take the semaphores."""
    names, _, command = " ".join(sys.argv[1:]).partition(" -- ")
    child = os.fork()
    if child == 0:
        hold(names.split())
        os._exit(0)
    # Wait for its death without burying it.
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    code = subprocess.run(command.split(), check=False).returncode if command else 0
    died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return died or code


if __name__ == "__main__":
    sys.exit(main())

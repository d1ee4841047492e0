"""The virtual ConnectX-4: one PCI function with its configuration-space gateway.

The vendor-specific capability (id 9) gives an address and a data window into
several spaces: 2 CR space, 3 (and 1) command interface, 0xa semaphores. Register
meanings were taken from mstflint 4.21 (observed and read); FlexBoot 3.4.812 uses
the same numbers.
"""

import access_register
import cx4_registers
from pci_config import BAR_64, BAR_PREFETCH, MULTIFUNCTION, PciConfig

VSEC = 0xC0
CR, COMMANDS, COMMANDS_EXT, SEMAPHORES = 2, 3, 1, 0xA
FLAG, ADDRESS = 1 << 31, 0x3FFFFFFF

CR_DEVICE_ID, CR_STATIC_CONFIG = 0xF0014, 0xB0004
HARDWARE_ID, REVISION = 0x209, 0

CMD_CONTROL, CMD_MAILBOX_SIZE, CMD_MAILBOX = 0x0, 0x1000, 0x100000
MAILBOX_BYTES = 0x340
BUSY, ACCESS_REGISTER, BAD_OPCODE = 1, 0x9001, 1
SEM_COMMANDS = 0x0


class Cx4Function:
    """One port of the card, as its own PCI function."""

    kind = "cx4"
    bar0_bytes = 32 << 20

    def __init__(self, settings, index):
        self.index = index
        self.registers = cx4_registers.FunctionRegisters(settings, index)
        self.settings = settings
        self.violations = {}
        self.space = self.owner = self.counter = self.address = self.flag = self.data = 0
        self.control = self.busy_reads = 0
        self.mailbox = bytearray(MAILBOX_BYTES)
        self.semaphores = {SEM_COMMANDS: 0, 0x10: 0}
        self.cr = {}
        self.config = self._config_space()

    def _config_space(self):
        config = PciConfig(0x15B3, 0x1013, (0x15B3, 0x0008), 0x020000, REVISION)
        config.raw[0x0E] = MULTIFUNCTION if self.settings.options.ports > 1 else 0
        config.add_bar(0x10, self.bar0_bytes, BAR_64 | BAR_PREFETCH)
        config.add_pcie(0x60)
        config.add_vpd(0x48, "ConnectX-4 VPI (virtual)")
        config.add_msix(0x9C, 64, 0x2000)
        config.add_capability(VSEC, 0x09, b"\x18\x00" + bytes(20))
        config.add_power_management(0x40)
        config.live = {
            VSEC + 0x04: (self._read_control, self._write_control),
            VSEC + 0x08: (self._read_counter, lambda value: None),
            VSEC + 0x0C: (lambda: self.owner, self._write_owner),
            VSEC + 0x10: (lambda: self.flag | self.address, self._write_address),
            VSEC + 0x14: (lambda: self.data, self._write_data),
        }
        return config

    # The gateway

    def _supported(self):
        return self.space in (CR, COMMANDS, COMMANDS_EXT, SEMAPHORES)

    def _read_control(self):
        return self.space | (1 << 29 if self._supported() else 0)

    def _write_control(self, value):
        self._owned("gateway space changed")
        self.space = value & 0xFFFF

    def _read_counter(self):
        self.counter = self.counter % 0xFFFFFFFF + 1
        return self.counter

    def _write_owner(self, value):
        if value == 0 or self.owner == 0:
            self.owner = value

    def _write_data(self, value):
        self._owned("gateway data written")
        self.data = value

    def _write_address(self, value):
        self._owned("gateway address written")
        self.address = value & ADDRESS
        if value & FLAG:
            self._store(self.address, self.data)
            self.flag = 0
        else:
            self.data = self._fetch(self.address)
            self.flag = FLAG

    def _owned(self, what):
        if self.owner == 0:
            self._violation(f"{what} without the gateway semaphore")

    def _violation(self, what):
        self.violations[what] = self.violations.get(what, 0) + 1

    # The spaces behind it

    def _fetch(self, address):
        if self.space == CR:
            return self.cr_read(address)
        if self.space == SEMAPHORES:
            return self.semaphores.get(address, 0)
        if self._supported():
            return self._command_read(address)
        return 0

    def _store(self, address, value):
        if self.space == CR:
            self.cr_write(address, value)
        elif self.space == SEMAPHORES:
            if address in self.semaphores and (value == 0 or self.semaphores[address] == 0):
                self.semaphores[address] = value
        elif self._supported():
            self._command_write(address, value)

    def cr_read(self, address):
        """Device id, "static configuration done", and a scratch memory for the rest."""
        if address == CR_DEVICE_ID:
            return REVISION << 16 | HARDWARE_ID
        if address == CR_STATIC_CONFIG:
            return 0
        return self.cr.get(address, 0)

    def cr_write(self, address, value):
        """The two fixed dwords ignore writes."""
        if address not in (CR_DEVICE_ID, CR_STATIC_CONFIG):
            self.cr[address] = value

    def _command_read(self, address):
        if address == CMD_CONTROL:
            if self.busy_reads:
                self.busy_reads -= 1
                return self.control | BUSY
            return self.control
        if address == CMD_MAILBOX_SIZE:
            return MAILBOX_BYTES
        place = address - CMD_MAILBOX
        if 0 <= place <= MAILBOX_BYTES - 4:
            return int.from_bytes(self.mailbox[place:place + 4], "big")
        return 0

    def _command_write(self, address, value):
        if not self.semaphores[SEM_COMMANDS]:
            self._violation("command interface written without its semaphore")
        place = address - CMD_MAILBOX
        if 0 <= place <= MAILBOX_BYTES - 4:
            self.mailbox[place:place + 4] = value.to_bytes(4, "big")
        elif address == CMD_CONTROL:
            self.control = value & 0xFFFF0002
            if value & BUSY:
                self._run(value >> 16)

    def _run(self, opcode):
        """Execute at once, but look busy for one poll so that callers must poll."""
        self.busy_reads = 1
        if opcode == ACCESS_REGISTER:
            access_register.execute(self.mailbox, self.registers.table, self.settings.counts)
        else:
            self.control |= BAD_OPCODE << 8

    # What the outside may ask

    def bar0_read(self, address):
        """Initialization segment: firmware revision, as mlx5 and a kernel quirk read it."""
        major, minor, sub_minor = cx4_registers.FIRMWARE
        return {0: minor << 16 | major, 4: 5 << 16 | sub_minor}.get(address, 0)

    def bar0_write(self, address, value):
        """Nothing behind BAR0 reacts."""

    def held(self):
        """Semaphores still taken, in words."""
        taken = [f"function {self.index} gateway"] if self.owner else []
        return taken + [f"function {self.index} space 0xa address 0x{address:x}"
                        for address, value in self.semaphores.items() if value]

    def device_reset(self):
        """A bus reset: interface state is lost, written settings come into force."""
        self.space = self.owner = self.address = self.flag = self.data = 0
        self.control = self.busy_reads = 0
        self.semaphores = dict.fromkeys(self.semaphores, 0)
        self.settings.store.power_cycle()

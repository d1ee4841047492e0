"""The virtual ConnectX-3: CR space, tools command register, mailboxes, legacy gateway.

The CR space is reached through configuration dwords 0x58 (address) and 0x5c
(data), or through BAR0 where it lies big endian. Sequence and addresses are those
of mstflint 4.21 (observed); QUERY_DEF_PARAMS fields also after FlexBoot 3.4.812.
"""

import access_register
import cx3_registers
from pci_config import BAR_64, PciConfig

GATEWAY_ADDRESS, GATEWAY_DATA = 0x58, 0x5C
CR_DEVICE_ID, CR_FLUSH = 0xF0014, 0xF0380
HARDWARE_ID, REVISION = 0x1F5, 1
SEMAPHORES = range(0xF0384, 0xF0400, 4)
SEM_TOOLS = 0xF03BC

HCR, HCR_DWORDS = 0x80780, 7
HCR_IN_HIGH, HCR_IN_LOW, HCR_MODIFIER, HCR_OUT_HIGH, HCR_OUT_LOW, HCR_COMMAND = 0, 1, 2, 3, 4, 6
GO = 1 << 23

WINDOW, MAILBOX_BYTES = 0xE0000, 288

QUERY_DEV_CAP, ACCESS_REG, HW_ACCESS = 0x03, 0x3B, 0x60
MAILBOX_WRITE, MAILBOX_READ, QUERY_DEF_PARAMS = 0x70, 0x71, 0x73
OK, BAD_OPCODE, BAD_PARAMETER = 0, 2, 3


class Cx3Card:
    """The whole card: one PCI function for both ports."""

    kind = "cx3"
    index = 0
    bar0_bytes = 1 << 20

    def __init__(self, options):
        self.options = options
        self.registers = cx3_registers.Registers(options)
        self.violations = {}
        self.cr = {}
        self.taken = dict.fromkeys(SEMAPHORES, 0)
        self.hcr = [0] * HCR_DWORDS
        self.go_reads = 0
        self.quads = bytearray(MAILBOX_BYTES)
        self.window = bytearray(MAILBOX_BYTES)
        self.gateway_address = 0
        self.config = self._config_space()

    def _config_space(self):
        config = PciConfig(0x15B3, 0x1003, (0x15B3, 0x0050), 0x028000, REVISION)
        config.add_bar(0x10, self.bar0_bytes, BAR_64)
        config.add_power_management(0x40)
        config.add_vpd(0x48, cx3_registers.NAME)
        config.add_msix(0x9C, 64, 0x7C000)
        config.add_pcie(0x60)
        config.live = {
            GATEWAY_ADDRESS: (lambda: self.gateway_address, self._write_gateway_address),
            GATEWAY_DATA: (lambda: self.cr_read(self.gateway_address),
                           lambda value: self.cr_write(self.gateway_address, value)),
        }
        return config

    def _write_gateway_address(self, value):
        self.gateway_address = value & 0xFFFFFFFC

    def _guarded(self, what):
        if not self.taken[SEM_TOOLS]:
            text = f"{what} without semaphore 0x{SEM_TOOLS:x}"
            self.violations[text] = self.violations.get(text, 0) + 1

    # CR space

    def cr_read(self, address):
        """One dword; reading a free semaphore takes it."""
        if address == CR_DEVICE_ID:
            return REVISION << 16 | HARDWARE_ID
        if address == CR_FLUSH:
            return 0
        if address in self.taken:
            before, self.taken[address] = self.taken[address], 1
            return before
        if self._hcr_index(address) is not None:
            return self._read_hcr(self._hcr_index(address))
        place = address - WINDOW
        if 0 <= place < MAILBOX_BYTES:
            present = not self.options.no_cr_mailbox
            return int.from_bytes(self.window[place:place + 4], "big") if present else 0
        return self.cr.get(address, 0)

    def cr_write(self, address, value):
        """One dword; zero frees a semaphore, the go bit starts a command."""
        if address in self.taken:
            if value == 0:
                self.taken[address] = 0
        elif self._hcr_index(address) is not None:
            self._write_hcr(self._hcr_index(address), value)
        elif 0 <= address - WINDOW < MAILBOX_BYTES:
            self._guarded("mailbox window written")
            place = address - WINDOW
            self.window[place:place + 4] = value.to_bytes(4, "big")
        elif address not in (CR_DEVICE_ID, CR_FLUSH):
            self.cr[address] = value

    def _hcr_index(self, address):
        index = address - HCR
        return index // 4 if 0 <= index < HCR_DWORDS * 4 else None

    # Tools command register

    def _read_hcr(self, index):
        if index == HCR_COMMAND and self.go_reads:
            self.go_reads -= 1
            return self.hcr[index] | GO
        return self.hcr[index]

    def _write_hcr(self, index, value):
        self._guarded("command register written")
        self.hcr[index] = value
        if index == HCR_COMMAND and value & GO:
            status = self._run(value & 0xFFF, value >> 12 & 0xF, self.hcr[HCR_MODIFIER])
            self.hcr[HCR_COMMAND] = value & ~(GO | 0xFF << 24) & 0xFFFFFFFF | status << 24
            self.go_reads = 1

    def _run(self, opcode, opcode_modifier, modifier):
        if opcode in (MAILBOX_WRITE, MAILBOX_READ):
            return self._quad(opcode, modifier * 4)
        if opcode == ACCESS_REG:
            if modifier == 1 and self.options.no_cr_mailbox or modifier > 1:
                return BAD_PARAMETER
            mailbox = self.window if modifier else self.quads
            access_register.execute(mailbox, self.registers.table, self.registers.counts)
            return OK
        if opcode == QUERY_DEV_CAP:
            return self._answer(cx3_registers.query_dev_cap(self.options.ports))
        if opcode == QUERY_DEF_PARAMS:
            return self._answer(cx3_registers.query_def_params(opcode_modifier, self.options))
        if opcode == HW_ACCESS:
            return OK
        return BAD_OPCODE

    def _quad(self, opcode, place):
        if place % 8 or place > MAILBOX_BYTES - 8:
            return BAD_PARAMETER
        low, high = slice(place, place + 4), slice(place + 4, place + 8)
        if opcode == MAILBOX_WRITE:
            self.quads[low] = self.hcr[HCR_IN_LOW].to_bytes(4, "big")
            self.quads[high] = self.hcr[HCR_IN_HIGH].to_bytes(4, "big")
        else:
            self.hcr[HCR_OUT_LOW] = int.from_bytes(self.quads[low], "big")
            self.hcr[HCR_OUT_HIGH] = int.from_bytes(self.quads[high], "big")
        return OK

    def _answer(self, data):
        if data is None:
            return BAD_PARAMETER
        self.quads[:len(data)] = data
        return OK

    # What the outside may ask

    def bar0_read(self, address):
        """BAR0 is the CR space."""
        return self.cr_read(address)

    def bar0_write(self, address, value):
        """BAR0 is the CR space."""
        self.cr_write(address, value)

    def held(self):
        """Semaphores still taken, in words."""
        return [f"0x{address:x}" for address, value in self.taken.items() if value]

    def device_reset(self):
        """A bus reset: interface state is lost, written settings come into force."""
        self.taken = dict.fromkeys(SEMAPHORES, 0)
        self.hcr = [0] * HCR_DWORDS
        self.go_reads = 0
        self.registers.store.power_cycle()

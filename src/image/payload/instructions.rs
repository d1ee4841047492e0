//! Follows a very short function of 32-bit x86 code: the few instructions that a
//! compiler makes of "if failed, store a constant, else copy a field".
//!
//! Memory is the setting behind EAX and the defaults behind ECX as the function
//! is entered, and a stack. Anything else ends the run without a result, and so
//! do more than [`MOST_STEPS`] instructions.
//!
//! | code | instruction |
//! |---|---|
//! | 50+r, 58+r | push, pop |
//! | 85, 84 /r, a8 | test |
//! | 74, 75, eb; 0f 84, 0f 85, e9 | jz, jnz, jmp |
//! | 88, 89, 8a, 8b /r | mov between registers and memory |
//! | b0+r, b8+r, c6, c7 | mov of a constant |
//! | 0f b6, 0f b7 | movzx |
//! | 20..23, 24, 25, 80..83 /4 | and |
//! | 30..33, 29, 2b | xor, sub |
//! | 08..0b, 80..83 /1 | or |
//! | c0, c1, d0, d1 /4 /5 | shl, shr |
//! | 90, f3 0f 1e fb, c3 | nop, endbr32, ret |
//!
//! # Sources
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.

/// Far more than such a function has.
const MOST_STEPS: usize = 96;
const DATA: u32 = 0x1000_0000;
const DEFAULTS: u32 = 0x2000_0000;
const DEFAULTS_BYTES: usize = 128;
const MOST_PUSHES: usize = 16;
const EAX: usize = 0;
const ECX: usize = 1;
const EDX: usize = 2;
const ESP: usize = 4;

/// Registers and memory.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    registers: [u32; 8],
    is_zero: bool,
    data: [u8; 4],
    defaults: [Option<u8>; DEFAULTS_BYTES],
    stack: Vec<u32>,
}

/// Where an instruction reads or writes.
#[derive(Clone, Copy, Debug)]
enum Place {
    Register(usize),
    Memory(u32),
}

/// How wide it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Byte,
    Word,
    Dword,
}

/// What an instruction does to the flow.
enum Flow {
    On,
    Jump(i32),
    Return,
}

impl Machine {
    /// The state in which the function is entered.
    pub(super) fn new(data: [u8; 4], status: u32) -> Self {
        let mut registers = [0xdead_0000; 8];
        registers[EAX] = DATA;
        registers[EDX] = status;
        registers[ECX] = DEFAULTS;
        Self {
            registers,
            is_zero: false,
            data,
            defaults: [None; DEFAULTS_BYTES],
            stack: Vec::new(),
        }
    }

    /// What the function stored among the defaults; `None` if nothing.
    pub(super) fn stored(&self, at: usize) -> Option<u8> {
        self.defaults.get(at).copied().flatten()
    }

    fn register(&self, number: usize) -> u32 {
        self.registers.get(number).copied().unwrap_or_default()
    }

    fn set_register(&mut self, number: usize, value: u32) -> Option<()> {
        // Nobody may move the stack but push and pop.
        if number == ESP {
            return None;
        }
        *self.registers.get_mut(number)? = value;
        Some(())
    }

    fn byte(&self, address: u32) -> Option<u8> {
        if let Some(at) = address.checked_sub(DEFAULTS) {
            return self.stored(usize::try_from(at).ok()?);
        }
        let at = usize::try_from(address.checked_sub(DATA)?).ok()?;
        self.data.get(at).copied()
    }

    fn read(&self, place: Place, width: Width) -> Option<u32> {
        match (place, width) {
            (Place::Register(number), Width::Byte) => {
                // 4 to 7 are the second bytes of the first four.
                let shift = if number < 4 { 0 } else { 8 };
                Some(self.register(number & 3) >> shift & 0xff)
            }
            (Place::Register(number), _) => Some(self.register(number) & width.mask()),
            (Place::Memory(address), _) => {
                let bytes = (0..width.bytes()).rev();
                bytes.into_iter().try_fold(0, |value, at| {
                    let byte = self.byte(address.checked_add(at)?)?;
                    Some(value << 8 | u32::from(byte))
                })
            }
        }
    }

    fn write(&mut self, place: Place, width: Width, value: u32) -> Option<()> {
        match (place, width) {
            (Place::Register(number), Width::Byte) => {
                let shift = if number < 4 { 0 } else { 8 };
                let before = self.register(number & 3);
                let after = before & !(0xff << shift) | (value & 0xff) << shift;
                self.set_register(number & 3, after)
            }
            (Place::Register(number), _) => {
                let before = self.register(number);
                self.set_register(number, before & !width.mask() | value & width.mask())
            }
            (Place::Memory(address), _) => {
                let bytes = value.to_le_bytes();
                for (offset, byte) in (0..width.bytes()).zip(bytes) {
                    let at = address.checked_add(offset)?.checked_sub(DEFAULTS)?;
                    *self.defaults.get_mut(usize::try_from(at).ok()?)? = Some(byte);
                }
                Some(())
            }
        }
    }
}

impl Width {
    fn mask(self) -> u32 {
        match self {
            Self::Byte => 0xff,
            Self::Word => 0xffff,
            Self::Dword => u32::MAX,
        }
    }

    fn bytes(self) -> u32 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Dword => 4,
        }
    }
}

/// Runs the function that `code` begins with to its return.
pub(super) fn run(code: &[u8], mut machine: Machine) -> Option<Machine> {
    let mut at = 0_usize;
    for _ in 0..MOST_STEPS {
        let mut fetch = Fetch {
            code: code.get(at..)?,
            taken: 0,
        };
        let flow = step(&mut fetch, &mut machine)?;
        at = at.checked_add(fetch.taken)?;
        match flow {
            Flow::On => {}
            Flow::Jump(by) => at = at.checked_add_signed(isize::try_from(by).ok()?)?,
            Flow::Return => return machine.stack.is_empty().then_some(machine),
        }
    }
    None
}

/// The bytes of an instruction, taken one by one.
struct Fetch<'a> {
    code: &'a [u8],
    taken: usize,
}

impl Fetch<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.code.get(self.taken).copied()?;
        self.taken += 1;
        Some(byte)
    }

    fn signed_byte(&mut self) -> Option<i32> {
        self.byte().map(|byte| i32::from(byte.cast_signed()))
    }

    fn dword(&mut self) -> Option<u32> {
        let dword = self.code.get(self.taken..)?.first_chunk().copied()?;
        self.taken += 4;
        Some(u32::from_le_bytes(dword))
    }

    fn constant(&mut self, width: Width) -> Option<u32> {
        match width {
            Width::Byte => self.byte().map(u32::from),
            Width::Word => {
                let low = u32::from(self.byte()?);
                Some(u32::from(self.byte()?) << 8 | low)
            }
            Width::Dword => self.dword(),
        }
    }

    /// The byte that names a register and a place.
    fn operands(&mut self, machine: &Machine) -> Option<(usize, Place)> {
        let byte = self.byte()?;
        let (register, base) = (usize::from(byte >> 3 & 7), usize::from(byte & 7));
        let displacement = match byte >> 6 {
            3 => return Some((register, Place::Register(base))),
            // Places without a base, and with an index, are not needed.
            _ if base == ESP => return None,
            0 if base == 5 => return None,
            0 => 0,
            1 => self.signed_byte()?.cast_unsigned(),
            _ => self.dword()?,
        };
        let address = machine.register(base).wrapping_add(displacement);
        Some((register, Place::Memory(address)))
    }
}

fn step(fetch: &mut Fetch<'_>, machine: &mut Machine) -> Option<Flow> {
    let mut code = fetch.byte()?;
    let mut full = Width::Dword;
    if code == 0x66 {
        full = Width::Word;
        code = fetch.byte()?;
    }
    let width = if code & 1 == 0 { Width::Byte } else { full };
    let low = usize::from(code & 7);
    match code {
        0x50..=0x57 if machine.stack.len() < MOST_PUSHES => {
            machine.stack.push(machine.register(low));
        }
        0x58..=0x5f => {
            let value = machine.stack.pop()?;
            machine.set_register(low, value)?;
        }
        0x74 | 0x75 => {
            let by = fetch.signed_byte()?;
            return Some(jump_if(machine.is_zero == (code == 0x74), by));
        }
        0xeb => return fetch.signed_byte().map(Flow::Jump),
        0xe9 => return Some(Flow::Jump(fetch.dword()?.cast_signed())),
        0x84 | 0x85 => {
            let (register, place) = fetch.operands(machine)?;
            let value = machine.read(Place::Register(register), width)?;
            machine.is_zero = value & machine.read(place, width)? == 0;
        }
        0xa8 => machine.is_zero = u32::from(fetch.byte()?) & machine.register(EAX) == 0,
        0x08..=0x0b | 0x20..=0x23 | 0x28..=0x2b | 0x30..=0x33 => {
            let (register, place) = fetch.operands(machine)?;
            let (from, to) = if code & 2 == 0 {
                (Place::Register(register), place)
            } else {
                (place, Place::Register(register))
            };
            combine(machine, code >> 3, width, to, from)?;
        }
        0x24 | 0x25 => {
            let constant = fetch.constant(width)?;
            combine_constant(machine, 4, width, Place::Register(EAX), constant)?;
        }
        0x80 | 0x81 | 0x83 => {
            let (operation, place) = fetch.operands(machine)?;
            let constant = match code {
                0x83 => fetch.signed_byte()?.cast_unsigned(),
                _ => fetch.constant(width)?,
            };
            combine_constant(
                machine,
                u8::try_from(operation).ok()?,
                width,
                place,
                constant,
            )?;
        }
        0x88 | 0x89 => {
            let (register, place) = fetch.operands(machine)?;
            let value = machine.read(Place::Register(register), width)?;
            machine.write(place, width, value)?;
        }
        0x8a | 0x8b => {
            let (register, place) = fetch.operands(machine)?;
            let value = machine.read(place, width)?;
            machine.write(Place::Register(register), width, value)?;
        }
        0xb0..=0xb7 => {
            let constant = fetch.constant(Width::Byte)?;
            machine.write(Place::Register(low), Width::Byte, constant)?;
        }
        0xb8..=0xbf => {
            let constant = fetch.constant(full)?;
            machine.write(Place::Register(low), full, constant)?;
        }
        0xc6 | 0xc7 => {
            let (_, place) = fetch.operands(machine)?;
            let constant = fetch.constant(width)?;
            machine.write(place, width, constant)?;
        }
        0xc0 | 0xc1 | 0xd0 | 0xd1 => {
            let (operation, place) = fetch.operands(machine)?;
            let by = if code < 0xd0 { fetch.byte()? & 31 } else { 1 };
            let value = machine.read(place, width)?;
            let value = match operation {
                4 => value << by,
                5 => value >> by,
                _ => return None,
            };
            machine.write(place, width, value)?;
            if by > 0 {
                machine.is_zero = value & width.mask() == 0;
            }
        }
        0x90 => {}
        0xf3 if fetch.byte()? == 0x0f && fetch.byte()? == 0x1e && fetch.byte()? == 0xfb => {}
        0x0f => return two_byte_step(fetch, machine, full),
        0xc3 => return Some(Flow::Return),
        _ => return None,
    }
    Some(Flow::On)
}

fn two_byte_step(fetch: &mut Fetch<'_>, machine: &mut Machine, full: Width) -> Option<Flow> {
    match fetch.byte()? {
        code @ (0x84 | 0x85) => {
            let by = fetch.dword()?.cast_signed();
            Some(jump_if(machine.is_zero == (code == 0x84), by))
        }
        code @ (0xb6 | 0xb7) => {
            let narrow = if code == 0xb6 {
                Width::Byte
            } else {
                Width::Word
            };
            let (register, place) = fetch.operands(machine)?;
            let value = machine.read(place, narrow)?;
            machine.write(Place::Register(register), full, value)?;
            Some(Flow::On)
        }
        _ => None,
    }
}

fn jump_if(condition: bool, by: i32) -> Flow {
    if condition { Flow::Jump(by) } else { Flow::On }
}

fn combine(
    machine: &mut Machine,
    operation: u8,
    width: Width,
    to: Place,
    from: Place,
) -> Option<()> {
    let value = machine.read(from, width)?;
    combine_constant(machine, operation, width, to, value)
}

/// `operation` as in the instruction's code.
fn combine_constant(
    machine: &mut Machine,
    operation: u8,
    width: Width,
    to: Place,
    value: u32,
) -> Option<()> {
    let before = machine.read(to, width)?;
    let after = match operation {
        1 => before | value,
        4 => before & value,
        5 => before.wrapping_sub(value),
        6 => before ^ value,
        // A comparison: the difference goes nowhere.
        7 => {
            machine.is_zero = before.wrapping_sub(value) & width.mask() == 0;
            return Some(());
        }
        _ => return None,
    };
    machine.is_zero = after & width.mask() == 0;
    machine.write(to, width, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(code: &[u8], status: u32) -> Option<Vec<(usize, u8)>> {
        let machine = run(code, Machine::new([0x11, 0x22, 0x33, 0x44], status))?;
        let all = (0..DEFAULTS_BYTES).filter_map(|at| Some((at, machine.stored(at)?)));
        Some(all.collect())
    }

    #[test]
    fn both_ways_through_a_function_are_followed() {
        let code = [
            0x85, 0xd2, // test edx, edx
            0x75, 0x09, // jnz: to the constant
            0x0f, 0xb6, 0x40, 0x01, // movzx eax, byte [eax+1]
            0x83, 0xe0, 0x03, // and eax, 3
            0xeb, 0x02, // jmp
            0xb0, 0x05, // mov al, 5
            0x88, 0x41, 0x17, // mov [ecx+0x17], al
            0xc3, // ret
        ];
        assert_eq!(stored(&code, 0), Some(vec![(0x17, 2)]));
        assert_eq!(stored(&code, 1), Some(vec![(0x17, 5)]));
    }

    #[test]
    fn words_and_second_bytes_are_stored() {
        let code = [
            0x53, // push ebx
            0x66, 0xc7, 0x41, 0x16, 0x34, 0x12, // mov word [ecx+0x16], 0x1234
            0x31, 0xdb, // xor ebx, ebx
            0xb7, 0x07, // mov bh, 7
            0x89, 0x19, // mov [ecx], ebx
            0xc1, 0xeb, 0x08, // shr ebx, 8
            0x88, 0x99, 0x20, 0, 0, 0,    // mov [ecx+0x20], bl
            0x5b, // pop ebx
            0xc3,
        ];
        let expected = [
            (0, 0),
            (1, 7),
            (2, 0),
            (3, 0),
            (0x16, 0x34),
            (0x17, 0x12),
            (0x20, 7),
        ];
        assert_eq!(stored(&code, 0), Some(expected.to_vec()));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_understood() {
        for code in [
            &[0xeb, 0xfe][..],                     // for ever
            &[0xe8, 0, 0, 0, 0, 0xc3],             // call
            &[0x53, 0xc3],                         // the stack is not empty
            &[0x58, 0xc3],                         // nor below its start
            &[0x8a, 0x40, 0x04, 0xc3],             // outside of the setting
            &[0xc6, 0x00, 0x01, 0xc3],             // a write into it
            &[0xc6, 0x81, 0x80, 0, 0, 0, 1, 0xc3], // outside of the defaults
            &[0x8a, 0x04, 0x08, 0xc3],             // an index
            &[0xbc, 0, 0, 0, 0, 0xc3],             // the stack pointer
            &[0xeb, 0x80],                         // before the function
            &[0x85],
            &[],
        ] {
            assert_eq!(stored(code, 0), None, "{code:02x?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_code_ends(code: Vec<u8>, data: [u8; 4], status: u32) {
            let _ = run(&code, Machine::new(data, status));
        }
    }
}

//! The shortest client that follows mstflint 4.21's order of accesses.

use flexctl::pci::Function;
use flexctl::sim::{Card, Shelf};

/// An answer's status; `Gone` when nothing answers any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u8),
    Busy,
    Gone,
}

pub(crate) const OK: Answer = Answer::Status(0);
pub(crate) const NOT_SET: Answer = Answer::Status(8);

pub(crate) const GET: u32 = 1;
pub(crate) const SET: u32 = 2;

const LOOKS: u32 = 50;

pub(crate) fn card(profile: &str) -> Card {
    Shelf::memory().card(profile).unwrap()
}

pub(crate) fn open(card: &Card, index: usize) -> Box<dyn Function> {
    card.function(card.infos()[index].address).unwrap()
}

/// ConnectX-4: takes the gateway for one dword, as mstflint does. A card that
/// is gone answers all-ones to this as well.
pub(crate) fn space_access(
    pci: &mut dyn Function,
    space: u32,
    address: u32,
    write: Option<u32>,
) -> u32 {
    let held = pci.read_config32(0xcc).unwrap();
    if held == u32::MAX {
        return held;
    }
    assert_eq!(held, 0, "the gateway is held");
    let ticket = pci.read_config32(0xc8).unwrap();
    pci.write_config32(0xcc, ticket).unwrap();
    assert_eq!(pci.read_config32(0xcc).unwrap(), ticket);
    pci.write_config32(0xc4, space).unwrap();
    let flag = match write {
        Some(value) => {
            pci.write_config32(0xd4, value).unwrap();
            pci.write_config32(0xd0, address | 1 << 31).unwrap();
            0
        }
        None => {
            pci.write_config32(0xd0, address).unwrap();
            1
        }
    };
    let mut look = || pci.read_config32(0xd0).unwrap();
    let ready = (0..LOOKS)
        .map(|_| look())
        .find(|word| word >> 31 == flag || *word == u32::MAX);
    assert!(ready.is_some(), "the flag does not come");
    if ready == Some(u32::MAX) {
        return u32::MAX;
    }
    let word = pci.read_config32(0xd4).unwrap();
    pci.write_config32(0xcc, 0).unwrap();
    word
}

/// ConnectX-4: an ICMD command with its semaphore; the mailbox in and out.
pub(crate) fn icmd(pci: &mut dyn Function, opcode: u32, mailbox: &mut [u32]) -> Answer {
    space_access(pci, 0xa, 0, Some(4711));
    if space_access(pci, 0xa, 0, None) == u32::MAX {
        return Answer::Gone;
    }
    let at = |index: usize| 0x10_0000 + u32::try_from(index).unwrap() * 4;
    for (index, word) in mailbox.iter().enumerate() {
        space_access(pci, 3, at(index), Some(*word));
    }
    space_access(pci, 3, 0, Some(opcode << 16));
    space_access(pci, 3, 0, Some(opcode << 16 | 1));
    let mut control = 1;
    for _ in 0..LOOKS {
        control = space_access(pci, 3, 0, None);
        if control == u32::MAX {
            return Answer::Gone;
        }
        if control & 1 == 0 {
            break;
        }
    }
    if control & 1 == 1 {
        return Answer::Busy;
    }
    for (index, word) in mailbox.iter_mut().enumerate() {
        *word = space_access(pci, 3, at(index), None);
    }
    space_access(pci, 0xa, 0, Some(0));
    Answer::Status(u8::try_from(control >> 8 & 0xff).unwrap())
}

fn wrap(register: u32, method: u32, data: &[u32]) -> Vec<u32> {
    let length = u32::try_from(data.len() + 1).unwrap();
    let mut mailbox = vec![
        0x0804_0000,
        register << 16 | method << 8 | 1,
        0,
        0,
        3 << 27 | length << 16,
    ];
    mailbox.extend(data);
    mailbox
}

fn unwrap(answer: Answer, mailbox: &[u32], data: &mut [u32]) -> Answer {
    if answer == OK {
        data.copy_from_slice(&mailbox[5..]);
        Answer::Status(u8::try_from(mailbox[0] >> 8 & 0x7f).unwrap())
    } else {
        answer
    }
}

/// ConnectX-4: accesses a register.
pub(crate) fn register4(pci: &mut dyn Function, id: u32, method: u32, data: &mut [u32]) -> Answer {
    let mut mailbox = wrap(id, method, data);
    let answer = icmd(pci, 0x9001, &mut mailbox);
    unwrap(answer, &mailbox, data)
}

/// ConnectX-4: reads a setting of one dword; `bits` go into the header.
pub(crate) fn get4(pci: &mut dyn Function, kind: u32, bits: u32) -> (Answer, u32) {
    let mut data = [0x100 | bits, kind, 0, 0xdead_beef];
    let answer = register4(pci, 0x9024, GET, &mut data);
    (answer, data[3])
}

/// ConnectX-4: writes a setting of one dword as mstconfig does.
pub(crate) fn set4(pci: &mut dyn Function, kind: u32, value: u32) -> Answer {
    register4(pci, 0x9024, SET, &mut [0x0209_0004, kind, 0, value])
}

/// How to reach CR space of a ConnectX-3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Config,
    Bar,
}

pub(crate) fn cr(pci: &mut dyn Function, way: Way, address: u32, write: Option<u32>) -> u32 {
    match (way, write) {
        (Way::Config, None) => {
            pci.write_config32(0x58, address).unwrap();
            pci.read_config32(0x5c).unwrap()
        }
        (Way::Config, Some(value)) => {
            pci.write_config32(0x58, address).unwrap();
            pci.write_config32(0x5c, value).unwrap();
            0
        }
        (Way::Bar, None) => pci.read_bar32(0, address.into()).unwrap().swap_bytes(),
        (Way::Bar, Some(value)) => {
            pci.write_bar32(0, address.into(), value.swap_bytes())
                .unwrap();
            0
        }
    }
}

/// ConnectX-3: one tools HCR command, the semaphore held by the caller.
pub(crate) fn hcr(
    pci: &mut dyn Function,
    way: Way,
    opcode: u32,
    modifier: u32,
    input: [u32; 2],
) -> (Answer, [u32; 2]) {
    for (index, word) in [input[0], input[1], modifier, 0, 0, 0]
        .into_iter()
        .enumerate()
    {
        let at = 0x8_0780 + u32::try_from(index).unwrap() * 4;
        cr(pci, way, at, Some(word));
    }
    cr(pci, way, 0x8_0798, Some(opcode | 1 << 23));
    for _ in 0..LOOKS {
        let control = cr(pci, way, 0x8_0798, None);
        if control == u32::MAX {
            return (Answer::Gone, [0; 2]);
        }
        if control >> 23 & 1 == 0 {
            let output = [0x8_078c, 0x8_0790].map(|at| cr(pci, way, at, None));
            return (Answer::Status(u8::try_from(control >> 24).unwrap()), output);
        }
    }
    (Answer::Busy, [0; 2])
}

/// Takes the HCR's semaphore, or says what it reads as.
pub(crate) fn take_hcr(pci: &mut dyn Function, way: Way) -> Result<(), u32> {
    match cr(pci, way, 0xf_03bc, None) {
        0 => Ok(()),
        held => Err(held),
    }
}

/// ConnectX-3: reads the dwords of a command's answer through the mailbox.
pub(crate) fn query3(
    pci: &mut dyn Function,
    way: Way,
    opcode: u32,
    dwords: usize,
) -> (Answer, Vec<u32>) {
    take_hcr(pci, way).unwrap();
    let (answer, _) = hcr(pci, way, opcode, 0, [0; 2]);
    let mut words = Vec::new();
    while words.len() < dwords {
        let index = u32::try_from(words.len()).unwrap();
        let (moved, [high, low]) = hcr(pci, way, 0x71, index, [0; 2]);
        assert_eq!(moved, OK);
        words.extend([low, high]);
    }
    words.truncate(dwords);
    cr(pci, way, 0xf_03bc, Some(0));
    (answer, words)
}

/// ConnectX-3: accesses a register through the window or eight bytes at a time.
pub(crate) fn register3(
    pci: &mut dyn Function,
    way: Way,
    window: bool,
    access: (u32, u32),
    data: &mut [u32],
) -> Answer {
    let mut mailbox = wrap(access.0, access.1, data);
    mailbox.resize(mailbox.len().next_multiple_of(2), 0);
    if let Err(held) = take_hcr(pci, way) {
        return if held == u32::MAX {
            Answer::Gone
        } else {
            Answer::Busy
        };
    }
    let at = |index: usize| u32::try_from(index).unwrap();
    for (index, pair) in mailbox.chunks(2).enumerate() {
        if window {
            cr(pci, way, 0xe_0000 + at(index) * 8, Some(pair[0]));
            cr(pci, way, 0xe_0004 + at(index) * 8, Some(pair[1]));
        } else {
            let moved = hcr(pci, way, 0x70, at(index) * 2, [pair[1], pair[0]]).0;
            assert!(matches!(moved, OK | Answer::Busy));
        }
    }
    let (answer, _) = hcr(pci, way, 0x3b, u32::from(window), [0; 2]);
    if answer != OK {
        return answer;
    }
    for (index, pair) in mailbox.chunks_mut(2).enumerate() {
        if window {
            pair[0] = cr(pci, way, 0xe_0000 + at(index) * 8, None);
            pair[1] = cr(pci, way, 0xe_0004 + at(index) * 8, None);
        } else {
            let (_, [high, low]) = hcr(pci, way, 0x71, at(index) * 2, [0; 2]);
            pair.copy_from_slice(&[low, high]);
        }
    }
    cr(pci, way, 0xf_03bc, Some(0));
    unwrap(answer, &mailbox[..5 + data.len()], data)
}

/// ConnectX-3: reads a setting of one dword.
pub(crate) fn get3(pci: &mut dyn Function, kind: u32, port: u32) -> (Answer, u32) {
    let mut data = [1 << 18 | kind, port << 16, 0xdead_beef];
    let answer = register3(pci, Way::Config, true, (0x9024, GET), &mut data);
    (answer, data[2])
}

/// ConnectX-3: writes a setting of one dword.
pub(crate) fn set3(pci: &mut dyn Function, kind: u32, port: u32, value: u32) -> Answer {
    let mut data = [1 << 18 | kind, port << 16, value];
    register3(pci, Way::Config, true, (0x9024, SET), &mut data)
}

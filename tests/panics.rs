//! A panic anywhere on the way to the card leaves no semaphore behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use flexctl::access::{self, Patience};
use flexctl::command::Firmware;
use flexctl::hwdb::{Device, Hwdb};
use flexctl::pci::{Bdf, Function, FunctionError};
use flexctl::settings::{
    BOOT_PATH, CardReader, Detail, IpMode, PxeBoot, Reserved, Wanted, apply, goal, plan,
};
use flexctl::sim::{Card, Shelf};

/// A function that panics once, at the given access.
#[derive(Debug)]
struct Bomb {
    inner: Box<dyn Function>,
    left: u32,
}

impl Bomb {
    fn tick(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            assert!(self.left > 0, "bomb");
        }
    }
}

impl Function for Bomb {
    fn address(&self) -> Bdf {
        self.inner.address()
    }

    fn read_config(&mut self, offset: u16, data: &mut [u8]) -> Result<(), FunctionError> {
        self.tick();
        self.inner.read_config(offset, data)
    }

    fn write_config(&mut self, offset: u16, data: &[u8]) -> Result<(), FunctionError> {
        self.tick();
        self.inner.write_config(offset, data)
    }

    fn map_bar(&mut self, bar: u8) -> Result<u64, FunctionError> {
        self.inner.map_bar(bar)
    }

    fn read_bar32(&mut self, bar: u8, offset: u64) -> Result<u32, FunctionError> {
        self.tick();
        self.inner.read_bar32(bar, offset)
    }

    fn write_bar32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), FunctionError> {
        self.tick();
        self.inner.write_bar32(bar, offset, value)
    }

    fn read_option_rom(&mut self) -> Result<Vec<u8>, FunctionError> {
        self.inner.read_option_rom()
    }
}

/// Enables IPv6 on the card's first function, with a bomb on the way.
fn enable(hwdb: &Hwdb, device: &Device, card: &Card, bomb_at: u32) {
    let bomb = Bomb {
        inner: card.function(card.infos()[0].address).unwrap(),
        left: bomb_at,
    };
    let gateway = access::open(device, Box::new(bomb), &Patience::default()).unwrap();
    let mut firmware = Firmware::new(device, gateway);
    let settings = {
        let mut session = firmware.session().unwrap();
        let file = hwdb.settings(device);
        let mut reader = CardReader::new(file, Detail::ForChange, Wanted::Holding(&BOOT_PATH));
        reader.read_port(&mut session, 1).unwrap();
        session.end().unwrap();
        reader.finish()
    };
    let ports = settings;
    let wishes = goal(&[&ports[0]], IpMode::Ipv6, PxeBoot::Keep);
    let plan = plan(&ports, &wishes, Reserved::Refuse).unwrap();
    apply(&mut [&mut firmware], &plan).unwrap();
}

/// These panics are what is asked for: their words would only be in the way.
fn silence_bombs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            let is_bomb = info.payload().downcast_ref::<&str>() == Some(&"bomb");
            if !is_bomb {
                others(info);
            }
        }));
    });
}

fn panic_at_every_access(profile: &str) {
    let hwdb = Hwdb::builtin().unwrap();
    silence_bombs();
    let mut panics = 0;
    for bomb_at in 1.. {
        let card = Shelf::memory().card(profile).unwrap();
        let device = hwdb.device(card.infos()[0].device).unwrap();
        let attempt = AssertUnwindSafe(|| enable(&hwdb, device, &card, bomb_at));
        if catch_unwind(attempt).is_ok() {
            break;
        }
        panics += 1;
        let held = card.held_semaphores();
        if !held.is_empty() {
            panic!("{profile}, panic at access {bomb_at}: {held:?}");
        }
    }
    assert!(panics > 200, "{profile}: {panics}");
}

#[test]
fn a_panic_leaves_no_semaphore_of_a_connectx_3_held() {
    panic_at_every_access("connectx-3");
}

#[test]
fn a_panic_leaves_no_semaphore_of_a_connectx_3_pro_held() {
    panic_at_every_access("connectx-3-pro");
}

#[test]
fn a_panic_leaves_no_semaphore_of_a_connectx_4_held() {
    panic_at_every_access("connectx-4-single");
}

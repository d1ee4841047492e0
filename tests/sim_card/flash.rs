//! The flash through its gateway and registers, and what a card boots from it.

use flexctl::pci::Function;
use flexctl::sim::{Card, FaultPlan, Shelf};

use crate::by_hand::{
    Answer, GET, OK, SET, Way, card, cr, open, register3, register4, space_access,
};

/// The SPI gateway of either generation, as mstflint 4.21 uses it.
struct Gateway {
    pci: Box<dyn Function>,
    /// ConnectX-4: behind the vendor capability, with the lock in the command.
    fifth: bool,
}

impl Gateway {
    fn open(card: &Card) -> Self {
        let fifth = card.profile().starts_with("connectx-4");
        let pci = open(card, 0);
        Self { pci, fifth }
    }

    fn cr(&mut self, address: u32, write: Option<u32>) -> u32 {
        if self.fifth {
            space_access(self.pci.as_mut(), 2, address, write)
        } else {
            cr(self.pci.as_mut(), Way::Config, address, write)
        }
    }

    fn lock(&mut self) -> bool {
        let held = if self.fifth {
            self.cr(0xf_0400, None) >> 31
        } else {
            self.cr(0xf_03a0, None) | self.cr(0xf_03fc, None)
        };
        held == 0
    }

    fn unlock(&mut self) {
        if self.fifth {
            self.cr(0xf_0400, Some(0));
        } else {
            self.cr(0xf_03fc, Some(0));
            self.cr(0xf_03a0, Some(0));
        }
    }

    /// `bits` as in the gateway's command, without go, lock and enable.
    fn run(&mut self, bits: u32) {
        let all = if self.fifth {
            bits | 0xc000_0000
        } else {
            bits | 0x4000_2000
        };
        self.cr(0xf_0400, Some(all));
        for _ in 0..50 {
            let word = self.cr(0xf_0400, None);
            if word >> 30 & 1 == 0 || word == u32::MAX {
                return;
            }
        }
        panic!("the gateway stays busy");
    }

    fn status(&mut self) -> u8 {
        self.run(0x0005_0215);
        u8::try_from(self.cr(0xf_0410, None) >> 24).unwrap()
    }

    fn read(&mut self, at: u32) -> [u32; 4] {
        self.cr(0xf_0404, Some(at));
        self.run(0x0003_041d);
        [0, 4, 8, 12].map(|offset| self.cr(0xf_0410 + offset, None))
    }

    fn wait(&mut self) {
        for _ in 0..20 {
            if self.status() & 1 == 0 {
                return;
            }
        }
    }

    fn erase(&mut self, at: u32) {
        self.run(0x0006_0004);
        self.cr(0xf_0404, Some(at));
        self.run(0x0020_000c);
        self.wait();
    }

    fn program(&mut self, at: u32, data: &[[u32; 4]]) {
        self.run(0x0006_0004);
        for (number, words) in data.iter().enumerate() {
            for (offset, word) in (0..).step_by(4).zip(words) {
                self.cr(0xf_0410 + offset, Some(*word));
            }
            self.cr(0xf_0404, Some(at));
            let first = if number == 0 { 0x0002_000c } else { 0 };
            let hold = if number + 1 < data.len() { 0x20 } else { 0 };
            self.run(0x410 | first | hold);
        }
        self.wait();
    }
}

const BLANK: [u32; 4] = [u32::MAX; 4];

fn assert_orderly(card: &Card) {
    let counters = card.counters();
    assert_eq!((counters.unlocked, counters.overruns), (0, 0));
}

#[test]
fn a_page_is_programmed_in_beats_and_erased_by_both_gateways() {
    for name in ["connectx-3", "connectx-4"] {
        let card = card(name);
        let mut gateway = Gateway::open(&card);
        assert!(gateway.lock());
        gateway.run(0x009f_0215);
        let id = gateway.cr(0xf_0410, None) >> 8;
        assert_eq!(id, if gateway.fifth { 0x20_ba18 } else { 0xef_4015 });
        let at = 0x18_0000;
        assert_eq!(gateway.read(at), BLANK, "{name}");
        let beats = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]];
        gateway.program(at, &beats);
        assert_eq!(gateway.read(at + 16), beats[1], "{name}");
        assert_eq!(gateway.read(at + 32), beats[2]);
        assert_eq!(gateway.read(at + 48), BLANK);
        // Without write enable nothing happens.
        gateway.cr(0xf_0404, Some(at));
        gateway.run(0x0020_000c);
        assert_eq!(gateway.read(at), beats[0]);
        gateway.erase(at + 0xfff);
        assert_eq!(gateway.read(at), BLANK);
        assert!(!gateway.lock(), "a lock is taken once");
        gateway.unlock();
        assert_orderly(&card);
        assert!(card.held_semaphores().is_empty());
        let counters = card.flash_counters();
        assert_eq!((counters.programs, counters.programmed_bytes), (1, 48));
        assert_eq!(counters.operations(), 2);
        assert_eq!(counters.refused, 1);
        gateway.run(0x009f_0215);
        assert_eq!(card.counters().unlocked, 1);
    }
}

#[test]
fn the_firmware_reads_writes_and_erases_by_its_registers() {
    for name in ["connectx-3", "connectx-4"] {
        let card = card(name);
        let mut pci = open(&card, 0);
        let fifth = name == "connectx-4";
        if fifth {
            space_access(pci.as_mut(), 0xa, 0x10, Some(4711));
        } else {
            assert_eq!(cr(pci.as_mut(), Way::Config, 0xf_03a0, None), 0);
        }
        let mut access = |id: u32, method: u32, data: &mut [u32]| {
            if fifth {
                register4(pci.as_mut(), id, method, data)
            } else {
                register3(pci.as_mut(), Way::Config, true, (id, method), data)
            }
        };
        let mut parameters = [0; 8];
        assert_eq!(access(0x9010, GET, &mut parameters), OK);
        assert_eq!(parameters[4] & 0xf, 1);
        assert_eq!(parameters[5], if fifth { 0x18_ba20 } else { 0x15_40ef });
        let at = 0x18_0000;
        let mut block = vec![0, 8, at, 0x4433_2211, 0x8877_6655];
        assert_eq!(access(0x9011, SET, &mut block), OK);
        let stored = card.flash_bytes(at, 9);
        assert_eq!(
            stored,
            [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xff]
        );
        let mut block = vec![0, 8, at, 0, 0];
        assert_eq!(access(0x9011, GET, &mut block), OK);
        assert_eq!(block[3..], [0x4433_2211, 0x8877_6655]);
        assert_eq!(access(0x9012, SET, &mut [0, 0, at + 4]), Answer::Status(7));
        assert_eq!(access(0x9012, SET, &mut [1 << 29, 0, at]), OK);
        assert_eq!(card.flash_bytes(at, 4), [0xff; 4]);
        // Across a page, and behind the end.
        let mut block = [0, 8, at + 0xfc, 0, 0];
        assert_eq!(access(0x9011, SET, &mut block), Answer::Status(7));
        let mut block = [0, 8, 0x1ff_fffc, 0, 0];
        assert_eq!(access(0x9011, GET, &mut block), Answer::Status(7));
        assert_eq!(card.flash_counters().erases[&0x1_0000], 1);
        assert_orderly(&card);
    }
}

#[test]
fn a_cold_boot_takes_the_first_magic_and_a_warm_one_the_boot_address() {
    let card = card("connectx-4-two-images");
    let version = |card: &Card| {
        let boot = card.boot();
        boot.image().map(|image| image.firmware.clone())
    };
    assert_eq!(version(&card).unwrap(), "12.28.2006");
    let mut pci = open(&card, 0);
    assert_eq!(space_access(pci.as_mut(), 2, 0xf_0000, None), 0);
    let mut address = [1 << 30 | 0x40_0000, 0, 0, 0];
    assert_eq!(register4(pci.as_mut(), 0x9029, SET, &mut address), OK);
    assert_eq!(space_access(pci.as_mut(), 2, 0xf_0000, None), 0x4000_0000);
    let warm = card.boot_warm();
    let image = warm.image().unwrap();
    assert_eq!(
        (image.start, &image.firmware[..]),
        (0x40_0000, "12.12.1100")
    );
    card.warm_reset();
    let mut pci = open(&card, 0);
    let mut general = [0; 40];
    assert_eq!(register4(pci.as_mut(), 0x9020, GET, &mut general), OK);
    assert_eq!(general[17..20], [12, 12, 1100]);
    let rom = pci.read_option_rom().unwrap();
    assert!(
        image
            .rom
            .as_ref()
            .is_some_and(|whole| whole.starts_with(&rom))
    );
    // A boot address without a magic counts for nothing.
    let mut address = [1 << 30 | 0x20_0000, 0, 0, 0];
    assert_eq!(register4(pci.as_mut(), 0x9029, SET, &mut address), OK);
    card.warm_reset();
    assert_eq!(card.boot_warm(), card.boot());
    // The first image's magic goes: the second is found.
    let mut gateway = Gateway::open(&card);
    gateway.lock();
    gateway.program(0, &[[0, 0, 0, 0]]);
    assert_eq!(version(&card).unwrap(), "12.12.1100");
    card.reboot();
    let boot = card.boot();
    assert_eq!(boot.image().unwrap().slot, 1);
}

#[test]
fn a_damaged_image_is_no_firmware_whatever_the_other_slot_holds() {
    for (name, at) in [
        ("connectx-4-two-images", 0x10),
        ("connectx-4-two-images", 0x48),
        ("connectx-4-two-images", 0x1024),
        ("connectx-4-two-images", 0x5008),
        ("connectx-3", 0x14),
        ("connectx-3", 0x70),
        ("connectx-3", 0x2000),
    ] {
        let card = card(name);
        let before = card.flash_snapshot();
        let mut flash = card.flash();
        flash[at] ^= 4;
        card.set_flash(&flash).unwrap();
        let boot = card.boot();
        assert_eq!(boot.image(), None, "{name} {at:#x}");
        assert!(
            boot.to_string()
                .starts_with("flash recovery: the image at 0x0"),
            "{boot}"
        );
        // It runs on until it is switched off.
        assert_ne!(card.infos()[0].device & 0x1000, 0);
        card.reboot();
        let infos = card.infos();
        assert_eq!(infos.len(), 1);
        let fifth = name.starts_with("connectx-4");
        assert_eq!(infos[0].device, if fifth { 0x209 } else { 0x1f6 });
        let mut pci = open(&card, 0);
        assert_eq!(
            pci.read_config32(0).unwrap() >> 16,
            u32::from(infos[0].device)
        );
        assert!(pci.read_option_rom().is_err());
        if fifth {
            let answer = register4(pci.as_mut(), 0x9020, GET, &mut [0; 40]);
            assert_eq!(answer, Answer::Busy);
            assert_eq!(space_access(pci.as_mut(), 2, 0xb_0004, None) >> 31, 1);
        } else {
            let answer = register3(pci.as_mut(), Way::Config, true, (0x9020, GET), &mut [0; 40]);
            assert_eq!(answer, Answer::Busy);
        }
        // The gateway works all the same.
        let mut gateway = Gateway::open(&card);
        assert!(gateway.lock());
        assert_eq!(gateway.read(0)[0], 0x4d54_4657);
        gateway.unlock();
        card.restore_flash(&before);
        card.reboot();
        assert_ne!(card.infos()[0].device & 0x1000, 0);
    }
}

#[test]
fn a_new_version_shows_after_the_reboot_and_survives_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(directory.path());
    let path = directory.path().join("mine");
    {
        let card = shelf.create("mine", "connectx-3").unwrap();
        card.reboot();
        assert!(!path.join("flash.bin").exists());
        // Looking changes nothing.
        assert_eq!(card.flash().len(), 0x20_0000);
        assert!(!path.join("flash.bin").exists());
        let old = Shelf::memory().card("connectx-3-old-rom").unwrap();
        card.set_flash(&old.flash()).unwrap();
        card.reboot();
        assert_eq!(
            card.infos()[0].net[0].mac.as_deref(),
            Some("02:00:5e:03:07:01")
        );
    }
    {
        let card = shelf.card("mine").unwrap();
        assert_eq!(card.boot().image().unwrap().firmware, "2.35.5100");
        let mut pci = open(&card, 0);
        assert_eq!(
            cr(pci.as_mut(), Way::Config, 0x1_f068, None),
            35 << 16 | 5100
        );
        let rom = pci.read_option_rom().unwrap();
        assert_eq!(card.boot().image().unwrap().rom.as_ref(), Some(&rom));
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        gateway.program(0x19_0000, &[[1, 2, 3, 4]]);
        gateway.erase(0x8_0000);
    }
    let card = shelf.card("mine").unwrap();
    assert_eq!(card.flash_bytes(0x19_0004, 4), [0, 0, 0, 2]);
    assert_eq!(card.boot().image().unwrap().firmware, "2.35.5100");
    assert_eq!(card.flash_counters().operations(), 2);
    // Erased parts take no room.
    let stored = std::fs::metadata(path.join("flash.bin")).unwrap();
    assert_eq!(stored.len(), 0x20_0000);
    assert!(std::os::unix::fs::MetadataExt::blocks(&stored) * 512 < 0x4_0000);
}

#[test]
fn faults_of_the_flash_strike_through_the_gateway() {
    for name in ["connectx-3", "connectx-4"] {
        let broken = |plan: &str| {
            let card = card(name);
            card.set_faults(plan.parse::<FaultPlan>().unwrap());
            card
        };
        let at = 0x18_0000;
        let page = [[0, 0, 0, 0], [0, 0, 0, 0]];
        let card = broken("flash-power-cut@2");
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        gateway.program(at, &page);
        assert!(!card.is_gone());
        gateway.program(at + 0x100, &page);
        assert!(card.is_gone());
        assert_eq!(card.flash_bytes(at + 0x100, 32), [0; 32]);
        gateway.program(at + 0x200, &page);
        assert_eq!(card.flash_bytes(at + 0x200, 1), [0xff]);
        card.reboot();
        assert!(!card.is_gone());

        let card = broken("flash-torn@1");
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        gateway.program(at, &page);
        assert!(card.is_gone());
        assert_eq!(card.flash_bytes(at + 15, 3), [0, 0x0f, 0xff]);

        let card = broken("flash-lost-lock@1");
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        gateway.program(at, &page);
        gateway.program(at, &page);
        assert_eq!(card.flash_bytes(at, 32), [0xff; 32]);
        assert!(!card.held_semaphores().is_empty());

        let card = broken("hold-semaphore=flash");
        assert!(!Gateway::open(&card).lock());
        card.reboot();
        assert!(Gateway::open(&card).lock());

        let card = broken("flash-stuck-bit=0x180003:4,flash-read-flip@2");
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        gateway.program(at, &page);
        assert_eq!(gateway.read(at), [0x10, 0, 0, 0]);
        assert_eq!(gateway.read(at), [0x10, 0, 0x0100_0000, 0]);

        let card = broken("flash-protected");
        let mut gateway = Gateway::open(&card);
        gateway.lock();
        assert_eq!(gateway.status() & 0x1c, 0x1c);
        gateway.program(at, &page);
        assert_eq!(gateway.read(at), BLANK);
    }
}

#[test]
fn a_beat_that_a_killed_program_left_behind_counts() {
    let card = card("connectx-3");
    let mut gateway = Gateway::open(&card);
    gateway.lock();
    gateway.run(0x0006_0004);
    gateway.cr(0xf_0410, Some(0x1234_5678));
    gateway.cr(0xf_0404, Some(0x18_0000));
    gateway.run(0x0002_023c);
    assert_eq!(card.flash_bytes(0x18_0000, 4), [0xff; 4]);
    gateway.wait();
    assert_eq!(card.flash_bytes(0x18_0000, 4), [0x12, 0x34, 0x56, 0x78]);
}

#[test]
fn many_cards_are_listed_without_a_single_flash() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(directory.path());
    for number in 0..20 {
        shelf
            .create(&format!("card{number}"), "connectx-4")
            .unwrap();
    }
    for name in shelf.list().unwrap() {
        let card = shelf.card(&name).unwrap();
        let mut pci = open(&card, 0);
        assert!(pci.read_option_rom().is_ok());
        card.reboot();
        assert!(!directory.path().join(name).join("flash.bin").exists());
    }
}

/// Tests that look at every moment of a burn ask this very often.
#[test]
fn a_boot_is_judged_quickly() {
    for name in ["connectx-3", "connectx-3-16-mib", "connectx-4"] {
        let card = card(name);
        let before = card.flash_snapshot();
        let since = std::time::Instant::now();
        for _ in 0..100 {
            card.restore_flash(&before);
            assert!(card.boot().image().is_some());
        }
        let each = since.elapsed() / 100;
        // Some tens of microseconds where nothing else runs.
        assert!(each.as_millis() < 20, "{name}: {each:?}");
        eprintln!("{name}: {each:?}");
    }
}

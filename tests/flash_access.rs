//! The ways to the flash on virtual cards: gateway and registers, both
//! generations, through every way into the card.
//!
//! The cards are ours; that their flash is plausible is shown by mstflint.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use flexctl::access::{AccessError, BarWindow, Gateway, LegacyGateway, Patience, Vsec};
use flexctl::command::{Firmware, SemaphoreState};
use flexctl::flash::{self, Block, Flash, FlashError, FlashLock, FlashWay, FlashWish};
use flexctl::hwdb::{Device, Hwdb};
use flexctl::pci::{Bdf, Function, FunctionError};
use flexctl::sim::{Card, Shelf};

/// A way into the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Into {
    Bar0,
    Legacy,
    Vsec,
}

/// Every way there is: profile, way into the card, way to the flash.
const WAYS: [(&str, Into, FlashWay); 6] = [
    ("connectx-3", Into::Bar0, FlashWay::Gateway),
    ("connectx-3", Into::Legacy, FlashWay::Gateway),
    ("connectx-3-pro", Into::Legacy, FlashWay::Registers),
    ("connectx-4", Into::Vsec, FlashWay::Registers),
    ("connectx-4", Into::Vsec, FlashWay::Gateway),
    ("connectx-4-lx", Into::Vsec, FlashWay::Auto),
];

/// A place that no image uses.
const FREE: u32 = 0x1c_0000;

fn patience() -> Patience {
    Patience::new(Duration::from_millis(15), Arc::default())
}

/// The address register of the virtual cards' vendor capability.
const VSEC_ADDRESS: u16 = 0xc0 + 0x10;

static HWDB: LazyLock<Hwdb> = LazyLock::new(|| Hwdb::builtin().unwrap());

fn device(card: &Card) -> Device {
    HWDB.device(card.infos()[0].device).unwrap().clone()
}

fn gateway(
    device: &Device,
    function: Box<dyn Function>,
    into: Into,
    patience: Patience,
) -> Result<Box<dyn Gateway>, AccessError> {
    Ok(match into {
        Into::Bar0 => Box::new(
            BarWindow::open(function, device.hardware_id, patience).map_err(|(_, error)| error)?,
        ),
        Into::Legacy => Box::new(LegacyGateway::open(function, patience)?),
        Into::Vsec => Box::new(Vsec::open(function, patience)?),
    })
}

fn firmware(card: &Card, into: Into) -> (Device, Firmware) {
    let device = device(card);
    let function = card.function(card.infos()[0].address).unwrap();
    let gateway = gateway(&device, function, into, patience()).unwrap();
    let firmware = Firmware::new(&device, gateway);
    (device, firmware)
}

fn wish(way: FlashWay) -> FlashWish {
    FlashWish {
        way,
        ..FlashWish::default()
    }
}

fn new_card(profile: &str) -> Card {
    Shelf::memory().card(profile).unwrap()
}

/// Does something with the flash of a new card.
fn with_flash(
    profile: &str,
    into: Into,
    way: FlashWay,
    work: impl FnOnce(&Card, &mut dyn Flash),
) -> Card {
    let card = new_card(profile);
    let (device, mut firmware) = firmware(&card, into);
    let mut flash = flash::open(&device, &mut firmware, wish(way)).unwrap();
    work(&card, flash.as_mut());
    flash.close().unwrap();
    assert_eq!(card.held_semaphores(), [], "{profile} {into:?} {way:?}");
    assert_eq!(card.counters().unlocked, 0, "{profile} {into:?} {way:?}");
    assert_eq!(card.flash_counters().refused, 0, "{profile} {way:?}");
    card
}

#[test]
fn every_way_reads_what_the_chip_holds() {
    for (profile, into, way) in WAYS {
        with_flash(profile, into, way, |card, flash| {
            let held = card.flash();
            assert_eq!(flash.chip().bytes as usize, held.len(), "{profile}");
            for (at, length) in [(0, 16), (0x38, 8), (3, 1), (0xff3, 0x2345), (0x1000, 0)] {
                let mut data = vec![0; length];
                flash.read(at, &mut data).unwrap();
                let at = at as usize;
                assert!(data == held[at..at + length], "{profile} {way:?} {at:#x}");
            }
            let end = flash.chip().bytes;
            assert!(flash.read(end - 4, &mut [0; 8]).is_err());
        });
    }
}

#[test]
fn every_way_erases_and_programs_what_it_was_told_and_nothing_else() {
    for (profile, into, way) in WAYS {
        with_flash(profile, into, way, |card, flash| {
            let mut expected = card.flash();
            let at = FREE as usize;
            let page: Vec<u8> = (0..=255).collect();
            flash.erase(block(FREE, 0x1000)).unwrap();
            flash.program(FREE, &page).unwrap();
            flash
                .program(FREE + 0x104, &[0x12, 0x34, 0x56, 0x78])
                .unwrap();
            flash.program(FREE + 0x104, &[0; 4]).unwrap();
            flash.program(FREE + 0x200, &[0xff; 256]).unwrap();
            expected[at..at + 0x1000].fill(0xff);
            expected[at..at + 256].copy_from_slice(&page);
            expected[at + 0x104..at + 0x108].fill(0);
            assert!(card.flash() == expected, "{profile} {way:?}");

            flash.erase(block(FREE, 0x1_0000)).unwrap();
            expected[at..at + 0x1_0000].fill(0xff);
            assert!(card.flash() == expected, "{profile} {way:?}");

            // What the chip cannot do is refused before anything is sent.
            let operations = card.flash_counters().operations();
            for refused in [
                flash.erase(block(FREE + 0x100, 0x1000)),
                flash.erase(block(FREE, 0x2000)),
                flash.program(FREE + 0x80, &[0; 0x84]),
                flash.program(FREE + 2, &[0; 4]),
                flash.program(FREE, &[0; 3]),
            ] {
                assert!(refused.unwrap_err().is_unsupported());
            }
            assert_eq!(card.flash_counters().operations(), operations);
        });
    }
}

fn block(start: u32, bytes: u32) -> Block {
    Block { start, bytes }
}

#[test]
fn the_boot_address_is_set_and_read_back() {
    for (profile, into, way) in WAYS {
        with_flash(profile, into, way, |_, flash| {
            let other = if profile.starts_with("connectx-3") {
                0x10_0000
            } else {
                0x40_0000
            };
            for start in [other, 0] {
                flash.set_boot_address(start).unwrap();
                assert_eq!(flash.boot_address().unwrap(), Some(start), "{profile}");
            }
            let error = flash.set_boot_address(1 << 24).unwrap_err();
            assert!(error.is_unsupported(), "{error}");
        });
    }
}

#[test]
fn a_protected_flash_is_said_and_left_alone() {
    for (profile, into, way) in WAYS {
        let card = new_card(profile);
        let before = card.flash();
        card.set_faults("flash-protected".parse().unwrap());
        let (device, mut firmware) = firmware(&card, into);
        let mut flash = flash::open(&device, &mut firmware, wish(way)).unwrap();
        assert!(flash.protection().unwrap().is_some(), "{profile} {way:?}");
        for error in [
            flash.erase(block(FREE, 0x1000)).unwrap_err(),
            flash.program(FREE, &[0; 4]).unwrap_err(),
        ] {
            assert!(matches!(error, FlashError::Protected { .. }), "{error}");
        }
        drop(flash);
        assert!(card.flash() == before);
        assert_eq!(card.flash_counters().operations(), 0, "{profile}");
        assert_eq!(card.held_semaphores(), [], "{profile} {way:?}");
    }
}

#[test]
fn a_held_lock_is_waited_for_told_and_left_held() {
    for (profile, into, way) in WAYS {
        let other = if into == Into::Vsec { "icmd" } else { "hcr" };
        for semaphore in ["flash", other, "vsec"] {
            if semaphore == "vsec" && into != Into::Vsec {
                continue;
            }
            let card = new_card(profile);
            let (device, mut firmware) = firmware(&card, into);
            card.set_faults(format!("hold-semaphore={semaphore}").parse().unwrap());
            let held = card.held_semaphores();
            let error = flash::open(&device, &mut firmware, wish(way)).unwrap_err();
            assert!(matches!(error, FlashError::Locked { .. }), "{error:?}");
            assert_eq!(
                card.held_semaphores(),
                held,
                "{profile} {way:?} {semaphore}"
            );
            assert_eq!(card.flash_counters().operations(), 0);
        }
    }
}

#[test]
fn a_lock_that_was_left_behind_is_seen_and_can_be_freed() {
    for (profile, into, way) in WAYS {
        let card = new_card(profile);
        let (device, mut firmware) = firmware(&card, into);
        let held = |firmware: &mut Firmware| {
            let look = |lock: &FlashLock| lock.look(&device, firmware.gateway_mut()).unwrap();
            let states: Vec<_> = FlashLock::of(&device).iter().map(look).collect();
            states
                .iter()
                .filter(|state| matches!(state, SemaphoreState::Held { .. }))
                .count()
        };
        assert_eq!(held(&mut firmware), 0, "{profile}");
        assert_eq!(card.held_semaphores(), [], "a look leaves all as it was");
        card.set_faults("hold-semaphore=flash".parse().unwrap());
        assert_eq!(held(&mut firmware), 2, "{profile}");
        for lock in FlashLock::of(&device) {
            lock.clear(&device, firmware.gateway_mut()).unwrap();
        }
        assert_eq!(card.held_semaphores(), [], "{profile}");
        flash::open(&device, &mut firmware, wish(way)).unwrap();
    }
}

#[test]
fn a_second_one_waits_and_is_told() {
    for (profile, into, way) in WAYS {
        with_flash(profile, into, way, |card, flash| {
            flash.erase(block(FREE, 0x1000)).unwrap();
            let (device, mut firmware) = firmware(card, into);
            // Our own process id is on the semaphores of ConnectX-4, which is why
            // two handles of one process are not kept apart by them.
            if into != Into::Vsec {
                let error = flash::open(&device, &mut firmware, wish(way)).unwrap_err();
                assert!(matches!(error, FlashError::Locked { .. }), "{error:?}");
                assert!(firmware.session().is_err());
            }
            flash.program(FREE, &[0; 8]).unwrap();
        });
    }
}

#[test]
fn a_card_in_flash_recovery_is_reached_without_a_command() {
    for (profile, into) in [
        ("connectx-3", Into::Bar0),
        ("connectx-3", Into::Legacy),
        ("connectx-4", Into::Vsec),
    ] {
        let card = new_card(profile);
        let device = device(&card);
        card.set_flash(&vec![0xff; card.flash().len()]).unwrap();
        card.reboot();
        assert_eq!(card.infos()[0].device, device.flash_recovery, "{profile}");
        let function = card.function(card.infos()[0].address).unwrap();
        let mut gateway = gateway(&device, function, into, patience()).unwrap();
        let refused =
            flash::open_without_firmware(&device, gateway.as_mut(), wish(FlashWay::Registers));
        assert!(refused.unwrap_err().is_unsupported());
        let mut flash =
            flash::open_without_firmware(&device, gateway.as_mut(), FlashWish::default()).unwrap();
        flash.erase(block(FREE, 0x1000)).unwrap();
        flash.program(FREE, &[0x55; 256]).unwrap();
        let mut data = [0; 256];
        flash.read(FREE, &mut data).unwrap();
        assert_eq!(data, [0x55; 256]);
        flash.close().unwrap();
        assert_eq!(card.counters().commands, 0, "{profile}");
        assert_eq!(card.counters().unlocked, 0, "{profile}");
        assert_eq!(card.held_semaphores(), [], "{profile}");
    }
}

#[test]
fn a_request_to_stop_tears_nothing_apart() {
    for (profile, into, way) in WAYS {
        let stop = Arc::new(AtomicBool::new(false));
        let card = new_card(profile);
        let device = device(&card);
        let function = card.function(card.infos()[0].address).unwrap();
        let patience = Patience::new(Duration::from_millis(15), Arc::clone(&stop));
        let gateway = gateway(&device, function, into, patience).unwrap();
        let mut firmware = Firmware::new(&device, gateway);
        let mut flash = flash::open(&device, &mut firmware, wish(way)).unwrap();
        assert!(!flash.stop_requested());
        stop.store(true, Ordering::Relaxed);
        assert!(flash.stop_requested());
        flash.erase(block(FREE, 0x1000)).unwrap();
        flash.program(FREE, &[0; 4]).unwrap();
        flash.undisturbed();
        assert!(!flash.stop_requested());
        flash.close().unwrap();
        assert_eq!(card.held_semaphores(), [], "{profile}");
    }
}

/// A function of which one access fails: a read, and what starts one behind the
/// vendor capability, before the card saw it, a write after the card did it.
/// (Whether a read that got lost took a lock, nobody can know.)
#[derive(Debug)]
struct Flaky {
    function: Box<dyn Function>,
    accesses: Arc<AtomicU64>,
    fails_at: u64,
}

impl Flaky {
    fn access<T>(
        &mut self,
        is_write: bool,
        work: impl FnOnce(&mut dyn Function) -> Result<T, FunctionError>,
    ) -> Result<T, FunctionError> {
        let now = self.accesses.fetch_add(1, Ordering::Relaxed) + 1;
        if now != self.fails_at {
            return work(self.function.as_mut());
        }
        if is_write {
            work(self.function.as_mut())?;
        }
        Err(FunctionError::Io {
            address: self.function.address(),
            action: "be lucky".to_owned(),
            source: std::io::Error::other("a fault of the test"),
        })
    }
}

impl Function for Flaky {
    fn address(&self) -> Bdf {
        self.function.address()
    }
    fn is_shared(&self) -> bool {
        self.function.is_shared()
    }
    fn read_config(&mut self, offset: u16, data: &mut [u8]) -> Result<(), FunctionError> {
        self.access(false, |function| function.read_config(offset, data))
    }
    fn write_config(&mut self, offset: u16, data: &[u8]) -> Result<(), FunctionError> {
        let starts_a_read = offset == VSEC_ADDRESS && data.last().is_some_and(|high| *high < 0x80);
        self.access(!starts_a_read, |function| {
            function.write_config(offset, data)
        })
    }
    fn map_bar(&mut self, bar: u8) -> Result<u64, FunctionError> {
        self.function.map_bar(bar)
    }
    fn read_bar32(&mut self, bar: u8, offset: u64) -> Result<u32, FunctionError> {
        self.access(false, |function| function.read_bar32(bar, offset))
    }
    fn write_bar32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), FunctionError> {
        self.access(true, |function| function.write_bar32(bar, offset, value))
    }
    fn read_option_rom(&mut self) -> Result<Vec<u8>, FunctionError> {
        self.function.read_option_rom()
    }
}

/// Opens, reads, erases, programs, sets the boot address and closes.
fn whole_job(device: &Device, gateway: Box<dyn Gateway>, way: FlashWay) -> Result<(), FlashError> {
    let mut firmware = Firmware::new(device, gateway);
    let mut flash = flash::open(device, &mut firmware, wish(way))?;
    flash.read(0, &mut [0; 32])?;
    flash.erase(block(FREE, 0x1000))?;
    flash.program(FREE, &[0; 32])?;
    flash.read(FREE, &mut [0; 32])?;
    flash.set_boot_address(0)?;
    flash.close()
}

/// Runs the job with one failing access.
fn job_with_failure(
    card: &Card,
    (profile, into, way): (&str, Into, FlashWay),
    fails_at: u64,
) -> Job {
    let device = device(card);
    let accesses = Arc::new(AtomicU64::new(0));
    let function = Box::new(Flaky {
        function: card.function(card.infos()[0].address).unwrap(),
        accesses: Arc::clone(&accesses),
        fails_at,
    });
    let about = format!("{profile} {into:?} {way:?}: access {fails_at}");
    if let Ok(gateway) = gateway(&device, function, into, patience()) {
        let outcome = whole_job(&device, gateway, way);
        if fails_at == 0 {
            outcome.unwrap();
        }
    }
    let held = card.held_semaphores();
    // A look at the lock bit of ConnectX-4 takes it, and when the answer is lost on
    // its way through the vendor capability, nobody can know whose it is.
    let is_lost_look = (into, way) == (Into::Vsec, FlashWay::Gateway)
        && matches!(held.as_slice(), [only] if only.name.starts_with("SPI gateway"));
    if is_lost_look {
        card.reboot();
    } else {
        assert_eq!(held, [], "{about}");
    }
    assert_eq!(card.counters().unlocked, 0, "{about}");
    Job {
        accesses: accesses.load(Ordering::Relaxed),
        is_lost_look,
    }
}

/// What became of a job with a failing access.
struct Job {
    accesses: u64,
    is_lost_look: bool,
}

#[test]
fn no_lock_is_left_held_whichever_access_fails() {
    let mut tried = 0;
    let mut lost_looks = 0;
    for way in WAYS {
        let card = new_card(way.0);
        let accesses = job_with_failure(&card, way, 0).accesses;
        for at in 1..=accesses {
            let job = job_with_failure(&card, way, at);
            lost_looks += u32::from(job.is_lost_look);
            tried += 1;
        }
    }
    println!("{tried} failing accesses tried, {lost_looks} of them looks at a lock");
    // Three times the lock is taken, by a look of three or four accesses.
    assert!(lost_looks <= 12, "{lost_looks}");
}

#[test]
fn a_card_that_is_gone_is_said_to_be_gone_and_never_read_as_ones() {
    for (profile, into, way) in WAYS {
        let card = new_card(profile);
        let accesses = {
            let (device, firmware) = firmware(&card, into);
            drop((device, firmware));
            let before = accesses_of(&card);
            let (device, mut firmware) = self::firmware(&card, into);
            let mut flash = flash::open(&device, &mut firmware, wish(way)).unwrap();
            flash.read(0, &mut [0; 32]).unwrap();
            flash.close().unwrap();
            accesses_of(&card) - before
        };
        let card = new_card(profile);
        let held = card.flash_bytes(0, 32);
        for at in 1..=accesses {
            card.set_faults("".parse().unwrap());
            card.reboot();
            card.set_faults(format!("all-ones@{at}").parse().unwrap());
            let device = device(&card);
            let function = card.function(card.infos()[0].address).unwrap();
            let Ok(gateway) = gateway(&device, function, into, patience()) else {
                continue;
            };
            let mut firmware = Firmware::new(&device, gateway);
            let Ok(mut flash) = flash::open(&device, &mut firmware, wish(way)) else {
                continue;
            };
            let mut data = vec![0; 32];
            if flash.read(0, &mut data).is_ok() {
                assert_eq!(data, held, "{profile} {into:?} {way:?}: access {at}");
            }
        }
    }
}

fn accesses_of(card: &Card) -> u64 {
    let counters = card.counters();
    counters.config_reads + counters.config_writes + counters.bar_reads + counters.bar_writes
}

#[test]
fn a_refusal_of_any_register_is_an_error_and_leaves_no_lock() {
    for (profile, into, way) in WAYS {
        if way == FlashWay::Gateway {
            continue;
        }
        let commands = {
            let card = with_flash(profile, into, way, |_, flash| {
                flash.read(0, &mut [0; 4]).unwrap();
                flash.erase(block(FREE, 0x1000)).unwrap();
                flash.program(FREE, &[0; 4]).unwrap();
            });
            card.counters().commands
        };
        for status in ["0x1", "0x7", "0x70"] {
            for at in 1..=commands {
                let card = new_card(profile);
                card.set_faults(format!("status={status}@{at}").parse().unwrap());
                let (device, mut firmware) = firmware(&card, into);
                let outcome = (|| {
                    let mut flash = flash::open(&device, &mut firmware, wish(way))?;
                    flash.read(0, &mut [0; 4])?;
                    flash.erase(block(FREE, 0x1000))?;
                    flash.program(FREE, &[0; 4])
                })();
                assert!(outcome.is_err(), "{profile}: {status} at {at}");
                assert_eq!(card.held_semaphores(), [], "{profile}: {status} at {at}");
            }
        }
    }
}

/// Accesses of config space for one MiB, read and programmed, next to those of
/// mstflint 4.21 that reads: `mstflint [--use_fw | -ocr] rb` of 16 KiB on the same
/// virtual cards, preads and pwrites counted by strace.
#[test]
fn a_mib_costs_less_than_with_mstflint() {
    const GATEWAY_OF_3: u64 = 1_310_720;
    const REGISTERS_OF_4: u64 = 2_752_512;
    const GATEWAY_OF_4: u64 = 9_240_576;
    // mstflint's `--use_fw` takes 1,744,896; its default is the gateway.
    for ((profile, into, way), theirs, most) in [
        (
            ("connectx-3", Into::Legacy, FlashWay::Gateway),
            GATEWAY_OF_3,
            82,
        ),
        (
            ("connectx-3", Into::Legacy, FlashWay::Registers),
            GATEWAY_OF_3,
            60,
        ),
        (
            ("connectx-4", Into::Vsec, FlashWay::Registers),
            REGISTERS_OF_4,
            50,
        ),
        (
            ("connectx-4", Into::Vsec, FlashWay::Gateway),
            GATEWAY_OF_4,
            20,
        ),
    ] {
        with_flash(profile, into, way, |card, flash| {
            const PART: usize = 0x1_0000;
            flash.erase(block(0x10_0000, 0x1_0000)).unwrap();
            let before = accesses_of(card);
            flash.read(0x10_0000, &mut vec![0; PART]).unwrap();
            let read = (accesses_of(card) - before) * 16;
            let before = accesses_of(card);
            for page in (0x10_0000..).step_by(256).take(PART / 256) {
                flash.program(page, &[0x5a; 256]).unwrap();
            }
            let programmed = (accesses_of(card) - before) * 16;
            println!(
                "{profile} {into:?} {way:?}: {read} per MiB read ({} % of mstflint's), {programmed} programmed",
                read * 100 / theirs
            );
            assert!(read * 100 / theirs <= most, "{profile} {way:?}: {read}");
        });
    }
}

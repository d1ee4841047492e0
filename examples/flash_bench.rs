//! What a ROM replacement costs on virtual cards, by mstflint 4.21 and by flexctl:
//! the same change to the same flash. `scripts/bench` runs it, as root, and gives it
//! the program; it needs /dev/fuse and mstflint.
//!
//! Operations are reads and writes of config space; the time is that of the chip,
//! as its datasheet has it, and nothing of the host.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it prints tables, and ends where something is not as it should be"
)]

#[cfg(feature = "cli")]
fn main() {
    std::process::exit(measure::main());
}

#[cfg(not(feature = "cli"))]
fn main() {}

#[cfg(feature = "cli")]
mod measure {
    use std::env;
    use std::ffi::OsString;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use flexctl::access::{Gateway, LegacyGateway, Patience, Vsec};
    use flexctl::command::Firmware;
    use flexctl::flash::{self, FlashWay, FlashWish};
    use flexctl::hwdb::{Hwdb, ImageFormat};
    use flexctl::image::build::build;
    use flexctl::image::{
        EditPolicy, FlashSurvey, ReadyImage, RomEdit, RomSource, rom_change, whole_image,
    };
    use flexctl::sim::fuse::{Guard, RunOptions, run};
    use flexctl::sim::{Card, FlashSnapshot, Shelf};

    /// Size of the ROM, and of the code of the image around it, in bytes: half of a
    /// real image, because mstflint takes its time by the gateway.
    const ROM: u32 = 0x1_4000;
    const CODE: u32 = 0x3_0000;
    /// What is read of a flash to know what all of it costs.
    const READ: u32 = 0x1_0000;
    const WHOLE: u32 = 0x100_0000;

    /// A way to the flash: title, profile, switch of mstflint, of flexctl, which.
    type Way = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        FlashWay,
    );
    const WAYS: [Way; 4] = [
        (
            "CX-3 gateway",
            "connectx-3",
            "",
            "gateway",
            FlashWay::Gateway,
        ),
        (
            "CX-3 registers",
            "connectx-3",
            "--use_fw",
            "registers",
            FlashWay::Registers,
        ),
        (
            "CX-4 registers",
            "connectx-4",
            "",
            "registers",
            FlashWay::Registers,
        ),
        (
            "CX-4 gateway",
            "connectx-4",
            "-ocr",
            "gateway",
            FlashWay::Gateway,
        ),
    ];

    /// What the slot that is not booted from holds before.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Other {
        Empty,
        Previous,
        Older,
    }

    impl Other {
        const ALL: [Self; 3] = [Self::Empty, Self::Previous, Self::Older];

        fn title(self) -> &'static str {
            match self {
                Self::Empty => "empty [1]",
                Self::Previous => "same image, other ROM",
                Self::Older => "older image [1]",
            }
        }
    }

    /// What something cost.
    #[derive(Clone, Copy, Debug, Default)]
    struct Cost {
        programmed: u64,
        erases: u64,
        erased: u64,
        operations: u64,
        chip_ns: u64,
        host: Duration,
    }

    fn of_card(card: &Card) -> Cost {
        let (counters, flash) = (card.counters(), card.flash_counters());
        Cost {
            programmed: flash.programmed_bytes,
            erases: flash.erases.values().sum(),
            erased: flash
                .erases
                .iter()
                .map(|(bytes, count)| u64::from(*bytes) * count)
                .sum(),
            operations: counters.config_reads + counters.config_writes,
            chip_ns: flash.modelled_ns,
            host: Duration::ZERO,
        }
    }

    fn measured(card: &Card, work: impl FnOnce()) -> Cost {
        let before = of_card(card);
        let begun = Instant::now();
        work();
        let after = of_card(card);
        Cost {
            programmed: after.programmed - before.programmed,
            erases: after.erases - before.erases,
            erased: after.erased - before.erased,
            operations: after.operations - before.operations,
            chip_ns: after.chip_ns - before.chip_ns,
            host: begun.elapsed(),
        }
    }

    fn rom(device: u16, seed: u32) -> Vec<u8> {
        build(&format!(
            "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device:#x}\n\
             record = [{{ version = '3.4.{seed}' }}]\n\
             image = [{{ contents = {{ random = {seed}, size = {ROM} }} }}]"
        ))
        .unwrap()
    }

    /// A firmware image for the card.
    fn image(profile: &str, version: &str, seed: u32) -> Vec<u8> {
        let code = CODE / 2;
        let rom = |device: u16| {
            format!(
                "option_rom = {{ format = 'option-rom', vendor_id = 0x15b3, \
                 device_id = {device:#x}, record = [{{ version = '3.4.{seed}' }}], \
                 image = [{{ contents = {{ random = {seed}, size = {ROM} }} }}] }}"
            )
        };
        let text = if profile == "connectx-3" {
            format!(
                "format = 'fs2'\npsid = 'MT_1090120019'\nfirmware = '2.42.{version}'\n\
                 date = '2022-01-31'\ndevice_id = 0x1003\nhardware_ids = [0x101f5]\n\
                 chunk = 0x80000\nmic_version = '2.0.0'\n\
                 code = [{{ random = {}, size = {code} }}, {{ random = {}, size = {code} }}]\n\
                 [rom]\n{}\n",
                seed + 1000,
                seed + 2000,
                rom(0x1003)
            )
        } else {
            format!(
                "format = 'fs3'\nfile_size = 0x1000000\npsid = 'MT_2190110032'\n\
                 version = '12.28.{version}'\ndate = '2022-01-31'\nhw_ids = [0x209]\n\
                 pci_device = 0x1013\n[rom]\n{}\n\
                 [[section]]\ntype = 'PCI_CODE'\ncontent = {{ random = {}, size = {code} }}\n\
                 [[section]]\ntype = 'MAIN_CODE'\ncontent = {{ random = {}, size = {code} }}\n",
                rom(0x1013),
                seed + 1000,
                seed + 2000
            )
        };
        build(&text).unwrap()
    }

    /// Puts an image into its slot, as a burn does.
    fn put(flash: &mut [u8], survey: &FlashSurvey, ready: &ReadyImage) {
        let length = u32::try_from(ready.bytes.len()).unwrap();
        for (at, part) in ready.place.pieces(0..length) {
            let bytes = &ready.bytes[part.start as usize..part.end as usize];
            flash[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        }
        let old = survey.active().unwrap().place.start as usize;
        flash[old..old + 4].fill(0);
    }

    /// The flash of a card before the ROM replacement.
    fn flash_before(card: &Card, profile: &str, other: Other) -> Vec<u8> {
        let (format, device) = match profile {
            "connectx-3" => (ImageFormat::Fs2, 0x1003),
            _ => (ImageFormat::Fs3, 0x1013),
        };
        let mut flash = card.flash();
        let policy = EditPolicy::default();
        let burn = |flash: &mut Vec<u8>, file: &[u8]| {
            let survey = FlashSurvey::of_bytes(format, flash, None);
            let ready = whole_image(file, None, RomSource::File, &survey, &policy).unwrap();
            put(flash, &survey, &ready.image);
        };
        burn(&mut flash, &image(profile, "1000", 11));
        burn(&mut flash, &image(profile, "2000", 22));
        if other == Other::Previous {
            let survey = FlashSurvey::of_bytes(format, &flash, None);
            let change = RomEdit::Replace(&rom(device, 33));
            let ready = rom_change(&survey, change, &policy).unwrap();
            put(&mut flash, &survey, &ready.image);
        }
        if other == Other::Empty {
            // Everything of the second slot that no device data are in.
            let slot = match profile {
                "connectx-3" => 0x8_0000..0xf_e000,
                _ => 0x40_0000..0x80_0000,
            };
            flash[slot].fill(0xff);
        }
        flash
    }

    fn among(card: &Card, script: &str) {
        let output = env::temp_dir().join(format!("flash-bench-{}", std::process::id()));
        let script = format!("{script} > {} 2>&1 < /dev/null", output.display());
        let command = ["sh", "-c", &script].map(OsString::from);
        let options = RunOptions {
            guard: Guard::None,
            ..RunOptions::default()
        };
        let code = run(std::slice::from_ref(card), &command, &options).unwrap();
        let said = fs::read_to_string(&output).unwrap_or_default();
        fs::remove_file(&output).unwrap();
        assert_eq!(code, 0, "{script}: {said}");
    }

    struct Bench {
        flexctl: PathBuf,
        folder: PathBuf,
        missed: u32,
    }

    impl Bench {
        fn flexctl(&self, card: &Card, arguments: &str) {
            let folder = self.folder.display();
            let address = card.infos()[0].address;
            among(
                card,
                &format!(
                    "FLEXCTL_STATE_DIR={folder}/state FLEXCTL_RUN_DIR={folder}/run {} {arguments} \
                     -d {address}",
                    self.flexctl.display()
                ),
            );
        }

        /// A figure of both, and whether it is good.
        fn figure(&mut self, what: &str, theirs: u64, ours: u64, most: (u64, u64)) {
            let good = ours * most.1 <= theirs * most.0;
            self.missed += u32::from(!good);
            let ratio = if theirs == 0 {
                "-".to_owned()
            } else {
                #[allow(clippy::cast_precision_loss)]
                let ratio = ours as f64 / theirs as f64;
                format!("{ratio:.2}")
            };
            let target = format!("{}/{}", most.0, most.1);
            println!(
                "    {what:26} {theirs:>12} {ours:>12}  {ratio:>5}, {target:6} {}",
                if good { "ok" } else { "MISSED" }
            );
        }

        fn replace(&mut self, way: &Way, other: Other) {
            let &(title, profile, switch, via, _) = way;
            let card = Shelf::memory().card(profile).unwrap();
            let flash = flash_before(&card, profile, other);
            card.set_flash(&flash).unwrap();
            let device = card.infos()[0].device;
            let new = rom(device, 44);
            let file = self.folder.join("new.rom");
            fs::write(&file, &new).unwrap();
            let snapshot = card.flash_snapshot();
            let again = |snapshot: &FlashSnapshot| {
                card.restore_flash(snapshot);
                card.reboot();
            };
            let address = card.infos()[0].address;
            again(&snapshot);
            let theirs = measured(&card, || {
                among(
                    &card,
                    &format!("mstflint -y {switch} -d {address} brom {}", file.display()),
                );
            });
            let burned = |card: &Card| {
                let boot = card.boot();
                boot.image().and_then(|image| image.rom.clone())
            };
            assert_eq!(burned(&card).as_deref(), Some(&new[..]), "{title}");
            again(&snapshot);
            let ours = measured(&card, || {
                self.flexctl(
                    &card,
                    &format!(
                        "burn --accept-untested --yes --no-backup --via {via} {}",
                        file.display()
                    ),
                );
            });
            assert_eq!(burned(&card).as_deref(), Some(&new[..]), "{title}");
            println!(
                "  {title}, other slot: {} ({:.1} s, {:.1} s)",
                other.title(),
                theirs.host.as_secs_f64(),
                ours.host.as_secs_f64()
            );
            let half = if other == Other::Previous {
                (1, 2)
            } else {
                (1, 1)
            };
            self.figure("bytes programmed", theirs.programmed, ours.programmed, half);
            self.figure("bytes erased", theirs.erased, ours.erased, half);
            println!(
                "    {:26} {:>12} {:>12}",
                "erase commands", theirs.erases, ours.erases
            );
            self.figure(
                "config-space operations",
                theirs.operations,
                ours.operations,
                (1, 3),
            );
            let us = |cost: Cost| cost.chip_ns / 1000;
            self.figure("time of the chip, us", us(theirs), us(ours), (1, 1));
        }

        fn read(&mut self, way: &Way) {
            let &(title, profile, switch, _, flash_way) = way;
            let profile = match profile {
                "connectx-3" => "connectx-3-16-mib",
                other => other,
            };
            let card = Shelf::memory().card(profile).unwrap();
            let address = card.infos()[0].address;
            let file = self.folder.join("read");
            let theirs = measured(&card, || {
                among(
                    &card,
                    &format!(
                        "mstflint {switch} -d {address} rb 0 {READ:#x} {}",
                        file.display()
                    ),
                );
            });
            let mut bytes = Vec::new();
            let ours = measured(&card, || bytes = read_by_library(&card, flash_way));
            assert!(fs::read(&file).unwrap() == bytes, "{title}");
            let whole = |cost: Cost| cost.operations * u64::from(WHOLE / READ);
            self.figure(title, whole(theirs), whole(ours), (3, 5));
        }
    }

    /// The first bytes of a flash by the driver that flexctl has.
    fn read_by_library(card: &Card, way: FlashWay) -> Vec<u8> {
        let info = &card.infos()[0];
        let hwdb = Hwdb::builtin().unwrap();
        let device = hwdb.device(info.device).unwrap();
        let patience = Patience::new(Duration::from_secs(1), Arc::default());
        let function = card.function(info.address).unwrap();
        let gateway: Box<dyn Gateway> = if info.device == 0x1003 {
            Box::new(LegacyGateway::open(function, patience).unwrap())
        } else {
            Box::new(Vsec::open(function, patience).unwrap())
        };
        let mut firmware = Firmware::new(device, gateway);
        let wish = FlashWish {
            way,
            ..FlashWish::default()
        };
        let mut flash = flash::open(device, &mut firmware, wish).unwrap();
        let mut bytes = vec![0; READ as usize];
        flash.read(0, &mut bytes).unwrap();
        flash.close().unwrap();
        bytes
    }

    pub(super) fn main() -> i32 {
        let mut arguments = env::args_os().skip(1);
        let beside = || {
            let own = env::current_exe().unwrap();
            own.parent().and_then(Path::parent).unwrap().join("flexctl")
        };
        let flexctl = arguments.next().map_or_else(beside, PathBuf::from);
        // Parts of titles: only these are measured.
        let only: Vec<String> = arguments
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let wanted = |title: &str| only.is_empty() || only.iter().any(|word| title.contains(word));
        let folder = env::temp_dir().join(format!("flash-bench-folder-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut bench = Bench {
            flexctl: fs::canonicalize(flexctl).unwrap(),
            folder,
            missed: 0,
        };
        println!(
            "a ROM of {} KiB in an image of {} KiB is replaced, mstflint and flexctl\n    \
             {:26} {:>12} {:>12}  ratio, target",
            ROM >> 10,
            (ROM + CODE) >> 10,
            "",
            "mstflint",
            "flexctl"
        );
        for way in &WAYS {
            for other in Other::ALL {
                if wanted(&format!("{}, {}", way.0, other.title())) {
                    bench.replace(way, other);
                }
            }
        }
        println!(
            "  [1] Nothing of the new image is there yet: whoever writes it programs every page of\n      \
             it, so that the target is only not to do more. The other slot holds the same image\n      \
             with another ROM after every ROM replacement."
        );
        println!("\nreading 16 MiB, config-space operations (by the first 64 KiB)");
        for way in &WAYS {
            if wanted(&format!("reading, {}", way.0)) {
                bench.read(way);
            }
        }
        fs::remove_dir_all(&bench.folder).unwrap();
        i32::from(bench.missed > 0)
    }
}

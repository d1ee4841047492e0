//! What Debian's mstflint 4.21 says of the FS2 images that flexctl builds and
//! edits. Its exit code says nothing of a wrong CRC, so its output is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ring;

use std::path::Path;
use std::process::Command;

use flexctl::image::build::{Fs2Description, flash_dump};
use flexctl::image::fs2::{self, FileShape, Fs2File};
use flexctl::image::{FirmwareFacts, Severity, worst};
use ring::Need;

const NEEDS: [Need; 1] = [Need::Program("mstflint")];
const GUIDS: &str = r#"guids = ["0002c90300a1b2c0", "0002c90300a1b2c1", "0002c90300a1b2c2",
    "0002c90300a1b2c3", "0002c9a1b2c1", "0002c9a1b2c2"]
mic_version = "2.0.0"
"#;

/// How mstflint ends a verification of an image whose GUIDs are not set.
const BLANK: &str = "-E- FW image verification failed: \
    BLANK GUIDS. AN HCA DEVICE CAN NOT BOOT FROM THIS IMAGE.";

fn image(text: &str) -> Vec<u8> {
    let text = format!("format = \"fs2\"\n{text}");
    Fs2Description::from_toml(&text).unwrap().build().unwrap()
}

/// What mstflint prints, and whether it ended well.
fn mstflint(file: &Path, arguments: &[&str]) -> (String, bool) {
    let run = Command::new("mstflint")
        .arg("-i")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        run.status.success(),
    )
}

/// What mstflint and flexctl both have to say of a file: nothing bad.
fn accepted(bytes: &[u8], shape: FileShape) -> String {
    let parsed = fs2::parse(bytes);
    let file = parsed.tree.unwrap();
    assert_eq!(file.shape, shape);
    let findings = [parsed.findings, file.check()].concat();
    assert!(worst(&findings) < Some(Severity::Warning), "{findings:#?}");
    assert!(file.layout().to_bytes() == bytes);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.bin");
    std::fs::write(&path, bytes).unwrap();
    let is_blank = file.images().all(fs2::Fs2Image::has_blank_guids);
    let striped: &[&str] = match shape {
        FileShape::Contiguous => &[],
        FileShape::Striped => &["-striped_image"],
    };
    let run = |arguments: &[&str]| {
        let (mut said, mut ended_well) = mstflint(&path, &[striped, arguments].concat());
        if said.contains(BLANK) {
            assert!(is_blank && !ended_well, "{arguments:?}: {said}");
            said = said.replace(BLANK, "");
            ended_well = true;
        }
        for bad in ["wrong CRC", "-E-", "ERROR", "too big", "unexpected"] {
            assert!(!said.contains(bad), "{arguments:?}: {said}");
        }
        assert!(ended_well, "{arguments:?}: {said}");
        said
    };
    let verified = run(&["v"]);
    let succeeded = verified.contains("FW image verification succeeded");
    assert!(succeeded || is_blank, "{verified}");
    run(&["q"]);
    let full = run(&["q", "full"]);
    let ini = run(&["dc"]);
    let slot = file.images().next().unwrap().slot;
    same_facts(&file, slot, &full);
    let image = file.slot(slot).unwrap();
    assert_eq!(
        ini.trim(),
        String::from_utf8(image.ini().unwrap().unwrap())
            .unwrap()
            .trim()
    );
    // rrom ignores -striped_image, and finds no image in odd chunks.
    let alone = shape == FileShape::Contiguous;
    if let Some(rom) = file.rom(slot).filter(|_| alone) {
        let to = directory.path().join("rom.bin");
        run(&["rrom", to.to_str().unwrap()]);
        assert!(std::fs::read(to).unwrap() == *rom);
    }
    verified
}

/// One line of `q full`.
fn line<'a>(said: &'a str, title: &str) -> Option<&'a str> {
    said.lines()
        .find_map(|line| line.strip_prefix(title)?.strip_prefix(':'))
        .map(str::trim)
}

fn same_facts(file: &Fs2File<'_>, slot: usize, said: &str) {
    let facts: FirmwareFacts = file.facts(slot).unwrap();
    assert_eq!(line(said, "Image type"), Some("FS2"));
    let version = facts.version.map(|version| version.to_string());
    assert_eq!(line(said, "FW Version"), version.as_deref(), "{said}");
    let date = facts.release_date.unwrap();
    let date = format!("{}.{}.{}", date.day, date.month, date.year);
    assert_eq!(line(said, "FW Release Date"), Some(&date[..]), "{said}");
    assert_eq!(
        line(said, "MIC Version"),
        facts.mic_version.as_deref(),
        "{said}"
    );
    assert_eq!(
        line(said, "Product Version"),
        facts.product_version.as_deref(),
        "{said}"
    );
    assert_eq!(line(said, "PSID"), facts.psid.as_deref(), "{said}");
    assert_eq!(line(said, "PRS Name"), facts.prs_name.as_deref(), "{said}");
    let device = facts.pci_device_id.map(|id| id.to_string());
    assert_eq!(line(said, "Device ID"), device.as_deref(), "{said}");
    assert_eq!(
        line(said, "VSD").unwrap_or(""),
        facts.vsd.unwrap_or_default(),
        "{said}"
    );
    let guids: Vec<String> = facts
        .addresses
        .iter()
        .map(|fact| match fact.kind {
            flexctl::image::AddressKind::Guid => format!("{:016x}", fact.first),
            flexctl::image::AddressKind::Mac => format!("{:012x}", fact.first),
        })
        .collect();
    for guid in guids {
        assert!(said.contains(&guid), "{guid}: {said}");
    }
}

#[test]
fn what_is_built_is_accepted() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    let rom = "rom = { hex = \"55aa0200 6d6c787369676e3a 03001000 f0020400 ff000310\" }\n";
    for text in [
        "",
        "chunk = 0x80000\n",
        "single_boot2 = true\n",
        "mic_version = \"2.1.3\"\n",
        "product_version = \"rel-2_42_5000\"\nvsd = \"some data\"\nprs_name = \"a.prs\"\n",
        "hardware_ids = [0x1f5, 0x1f7]\ndevice_id = 0x1007\nini = \"[image]\\nkey = 1\\n\"",
        "late_configuration = [[0x1f064, 1, 2]]\nchunk = 0x10000\n",
    ] {
        for guids in ["", GUIDS] {
            if guids.contains("mic") && text.contains("mic") {
                continue;
            }
            for rom in ["", rom] {
                let text = format!("{text}{guids}{rom}");
                println!("{text}");
                accepted(&image(&text), FileShape::Contiguous);
            }
        }
    }
}

//! The files of `hwdb/`, embedded, and a folder that may replace them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;

use super::validate::validate_device;
use super::validate_boot_defaults::validate_boot_defaults;
use super::validate_settings::{validate_included, validate_settings};
use super::{BootDefaultsFile, Device, ImageFormat, SettingsFile};

const DEVICES: [(&str, &str); 4] = [
    (
        "connectx-3.toml",
        include_str!("../../hwdb/devices/connectx-3.toml"),
    ),
    (
        "connectx-3-pro.toml",
        include_str!("../../hwdb/devices/connectx-3-pro.toml"),
    ),
    (
        "connectx-4.toml",
        include_str!("../../hwdb/devices/connectx-4.toml"),
    ),
    (
        "connectx-4-lx.toml",
        include_str!("../../hwdb/devices/connectx-4-lx.toml"),
    ),
];

const SETTINGS: [(&str, &str); 8] = [
    (
        "connectx-3.toml",
        include_str!("../../hwdb/settings/connectx-3.toml"),
    ),
    (
        "connectx-3-iscsi.toml",
        include_str!("../../hwdb/settings/connectx-3-iscsi.toml"),
    ),
    (
        "connectx-3-rom.toml",
        include_str!("../../hwdb/settings/connectx-3-rom.toml"),
    ),
    (
        "connectx-4.toml",
        include_str!("../../hwdb/settings/connectx-4.toml"),
    ),
    (
        "connectx-4-debug.toml",
        include_str!("../../hwdb/settings/connectx-4-debug.toml"),
    ),
    (
        "connectx-4-iscsi.toml",
        include_str!("../../hwdb/settings/connectx-4-iscsi.toml"),
    ),
    (
        "connectx-4-pci.toml",
        include_str!("../../hwdb/settings/connectx-4-pci.toml"),
    ),
    (
        "connectx-4-rom-cap.toml",
        include_str!("../../hwdb/settings/connectx-4-rom-cap.toml"),
    ),
];

const BOOT_DEFAULTS: [(&str, &str); 1] = [(
    "connectx-3.toml",
    include_str!("../../hwdb/boot-defaults/connectx-3.toml"),
)];

/// A data file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HwdbError {
    /// The folder or a file of it cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not TOML, or has keys or values that its kind does not know.
    #[error("`{path}` is not a valid data file")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A file breaks a rule of its kind.
    #[error("`{path}`: {record}: {rule}")]
    Rule {
        /// The file.
        path: PathBuf,
        /// The record in it.
        record: String,
        /// What is wrong with it.
        rule: String,
    },
}

/// All facts about hardware that this run goes by.
#[derive(Clone, Debug)]
pub struct Hwdb {
    devices: Vec<Device>,
    settings: BTreeMap<String, SettingsFile>,
    boot_defaults: Vec<BootDefaultsFile>,
}

impl Hwdb {
    /// The files that are part of the program.
    ///
    /// # Errors
    /// Never in a released program: `tests/hwdb.rs` loads them.
    pub fn builtin() -> Result<Self, HwdbError> {
        Self::from_texts(
            embedded(&DEVICES, "devices"),
            embedded(&SETTINGS, "settings"),
            embedded(&BOOT_DEFAULTS, "boot-defaults"),
        )
    }

    /// The embedded files, replaced or completed by those in `folder/devices`,
    /// `folder/settings` and `folder/boot-defaults` (by file name).
    ///
    /// # Errors
    /// [`HwdbError`] names the first file that cannot be used.
    pub fn with_folder(folder: &Path) -> Result<Self, HwdbError> {
        let mut devices = embedded(&DEVICES, "devices");
        let mut settings = embedded(&SETTINGS, "settings");
        let mut boot_defaults = embedded(&BOOT_DEFAULTS, "boot-defaults");
        // A wrong path must not look like an empty overlay.
        fs::read_dir(folder).map_err(|source| HwdbError::Io {
            path: folder.to_owned(),
            source,
        })?;
        overlay(&mut devices, &folder.join("devices"))?;
        overlay(&mut settings, &folder.join("settings"))?;
        overlay(&mut boot_defaults, &folder.join("boot-defaults"))?;
        Self::from_texts(devices, settings, boot_defaults)
    }

    fn from_texts(
        devices: Texts,
        settings: Texts,
        boot_defaults: Texts,
    ) -> Result<Self, HwdbError> {
        let replaced = SETTINGS.iter().any(|(name, own)| {
            settings
                .get(*name)
                .is_none_or(|(_, text)| text.as_str() != *own)
        });
        let files = settings_files(settings)?;
        let mut all: Vec<Device> = Vec::new();
        for (path, text) in devices.into_values() {
            let device: Device = parse(&path, &text)?;
            validate_device(&device, &files, &all).map_err(|broken| broken.in_file(&path))?;
            all.push(device);
        }
        all.sort_by_key(|device| device.pci_device);
        let mut defaults: Vec<BootDefaultsFile> = Vec::new();
        for (path, text) in boot_defaults.into_values() {
            let file: BootDefaultsFile = parse(&path, &text)?;
            let of_program = BOOT_DEFAULTS.iter().any(|(_, own)| *own == text);
            match validate_boot_defaults(&file, &files, &defaults) {
                Ok(()) => defaults.push(file),
                // Somebody's own settings need not know what the program's boot
                // defaults are about: then nothing is known of these.
                Err(_) if of_program && replaced => {}
                Err(broken) => return Err(broken.in_file(&path)),
            }
        }
        Ok(Self {
            devices: all,
            settings: files,
            boot_defaults: defaults,
        })
    }

    /// All devices, by PCI device id.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The device with this PCI device id in normal operation.
    #[must_use]
    pub fn device(&self, pci_device: u16) -> Option<&Device> {
        self.devices
            .iter()
            .find(|device| device.pci_device == pci_device)
    }

    /// The device whose virtual functions have this PCI device id.
    ///
    /// ConnectX-3 and -3 Pro share one; then the first is named.
    #[must_use]
    pub fn device_of_virtual_function(&self, pci_device: u16) -> Option<&Device> {
        self.devices
            .iter()
            .find(|device| device.virtual_functions.contains(&pci_device))
    }

    /// The device that shows this PCI device id in flash-recovery mode.
    #[must_use]
    pub fn device_in_flash_recovery(&self, pci_device: u16) -> Option<&Device> {
        self.devices
            .iter()
            .find(|device| device.flash_recovery == pci_device)
    }

    /// Where images of a format hold the defaults of settings, and the settings;
    /// `None` where nobody knows.
    #[must_use]
    pub fn boot_defaults(&self, format: ImageFormat) -> Option<(&BootDefaultsFile, &SettingsFile)> {
        let mut files = self.boot_defaults.iter();
        let file = files.find(|file| file.image_format == format)?;
        Some((file, self.settings.get(&file.settings)?))
    }

    /// The TLVs of a device.
    #[must_use]
    pub fn settings(&self, device: &Device) -> &SettingsFile {
        // validate_device has checked that the file is there.
        &self.settings[&device.settings]
    }
}

/// The settings files by name, each with what it includes.
fn settings_files(texts: Texts) -> Result<BTreeMap<String, SettingsFile>, HwdbError> {
    let mut parts = BTreeMap::new();
    for (name, (path, text)) in texts {
        let file: SettingsFile = parse(&path, &text)?;
        validate_settings(&file).map_err(|broken| broken.in_file(&path))?;
        parts.insert(name.trim_end_matches(".toml").to_owned(), (path, file));
    }
    let mut whole = BTreeMap::new();
    for (name, (path, file)) in &parts {
        let mut file = file.clone();
        for included in file.include.clone() {
            let part = parts.get(&included).map(|(_, part)| part);
            let part =
                validate_included(&file, &included, part).map_err(|broken| broken.in_file(path))?;
            file.tlv.extend(part.tlv.iter().cloned());
        }
        if !file.include.is_empty() {
            validate_settings(&file).map_err(|broken| broken.in_file(path))?;
        }
        whole.insert(name.clone(), file);
    }
    Ok(whole)
}

/// File name to (path for messages, text).
type Texts = BTreeMap<String, (PathBuf, String)>;

fn embedded(files: &[(&str, &str)], folder: &str) -> Texts {
    files
        .iter()
        .map(|(name, text)| {
            let path = Path::new("hwdb").join(folder).join(name);
            ((*name).to_owned(), (path, (*text).to_owned()))
        })
        .collect()
}

fn overlay(texts: &mut Texts, folder: &Path) -> Result<(), HwdbError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| HwdbError::Io { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".toml")) {
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            texts.insert(name.to_owned(), (path, text));
        }
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, HwdbError> {
    toml::from_str(text).map_err(|source| HwdbError::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

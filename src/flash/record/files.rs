//! The files of a record.

use std::fs::{self, DirBuilder};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use crate::flash::whole_file::{self, open_regular};
use crate::flash::{LARGEST_FLASH_BYTES, backup::sha256_of};

use super::unfinished::SCHEMA;
use super::{BurnRecord, BurnTask, RecordError, Unfinished};

/// A record is well below.
const MOST_BYTES: u64 = 1 << 20;
const FOLDER_MODE: u32 = 0o700;

/// Where the record of one card's burn is. Whoever writes holds the card's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnRecords {
    folder: PathBuf,
    record: PathBuf,
    image: PathBuf,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    move |source| RecordError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

impl BurnRecords {
    /// In a folder of their own; `stem` is one card's.
    #[must_use]
    pub fn new(folder: &Path, stem: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            record: folder.join(format!("{stem}.json")),
            image: folder.join(format!("{stem}.image.gz")),
        }
    }

    /// The record's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.record
    }

    /// Writes down what is about to be burned: before the first erase. `image` is
    /// [`FlashPlan::recorded_image`](crate::flash::FlashPlan::recorded_image)'s,
    /// empty for a restore.
    ///
    /// # Errors
    /// [`RecordError`]; then nothing must be written to the flash.
    pub fn begin(&self, record: &BurnRecord, image: &[u8]) -> Result<(), RecordError> {
        let mut record = record.clone();
        record.image_bytes = image.len() as u64;
        record.image_sha256 = sha256_of(image);
        self.make_folder()
            .map_err(failed("make the folder", &self.folder))?;
        // An image under another record would be taken for that one's.
        whole_file::remove(&self.record).map_err(failed("remove", &self.record))?;
        let compress = || -> io::Result<Vec<u8>> {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(image)?;
            encoder.finish()
        };
        compress()
            .and_then(|packed| whole_file::replace(&self.image, &packed))
            .map_err(failed("write", &self.image))?;
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::from);
        text.and_then(|text| whole_file::replace(&self.record, &text))
            .map_err(failed("write", &self.record))
    }

    /// The burn that was begun and not finished.
    ///
    /// # Errors
    /// [`RecordError`] when a record is there and cannot be read, or its image is
    /// not what was written.
    pub fn load(&self) -> Result<Option<Unfinished>, RecordError> {
        /// The one field that says how to read the others.
        #[derive(serde::Deserialize)]
        struct Kind {
            schema: String,
        }
        let path = &self.record;
        let mut text = Vec::new();
        let read =
            open_regular(path, true).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path)(error)),
        }
        let malformed = |source| RecordError::Malformed {
            path: path.clone(),
            source,
        };
        let kind: Kind = serde_json::from_slice(&text).map_err(malformed)?;
        if kind.schema != SCHEMA {
            return Err(RecordError::UnknownSchema {
                path: path.clone(),
                found: kind.schema,
            });
        }
        let record: BurnRecord = serde_json::from_slice(&text).map_err(malformed)?;
        let image = match record.task {
            BurnTask::Burn { .. } => self.read_image(&record)?,
            BurnTask::Restore { .. } => Vec::new(),
        };
        Ok(Some(Unfinished { record, image }))
    }

    fn read_image(&self, record: &BurnRecord) -> Result<Vec<u8>, RecordError> {
        let damaged = |what: String| RecordError::ImageDamaged {
            path: self.image.clone(),
            what,
        };
        if record.image_bytes > u64::from(LARGEST_FLASH_BYTES) {
            return Err(damaged("it is larger than any flash".to_owned()));
        }
        let file = open_regular(&self.image, true).map_err(failed("read", &self.image))?;
        let mut image = Vec::new();
        GzDecoder::new(BufReader::new(file))
            .take(record.image_bytes + 1)
            .read_to_end(&mut image)
            .map_err(|error| damaged(format!("gzip: {error}")))?;
        let found = sha256_of(&image);
        if image.len() as u64 == record.image_bytes && found == record.image_sha256 {
            Ok(image)
        } else {
            Err(damaged(format!("its SHA-256 is {found}")))
        }
    }

    /// The burn came to its end, or was taken back: there is nothing to go on with.
    ///
    /// # Errors
    /// [`RecordError`] when a file cannot be removed.
    pub fn finish(&self) -> Result<(), RecordError> {
        for path in [&self.record, &self.image] {
            whole_file::remove(path).map_err(failed("remove", path))?;
        }
        Ok(())
    }

    fn make_folder(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.folder)?;
        match self.folder.parent() {
            Some(parent) => fs::File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

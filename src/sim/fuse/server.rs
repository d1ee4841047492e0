//! The file system: one serial loop between the kernel and the cards.

use std::ffi::OsStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::tree::{Content, Node, Tree};
use crate::pci::Function;
use crate::sim::error::SimError;

/// Nothing in the tree comes or goes while it is mounted.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The most that a read of config space returns.
const CONFIG_BYTES: usize = 4096;

/// One function behind the tree.
#[derive(Debug)]
struct Open {
    function: Mutex<Box<dyn Function>>,
    config_size: u64,
    /// The ROM file was switched on by writing to it.
    rom_enabled: AtomicBool,
}

impl Open {
    fn function(&self) -> MutexGuard<'_, Box<dyn Function>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers the kernel.
#[derive(Debug)]
pub(crate) struct Server {
    tree: Tree,
    open: Vec<Open>,
    since: SystemTime,
}

impl Server {
    pub(crate) fn new(tree: Tree) -> Result<Self, SimError> {
        let open = tree
            .functions
            .iter()
            .map(|(card, info)| {
                let index = card
                    .infos()
                    .iter()
                    .position(|one| one.address == info.address);
                Ok(Open {
                    function: Mutex::new(card.function(info.address)?),
                    config_size: u64::from(card.board().config_size(index.unwrap_or(0))),
                    rom_enabled: AtomicBool::new(false),
                })
            })
            .collect::<Result<_, SimError>>()?;
        Ok(Self {
            tree,
            open,
            since: SystemTime::now(),
        })
    }

    fn attributes(&self, inode: u64, node: &Node) -> FileAttr {
        let (kind, perm, size) = match &node.content {
            Content::Directory(_) => (FileType::Directory, 0o755, 0),
            Content::Bytes(bytes) => (FileType::RegularFile, 0o444, bytes.len() as u64),
            Content::Link(target) => (FileType::Symlink, 0o777, target.len() as u64),
            Content::Config(number) => {
                let size = self.open.get(*number).map_or(0, |open| open.config_size);
                (FileType::RegularFile, 0o644, size)
            }
            Content::AllOnes(length) => (FileType::RegularFile, 0o600, *length),
            // The size of the ROM BAR, as sysfs shows it; reads end earlier.
            Content::Rom(_) => (FileType::RegularFile, 0o600, 1 << 20),
        };
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: 0,
            atime: self.since,
            mtime: self.since,
            ctime: self.since,
            crtime: self.since,
            kind,
            perm,
            nlink: if kind == FileType::Directory { 2 } else { 1 },
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    fn node(&self, inode: INodeNo) -> Option<&Node> {
        self.tree.node(inode.0)
    }

    /// A fault may kill whoever makes an access.
    fn called_by(&self, number: usize, request: &Request) {
        if let Some((card, _)) = self.tree.functions.get(number) {
            card.called_by(request.pid());
        }
    }

    fn read_config(&self, number: usize, offset: u64, size: u32, reply: ReplyData) {
        let mut buffer = [0; CONFIG_BYTES];
        let Some(open) = self.open.get(number) else {
            return reply.error(Errno::EIO);
        };
        let wanted = u64::from(size).min(open.config_size.saturating_sub(offset));
        let wanted = usize::try_from(wanted).unwrap_or(0).min(CONFIG_BYTES);
        if wanted == 0 {
            return reply.data(&[]);
        }
        let at = u16::try_from(offset).unwrap_or(u16::MAX);
        match open.function().read_config(at, &mut buffer[..wanted]) {
            Ok(()) => reply.data(&buffer[..wanted]),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn write_config(&self, number: usize, offset: u64, data: &[u8], reply: ReplyWrite) {
        let Some(open) = self.open.get(number) else {
            return reply.error(Errno::EIO);
        };
        let room = usize::try_from(open.config_size.saturating_sub(offset)).unwrap_or(0);
        let data = &data[..data.len().min(room)];
        let at = u16::try_from(offset).unwrap_or(u16::MAX);
        if data.is_empty() {
            return reply.written(0);
        }
        match open.function().write_config(at, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(0)),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    /// Reading the ROM fails with EINVAL unless it was switched on, as in Linux.
    fn read_rom(&self, number: usize, offset: u64, size: u32, reply: ReplyData) {
        let (Some(open), Some((card, _))) =
            (self.open.get(number), self.tree.functions.get(number))
        else {
            return reply.error(Errno::EIO);
        };
        if !open.rom_enabled.load(Ordering::Relaxed) {
            return reply.error(Errno::EINVAL);
        }
        let mut board = card.board();
        if offset == 0 {
            board.firmware.live.counters.rom_reads += 1;
        }
        // A card that does not answer shows no signature.
        if board.firmware.live.gone {
            return reply.error(Errno::EIO);
        }
        let Some(rom) = &board.rom else {
            return reply.error(Errno::EIO);
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(rom.shown);
        let length = usize::try_from(size).unwrap_or(0);
        let end = start.saturating_add(length).min(rom.shown);
        reply.data(&rom.bytes[start..end]);
    }

    /// Linux switches the ROM off when exactly "0" and a newline is written,
    /// and on by everything else (`pci_write_rom`).
    fn write_rom(&self, number: usize, offset: u64, data: &[u8]) {
        let (Some(open), Some((card, _))) =
            (self.open.get(number), self.tree.functions.get(number))
        else {
            return;
        };
        let on = !(offset == 0 && data.len() == 2 && data[0] == b'0');
        open.rom_enabled.store(on, Ordering::Relaxed);
        let counters = &mut card.board().firmware.live.counters;
        if on {
            counters.rom_enables += 1;
        } else {
            counters.rom_disables += 1;
        }
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = name
            .to_str()
            .and_then(|name| self.tree.lookup(parent.0, name));
        match found.and_then(|inode| Some((inode, self.tree.node(inode)?))) {
            Some((inode, node)) => {
                reply.entry(&FOREVER, &self.attributes(inode, node), Generation(0));
            }
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.node(inode) {
            Some(node) => reply.attr(&FOREVER, &self.attributes(inode.0, node)),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// Truncating is what `echo 1 > rom` does first; it changes nothing.
    fn setattr(
        &self,
        request: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.getattr(request, inode, handle, reply);
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match self.node(inode).map(|node| &node.content) {
            Some(Content::Link(target)) => reply.data(target.as_bytes()),
            Some(_) => reply.error(Errno::EINVAL),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let flags = match self.node(inode).map(|node| &node.content) {
            // Every access has to reach the card, in its own size.
            Some(Content::Config(_) | Content::Rom(_)) => FopenFlags::FOPEN_DIRECT_IO,
            // mmap has to work, so these go through the page cache.
            Some(_) => FopenFlags::FOPEN_KEEP_CACHE,
            None => return reply.error(Errno::ENOENT),
        };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.node(inode).map(|node| &node.content) {
            Some(Content::Config(number)) => {
                self.called_by(*number, request);
                self.read_config(*number, offset, size, reply);
            }
            Some(Content::Rom(number)) => self.read_rom(*number, offset, size, reply),
            Some(Content::Bytes(bytes)) => {
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let length = usize::try_from(size).unwrap_or(0);
                reply.data(&bytes[start..start.saturating_add(length).min(bytes.len())]);
            }
            Some(Content::AllOnes(length)) => {
                let rest = length.saturating_sub(offset).min(u64::from(size));
                reply.data(&vec![0xff; usize::try_from(rest).unwrap_or(0)]);
            }
            _ => reply.error(Errno::EINVAL),
        }
    }

    fn write(
        &self,
        request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let length = u32::try_from(data.len()).unwrap_or(0);
        match self.node(inode).map(|node| &node.content) {
            Some(Content::Config(number)) => {
                self.called_by(*number, request);
                self.write_config(*number, offset, data, reply);
            }
            Some(Content::Rom(number)) => {
                self.write_rom(*number, offset, data);
                reply.written(length);
            }
            Some(Content::AllOnes(_)) => reply.written(length),
            _ => reply.error(Errno::EACCES),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Some(node) = self.node(inode) else {
            return reply.error(Errno::ENOENT);
        };
        let Content::Directory(entries) = &node.content else {
            return reply.error(Errno::ENOTDIR);
        };
        let own = [(".", inode.0), ("..", node.parent)];
        let names = own
            .into_iter()
            .chain(entries.iter().map(|(name, inode)| (name.as_str(), *inode)));
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for (next, (name, inode)) in (1..).zip(names).skip(skipped) {
            let kind = match self.tree.node(inode).map(|node| &node.content) {
                Some(Content::Directory(_)) => FileType::Directory,
                Some(Content::Link(_)) => FileType::Symlink,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(inode), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}

"""A FUSE server for a small fixed tree, speaking the kernel protocol on /dev/fuse.

Message layouts are those of the kernel's public header linux/fuse.h, protocol 7.
Only what a directory of simple files needs is answered; the rest is ENOSYS.
"""

import errno
import os
import stat
import struct

from pci_tree import Directory

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE = 1, 2, 3, 4, 14, 15, 16
STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 17, 18, 25, 26, 27, 28, 29
INTERRUPT, DESTROY, BATCH_FORGET = 36, 38, 42
DIRECT_IO, KEEP_CACHE = 1, 2
MAX_WRITE, BUFFER = 4096, 1 << 16
FOREVER = 3600


class FuseServer:
    """Serves one tree on an open /dev/fuse."""

    def __init__(self, root):
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        self.nodes = [None, root]
        self.numbers = {id(root): 1}
        self._number(root)
        self.buffer = bytearray(BUFFER)
        self.handlers = {
            INIT: self._init, LOOKUP: self._lookup, GETATTR: self._getattr, SETATTR: self._getattr,
            OPEN: self._open, OPENDIR: self._open, READ: self._read, WRITE: self._write,
            READDIR: self._readdir, STATFS: self._statfs, RELEASE: self._empty,
            RELEASEDIR: self._empty, FLUSH: self._empty, DESTROY: self._empty,
        }

    def _number(self, node):
        if isinstance(node, Directory):
            for child in node.entries.values():
                self.numbers[id(child)] = len(self.nodes)
                self.nodes.append(child)
                self._number(child)

    def serve_one(self):
        """Answer one waiting request; False when the file system is gone."""
        try:
            size = os.readv(self.fd, [self.buffer])
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR, errno.ENOENT):
                return True
            return False
        _, opcode, unique, node = struct.unpack_from("<IIQQ", self.buffer)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            return True
        handler = self.handlers.get(opcode)
        error, body = errno.ENOSYS, b""
        if handler:
            error, body = handler(self.nodes[node] if 0 < node < len(self.nodes) else None,
                                  memoryview(self.buffer)[40:size])
        self._reply(unique, error, body)
        return True

    def _reply(self, unique, error, body):
        header = struct.pack("<IiQ", 16 + len(body), -error, unique)
        try:
            os.writev(self.fd, [header, body])
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def _attributes(self, node):
        if isinstance(node, Directory):
            mode, size, links = stat.S_IFDIR | 0o755, 0, 2
        else:
            mode, size, links = stat.S_IFREG | node.mode, node.size, 1
        return struct.pack("<QQQQQQIIIIIIIIII", self.numbers[id(node)], size, 0, 0, 0, 0,
                           0, 0, 0, mode, links, 0, 0, 0, 4096, 0)

    def _init(self, node, body):
        major, minor, readahead, _ = struct.unpack_from("<IIII", body)
        return 0, struct.pack("<IIIIHHIIHHI7I", 7, min(minor, 31) if major == 7 else 31,
                              readahead, 0, 12, 10, MAX_WRITE, 1, 1, 0, 0, *[0] * 7)

    def _lookup(self, node, body):
        name = bytes(body).split(b"\0", 1)[0].decode(errors="replace")
        child = node.entries.get(name) if isinstance(node, Directory) else None
        if child is None:
            return errno.ENOENT, b""
        return 0, struct.pack("<QQQQII", self.numbers[id(child)], 1, FOREVER, FOREVER,
                              0, 0) + self._attributes(child)

    def _getattr(self, node, body):
        return 0, struct.pack("<QII", FOREVER, 0, 0) + self._attributes(node)

    def _open(self, node, body):
        direct = not isinstance(node, Directory) and node.direct
        return 0, struct.pack("<QII", 0, DIRECT_IO if direct else KEEP_CACHE, 0)

    def _read(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        return 0, node.read(offset, size)

    def _write(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        node.write(offset, bytes(body[40:40 + size]))
        return 0, struct.pack("<II", size, 0)

    def _readdir(self, node, body):
        _, offset, room = struct.unpack_from("<QQI", body)
        names = [(".", node), ("..", node), *node.entries.items()]
        out = b""
        for index, (name, child) in enumerate(names[offset:], offset + 1):
            kind = stat.S_IFDIR >> 12 if isinstance(child, Directory) else stat.S_IFREG >> 12
            encoded = name.encode()
            entry = struct.pack("<QQII", self.numbers[id(child)], index, len(encoded), kind) + encoded
            entry = entry.ljust((len(entry) + 7) // 8 * 8, b"\0")
            if len(out) + len(entry) > room:
                break
            out += entry
        return 0, out

    def _statfs(self, node, body):
        return 0, struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 512, 255, 512, 0)

    def _empty(self, node, body):
        return 0, b""

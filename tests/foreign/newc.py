"""Initramfs archives: the "newc" cpio format, and what a dynamic program needs in it.

Format after the kernel's Documentation/driver-api/early-userspace/buffer-format:
a header of 110 ASCII characters, then the name and the data, each padded to four.
"""

import os
import re
import stat
import subprocess


class Archive:
    """A newc archive under construction; parent directories appear by themselves."""

    def __init__(self):
        self._parts = []
        self._names = set()

    def _member(self, name, mode, data=b""):
        if name in self._names:
            return
        self._names.add(name)
        fields = [len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        header += name.encode() + b"\0"
        self._parts += [header.ljust(-(-len(header) // 4) * 4, b"\0"),
                        data.ljust(-(-len(data) // 4) * 4, b"\0")]

    def directory(self, path):
        """A directory and its parents."""
        path = path.strip("/")
        if path:
            self.directory(os.path.dirname(path))
            self._member(path, stat.S_IFDIR | 0o755)

    def file(self, path, data, executable=False):
        """A regular file."""
        path = path.strip("/")
        self.directory(os.path.dirname(path))
        self._member(path, stat.S_IFREG | (0o755 if executable else 0o644), data)

    def link(self, path, target):
        """A symbolic link."""
        path = path.strip("/")
        self.directory(os.path.dirname(path))
        self._member(path, stat.S_IFLNK | 0o777, target.encode())

    def add_host_file(self, host, guest):
        """A file of this machine; a dynamic program brings its libraries along.

        A directory is copied with everything below it.
        """
        if os.path.isdir(host):
            for folder, _, names in os.walk(host):
                below = os.path.relpath(folder, host)
                for name in names:
                    self.add_host_file(os.path.join(folder, name),
                                       os.path.normpath(os.path.join(guest, below, name)))
            return
        with open(host, "rb") as file:
            data = file.read()
        executable = os.access(host, os.X_OK) and os.stat(host).st_mode & 0o111 != 0
        self.file(guest, data, executable)
        if data.startswith(b"\x7fELF"):
            for library in shared_objects(host):
                with open(library, "rb") as file:
                    self.file(library, file.read(), True)

    def bytes(self):
        """The finished archive."""
        trailer = Archive()
        trailer._member("TRAILER!!!", 0)
        return b"".join(self._parts + trailer._parts)


def shared_objects(program):
    """Paths of the libraries and of the loader, as ldd names them; none if static."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if listing.returncode:
        return []
    missing = re.findall(r"^\s*(\S+) => not found", listing.stdout, re.M)
    if missing:
        raise FileNotFoundError(f"{program}: this machine lacks {', '.join(missing)}")
    return re.findall(r"(/\S+) \(0x", listing.stdout)

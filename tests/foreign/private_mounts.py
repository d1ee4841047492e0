"""mount(2), umount2(2), unshare(2) and prctl(2) through the C library."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 0x1000, 0x4000, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind, flags=0, options=""):
    """mount(2)."""
    _checked(_LIBC.mount(source.encode(), target.encode(), kind.encode() if kind else None,
                         ctypes.c_ulong(flags), options.encode() if options else None),
             f"mount {kind or source} on {target}")


def unmount(target):
    """Lazy unmount; a target that is gone already is fine."""
    _LIBC.umount2(target.encode(), MNT_DETACH)


def prctl(option, value):
    """prctl(2) with one argument."""
    _checked(_LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def enter_private_namespace():
    """A mount namespace of our own from which nothing propagates."""
    _checked(_LIBC.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def hide_shared_files(lock_directory):
    """Own lock files for mstflint, and no physical memory for it to map."""
    os.makedirs(lock_directory, exist_ok=True)
    mount("tmpfs", lock_directory, "tmpfs", MS_NOSUID | MS_NODEV)
    if os.path.exists("/dev/mem"):
        mount("/dev/null", "/dev/mem", None, MS_BIND)


def mount_fuse(target, fd):
    """Attach an open /dev/fuse to a directory."""
    mount("foreign", target, "fuse.foreign", MS_NOSUID | MS_NODEV,
          f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other")

"""Boot a Debian kernel in QEMU with the virtual cards and run a script in it.

    python3 boot_vm.py --cache DIR --card cx4 --script FILE [--add HOST:GUEST ...]

Kernel and busybox come from Debian packages, downloaded with apt-get and unpacked
with dpkg into the cache. The guest runs the script after mounting proc, sysfs,
securityfs, devtmpfs, /run and /tmp. Its output appears here, its exit code is ours;
124 means timeout, 125 that the guest never reported.
"""

import argparse
import fcntl
import glob
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile

import foreign_card
import mpqemu
from newc import Archive

KERNEL_META, BUSYBOX = "linux-image-cloud-amd64", "busybox-static"
BEGIN, END = "foreign-vm-begin", "foreign-vm-exit"
KERNEL_LINE = ("console=ttyS0 quiet panic=-1 mitigations=off nopti nokaslr tsc=reliable "
               "no_timer_check cryptomgr.notests")
INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /root /usr/bin /usr/sbin /sbin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t securityfs securityfs /sys/kernel/security
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t tmpfs tmpfs /run
/bin/busybox mount -t tmpfs tmpfs /tmp
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root
/bin/busybox --install -s
echo 0 > /proc/sys/kernel/printk
echo {BEGIN}
/script < /dev/null 2>&1
echo {END}=$?
poweroff -f
"""


def unpacked(cache, package):
    """Directory of an unpacked Debian package, downloading it on first use."""
    root = os.path.join(cache, package)
    if os.path.isdir(root):
        return root
    debs = tempfile.mkdtemp(dir=cache)
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package],
                   cwd=debs, check=True)
    partial = os.path.join(debs, "root")
    subprocess.run(["dpkg", "-x", glob.glob(os.path.join(debs, "*.deb"))[0], partial], check=True)
    os.rename(partial, root)
    subprocess.run(["rm", "-rf", debs], check=True)
    return root


def kernel_package():
    """The versioned package that the kernel's meta package depends on."""
    listing = subprocess.run(["apt-cache", "depends", KERNEL_META], capture_output=True,
                             text=True, check=True).stdout
    found = re.search(r"Depends: (linux-image-\S+-cloud-amd64)\b", listing)
    if not found:
        raise FileNotFoundError(f"apt does not know {KERNEL_META}; run apt-get update")
    return found.group(1)


def kernel_and_busybox(cache):
    """Paths of the kernel image and of the static busybox."""
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = glob.glob(os.path.join(cache, "linux-image-*-cloud-amd64"))
        kernel = sorted(ready)[-1] if ready else unpacked(cache, kernel_package())
        busybox = unpacked(cache, BUSYBOX)
    image = glob.glob(os.path.join(kernel, "boot/vmlinuz-*"))[0]
    program = [path for place in ("bin", "usr/bin")
               if os.path.exists(path := os.path.join(busybox, place, "busybox"))][0]
    return image, program


def initramfs(busybox, script, additions):
    """The compressed archive: busybox, /init, /script and what was asked for."""
    archive = Archive()
    archive.add_host_file(busybox, "/bin/busybox")
    archive.link("/bin/sh", "busybox")
    archive.file("/init", INIT.encode(), True)
    with open(script, "rb") as file:
        text = file.read()
    archive.file("/script", text if text.startswith(b"#!") else b"#!/bin/sh\n" + text, True)
    for item in additions:
        host, _, guest = item.partition(":")
        archive.add_host_file(host, guest or os.path.abspath(host))
    return gzip.compress(archive.bytes(), 1)


def qemu_command(machine, machine_type, kernel, initrd, kernel_words):
    """The QEMU command line; the cards sit at 00:04.0, 00:04.1 and 00:05.0."""
    command = [
        "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
        "-accel", "tcg", "-cpu", "max", "-m", "512M",
        "-machine", f"{machine_type},memory-backend=mem",
        "-object", "memory-backend-memfd,id=mem,size=512M,share=on",
        "-serial", "stdio", "-kernel", kernel, "-initrd", initrd,
        "-append", " ".join([KERNEL_LINE, *kernel_words]),
    ]
    for index, address in enumerate(sorted(machine.functions)):
        slot = f"{address[5:7]}.{address[-1]}"
        multi = ",multifunction=on" if slot == "04.0" and machine.options.ports > 1 else ""
        command += ["-device", f"x-pci-proxy-dev,id=nic{index},fd={{fd{index}}},addr={slot}{multi}"]
    return command


def verdict(output):
    """Split the console: the text between the markers, and the exit code or None."""
    text = output.decode(errors="replace").replace("\r\n", "\n")
    _, _, text = text.partition(f"{BEGIN}\n")
    body, marker, rest = text.partition(f"{END}=")
    code = re.match(r"\d+", rest)
    return body, int(code.group()) if marker and code else None


def main():
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    foreign_card.add_options(parser)
    parser.add_argument("--cache", required=True, metavar="DIR", help="where unpacked packages stay")
    parser.add_argument("--script", required=True, metavar="FILE", help="what the guest runs")
    parser.add_argument("--add", action="append", default=[], metavar="HOSTPATH:GUESTPATH",
                        help="file or directory to bring along (can be repeated)")
    mpqemu.add_rom_option(parser)
    parser.add_argument("--append", action="append", default=[], metavar="WORD",
                        help="more for the kernel command line (can be repeated)")
    parser.add_argument("--machine", choices=("pc", "q35"), default="pc")
    parser.add_argument("--timeout", type=float, default=180, metavar="SECONDS")
    parser.add_argument("--console", metavar="FILE", help="keep the whole serial console")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kernel, busybox = kernel_and_busybox(os.path.abspath(options.cache))
    machine = foreign_card.Machine(options)
    roms = mpqemu.load_roms(options)
    with tempfile.NamedTemporaryFile(suffix=".cpio.gz") as initrd:
        initrd.write(initramfs(busybox, options.script, options.add))
        initrd.flush()
        code, output = mpqemu.run(
            machine,
            qemu_command(machine, options.machine, kernel, initrd.name, options.append),
            roms, options.timeout, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    machine.write_dump()
    if options.console:
        with open(options.console, "wb") as file:
            file.write(output)
    body, status = verdict(output)
    sys.stdout.write(body)
    if status is not None:
        return status
    if code is None:
        print(f"the guest did not finish within {options.timeout:g} s", file=sys.stderr)
        return 124
    print(f"the guest never reported (QEMU exit code {code})", file=sys.stderr)
    return 125


if __name__ == "__main__":
    sys.exit(main())

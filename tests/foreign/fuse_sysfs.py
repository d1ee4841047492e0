"""Run a command that sees virtual cards in /sys/bus/pci/devices.

    python3 fuse_sysfs.py [card options] --card cx3 --card cx4 -- COMMAND ...

The cards live in a private mount namespace: a FUSE file system over
/sys/bus/pci/devices, a tmpfs over mstflint's lock files, /dev/null over /dev/mem.
The exit code is that of the command. Everything vanishes with the namespace, also
when the command or this program is killed; an empty lock directory stays.
"""

import argparse
import os
import select
import signal
import sys
import time

import foreign_card
import private_mounts
from fuse_server import FuseServer
from pci_tree import device_tree

LOCK_DIRECTORY = "/tmp/mstflint_lockfiles"
DEFAULT_MOUNT = "/sys/bus/pci/devices"
KILL_ROUNDS = 200


def start(command):
    """Fork the command; it dies with us."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        private_mounts.prctl(private_mounts.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(126)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    os._exit(127)


def serve_until_exit(server, child):
    """Answer requests until the command ends; its exit code."""
    process = os.pidfd_open(child)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(server.fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if server.fd in ready and not server.serve_one():
            poll.unregister(server.fd)
        if process in ready:
            os.close(process)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def end_orphans(server):
    """Kill what the command left running, still answering so that nothing hangs."""
    for _ in range(KILL_ROUNDS):
        with open("/proc/self/task/{0}/children".format(os.getpid()), encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        if not children:
            return
        for child in children:
            os.kill(child, signal.SIGKILL)
        server.serve_one()
        time.sleep(0.005)
        for child in children:
            os.waitpid(child, os.WNOHANG)


def run(machine, mount_point, command):
    """The whole life of the namespace; the exit code of the command."""
    server = FuseServer(device_tree(machine))
    private_mounts.enter_private_namespace()
    private_mounts.prctl(private_mounts.PR_SET_CHILD_SUBREAPER, 1)
    private_mounts.hide_shared_files(LOCK_DIRECTORY)
    private_mounts.mount_fuse(mount_point, server.fd)
    child = start(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    code = serve_until_exit(server, child)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_orphans(server)
    private_mounts.unmount(mount_point)
    os.close(server.fd)
    return code if code >= 0 else 128 - code


def main():
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    foreign_card.add_options(parser)
    parser.add_argument("--mount", default=DEFAULT_MOUNT)
    options = foreign_card.parse(parser)
    if not options.command:
        parser.error("no command given after --")
    machine = foreign_card.Machine(options)
    try:
        code = run(machine, options.mount, options.command)
    except OSError as error:
        print(f"cannot show the cards: {error}", file=sys.stderr)
        return 125
    machine.write_dump()
    return code


if __name__ == "__main__":
    sys.exit(main())

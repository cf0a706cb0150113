"""Confine this process and all that it starts: Landlock, namespaces, no capabilities (Linux, x86-64 and arm64).

As a program it confines itself and then becomes a command, so nothing of an environment under test, not even a .pth file,
runs before: `python -I -S confinement.py landlock 7 namespaces user,mount processes 512 read PATH write PATH -- COMMAND…`,
where `read` and `write` may come again and again. A fork of a fork server calls `restrict_files` for itself.

It starts before every process, so it imports only what starts quickly: no json, signal, socket or typing.

Sources: landlock(7), user_namespaces(7), pid_namespaces(7), mount_setattr(2), <linux/landlock.h>.
"""

from __future__ import annotations

import _socket
import ctypes
import fcntl
import os
import resource
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, Sequence

    from .wire import Confinement

# Numbers of system calls that are the same for all architectures that Python runs on under Linux, but Alpha.
_MOUNT_SETATTR, _LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 442, 444, 445, 446

_CLONE = {"user": 0x10000000, "mount": 0x00020000, "net": 0x40000000, "ipc": 0x08000000, "pid": 0x20000000}
"""Namespace → its flag for unshare(2)."""
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_AT_FDCWD, _AT_RECURSIVE, _RDONLY, _NODEV = -100, 0x8000, 1, 4
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITIES, _CAPABILITY_VERSION_3, _SIGKILL = 64, 0x20080522, 9

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REFER, _TRUNCATE = 1, 2, 4, 8, 1 << 13, 1 << 14
_REMOVE, _MAKE_LINK = 1 << 4 | 1 << 5, 1 << 12
_MAKE = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12
"""Folders, files, sockets, FIFOs and links: no devices."""
_OF_ABI_1 = (1 << 13) - 1
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE | _MAKE | _REFER | _TRUNCATE
_TCP, _SCOPES = 1 | 2, 1 | 2
"""Bind and connect; abstract Unix sockets and signals, only within this process' own domain."""
TRUNCATE_ABI, TCP_ABI, SCOPE_ABI = 3, 4, 6
"""The versions of Landlock with rules for cutting off files, for TCP, and for signals and abstract sockets."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/etc", "/proc", "/sys", "/nix", "/gnu")
"""What every program may read: the system itself, and no user's files."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - semaphores and shared arrays of multiprocessing
SHARED = ("/tmp", "/var/tmp", "/run", _SHARED_MEMORY)  # noqa: S108
"""Folders that all processes of a machine share, with the sockets by which they can be asked to do something."""
_SHARED_BYTES = 2**30


def main(arguments: Sequence[str]) -> NoReturn:
    """Do what the program is asked."""
    end = arguments.index("--")
    enter(_confinement(arguments[:end]), arguments[end + 1 :])


def _confinement(words: Sequence[str]) -> Confinement:
    pairs = list(zip(words[::2], words[1::2]))
    single = dict(pairs)
    return {
        "landlock": int(single["landlock"]),
        "namespaces": [name for name in single["namespaces"].split(",") if name],
        "processes": int(single["processes"]),
        "read": [value for name, value in pairs if name == "read"],
        "write": [value for name, value in pairs if name == "write"],
    }


def enter(confinement: Confinement, command: Sequence[str]) -> NoReturn:
    """Confine this process and become `command`; with a process namespace, its parent, which ends as it ends.

    OSError if this machine does not offer it.
    """
    namespaces = confinement["namespaces"]
    if namespaces:
        _unshare(namespaces)
        _make_read_only(confinement)
    # The kernel forgets this when privileges change.
    _die_with_the_parent()
    if "pid" in namespaces:
        _in_process_namespace(confinement, command)
    _become(confinement, command)


def _become(confinement: Confinement, command: Sequence[str]) -> NoReturn:
    if confinement["processes"] and "user" in confinement["namespaces"]:
        # Counted for each user, and in a user namespace for that alone (Linux 5.14).
        resource.setrlimit(resource.RLIMIT_NPROC, (confinement["processes"],) * 2)
    _drop_capabilities()
    restrict_files(confinement)
    os.execv(command[0], list(command))  # noqa: S606 - no shell is wanted


def _unshare(namespaces: Sequence[str]) -> None:
    user, group = os.getuid(), os.getgid()
    _call("unshare", _LIBC.unshare, sum(map(_CLONE.__getitem__, namespaces)))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _bring_up_loopback()


def _bring_up_loopback() -> None:
    """Programs may talk to themselves over 127.0.0.1: a new network namespace has it switched off."""
    get_flags, set_flags, up = 0x8913, 0x8914, 1
    any_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack("16sh14x", b"lo", 0)
    flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, request))[1]
    fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def _make_read_only(confinement: Confinement) -> None:
    """Mount everything read-only in this process' view, but its own folders and new ones in the place of `SHARED`."""
    here = os.getcwd()
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    shared = [folder for folder in SHARED if os.path.isdir(folder) and not os.path.islink(folder)]
    for folder in shared:
        _replace(folder, _within(folder, confinement))
    devices = [path for path in _DEVICES if os.path.exists(path)]
    for path in (*confinement["write"], *devices):
        _mount(path, path, _MS_BIND)
    _change_mount("/", sets=_RDONLY | _NODEV, recursive=True)  # devices could be written to all the same
    for path in (*confinement["write"], *shared):
        _change_mount(path, clears=_RDONLY)
    for path in devices:
        _change_mount(path, clears=_NODEV)
    os.chdir(here)  # into the mount that lies there now


def _within(folder: str, confinement: Confinement) -> list[str]:
    """What this process needs of `folder`."""
    paths = [os.path.realpath(path) for path in (*confinement["read"], *confinement["write"])]
    return [path for path in paths if path.startswith(folder + os.sep) and os.path.exists(path)]


def _replace(folder: str, needed: Sequence[str]) -> None:
    """Mount an empty folder at `folder`, with what is needed of the old one."""
    opened = [(path, os.open(path, os.O_PATH)) for path in needed]
    _mount("tmpfs", folder, _MS_NOSUID | _MS_NODEV, kind="tmpfs", options=f"size={_SHARED_BYTES},mode=1777")
    for path, descriptor in opened:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        _mount(f"/proc/self/fd/{descriptor}", path, _MS_BIND | _MS_REC)
        os.close(descriptor)


def _in_process_namespace(confinement: Confinement, command: Sequence[str]) -> NoReturn:
    """Start `command` as the second process of a new process namespace, and end as it ends.

    The first process of a namespace must not be under test: signals that it has no handler for do not reach it.
    """
    reads, writes = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(reads)
        _first_process(confinement, command, writes)
    os.close(writes)
    _leave_input()
    ended = os.read(reads, 20)  # at its end; nothing if the first process was killed
    os.waitpid(first, 0)
    _end_like(int(ended) if ended.isdigit() else _SIGKILL)


def _first_process(confinement: Confinement, command: Sequence[str], writes: int) -> NoReturn:
    """Run `command`, write its status, and end: all processes of the namespace end with this one."""
    code = 1
    try:
        _die_with_the_parent()
        _mount("proc", "/proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, kind="proc")
        _change_mount("/proc", sets=_RDONLY)
        child = os.fork()
        if child == 0:
            os.close(writes)
            # As the harness starts its processes: each in a session of its own.
            os.setsid()
            _die_with_the_parent()
            _become(confinement, command)
        _leave_input()
        status = None
        while status is None:
            pid, ended = os.wait()
            status = ended if pid == child else None
        os.write(writes, str(status).encode())
        code = 0
    except OSError as error:
        print(f"confinement: {error}", file=sys.stderr, flush=True)  # noqa: T201 - into the log
    finally:
        os._exit(code)


def _leave_input() -> None:
    """The input is the channel of a fork server: whoever keeps it open hides that the server has ended."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _end_like(status: int) -> NoReturn:
    """End as a process with this status of `os.waitpid` has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _LIBC.signal(number, None)  # as the system does by default
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def restrict_files(confinement: Confinement) -> None:
    """Give up access to all files but those that `confinement` names, and, by the version of Landlock, to TCP and signals.

    A process may do so again and again; what it gave up once stays so. OSError if the kernel refuses.
    """
    _call("prctl", _LIBC.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    abi = confinement["landlock"]
    if not abi:
        return
    handled = _OF_ABI_1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= TRUNCATE_ABI else 0)
    # A network namespace of its own has nothing but loopback.
    tcp = _TCP if abi >= TCP_ABI and "net" not in confinement["namespaces"] else 0
    fields = 3 if abi >= SCOPE_ABI else 2 if abi >= TCP_ABI else 1
    attributes = struct.pack("=3Q", handled, tcp, _SCOPES)[: 8 * fields]
    ruleset = _call("landlock", _LIBC.syscall, _LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in (*_SYSTEM, *confinement["read"]):
            _allow(ruleset, path, _READ & handled)
        for path in (*_DEVICES, *confinement["write"]):
            _allow(ruleset, path, _WRITE & handled)
        for folder in SHARED if "mount" in confinement["namespaces"] else [_SHARED_MEMORY]:
            # Where it holds what is to be read only, a fork may still make the links that lead to its own folders.
            _allow(ruleset, folder, (_MAKE_LINK if _within(folder, confinement) else _WRITE) & handled)
        _call("landlock", _LIBC.syscall, _LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    """Allow `access` to `path` and all that is in it; what is not there needs no rule."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if stat.S_ISDIR(os.fstat(descriptor).st_mode) else access & _OF_A_FILE
        rule = struct.pack("=Qi", allowed, descriptor)
        _call("landlock", _LIBC.syscall, _LANDLOCK_ADD_RULE, ruleset, 1, rule, 0)
    finally:
        os.close(descriptor)


def landlock_abi() -> int:
    """Return the version of the kernel's Landlock; 0 if there is none."""
    return max(0, int(_LIBC.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)))


def _drop_capabilities() -> None:
    """Give up what root may do beyond other users, here and in all programs that are started."""
    for number in range(_CAPABILITIES):
        _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for numbers that the kernel lacks, and without privileges
    header, nothing = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), struct.pack("=6I", *[0] * 6)
    _call("capset", _LIBC.capset, header, nothing)


def _die_with_the_parent() -> None:
    _call("prctl", _LIBC.prctl, _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _mount(source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None) -> None:
    *names, last = (os.fsencode(text) if text else None for text in (source, target, kind, options))
    _call(f"mount {target}", _LIBC.mount, *names, ctypes.c_ulong(flags), last)


def _change_mount(path: str, *, sets: int = 0, clears: int = 0, recursive: bool = False) -> None:
    attributes, flags = struct.pack("=4Q", sets, clears, 0, 0), _AT_RECURSIVE if recursive else 0
    _call(f"mount_setattr {path}", _LIBC.syscall, _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, attributes, 32)


def _call(name: str, function: Callable[..., int], *arguments: Any) -> int:
    """Call a function of the C library; raise OSError if it fails."""
    result = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


_LIBC: Any = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    main(sys.argv[1:])

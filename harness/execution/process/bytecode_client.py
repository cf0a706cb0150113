"""Starts a probe that asks for the bytecode which it does not find, instead of compiling for itself alone.

    python -c SOURCE CHANNEL PROGRAM ARGUMENT …

SOURCE is this file. CHANNEL is the number of a socket to bytecode_service.py. Only this process asks: its forks compile what
they lack in memory, as it does itself without an answer. The program is the module `__main__`, so nothing of this file is left
there. Python 3.8.
"""
# ruff: noqa: PLC0415 - what is imported at the top would be left in the program's module

from __future__ import annotations


def ask_for_bytecode(channel: int) -> None:
    """Have the import system ask on `channel` before it compiles a source."""
    import _thread
    import os
    from importlib.machinery import SourceFileLoader

    os.set_inheritable(channel, False)  # noqa: FBT003 - it takes no keyword
    asking, lock, socket = os.getpid(), _thread.allocate_lock(), os.fstat(channel)
    read = SourceFileLoader.get_data

    def get_data(self: SourceFileLoader, path: str) -> bytes:
        try:
            return read(self, path)
        except OSError:
            if not path.endswith(".pyc") or os.getpid() != asking or not is_made(getattr(self, "path", None)):
                raise
        return read(self, path)

    def is_made(source: str | None) -> bool:
        # Who asks already may be another thread, or what a signal has interrupted.
        if not source or not lock.acquire(blocking=False):
            return False
        try:
            if not os.path.samestat(os.fstat(channel), socket):
                return False  # a package has closed it, and opened something else
            os.write(channel, os.fsencode(source) + b"\n")
            return os.read(channel, 1) == b"1"
        except OSError:
            return False
        finally:
            lock.release()

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign,assignment]


def become_program() -> None:
    """Run the program as if it had been started by itself."""
    import sys
    from importlib.machinery import SourceFileLoader

    ask_for_bytecode(int(sys.argv[1]))
    del sys.argv[:2]
    if hasattr(sys, "orig_argv"):  # since Python 3.10
        sys.orig_argv[sys.orig_argv.index("-c") :] = sys.argv
    loader = SourceFileLoader("__main__", sys.argv[0])
    program = compile(loader.get_data(loader.path), loader.path, "exec", dont_inherit=True)
    main = vars(sys.modules["__main__"])
    for name in ("ask_for_bytecode", "become_program", "annotations"):
        del main[name]
    main.update(__file__=loader.path, __cached__=None, __loader__=loader, __doc__=None)
    exec(program, main)  # noqa: S102 - it is the probe


become_program()

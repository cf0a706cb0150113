"""Processes that are forked instead of started, and what keeps a fork from being told from a process of its own.

server.py           kind "forkserver": imports packages once, and forks for each job
fork_safety.py      whether this process may be forked: threads, files, variables, folders
import_recorder.py  what packages looked up while they were imported, and may remember
child.py            how a fork leaves
process_control.py  die with the parent, adopt orphans
"""

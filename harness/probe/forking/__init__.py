"""Processes that are forked instead of started, and what makes a fork like a process of its own.

server.py           kind "forkserver": imports packages once, and forks for each job
fork_safety.py      whether this process may be forked: threads, files, variables, folders
import_recorder.py  what packages looked up while they were imported, and may remember
process_control.py  die with the parent, adopt orphans, leave a fork
"""

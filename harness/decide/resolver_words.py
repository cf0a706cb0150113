"""How pip and uv write a distribution and a version in what they say, as parts of regular expressions."""

NAME = r"[A-Za-z0-9][\w.-]{0,100}"
VERSION = r"\d[\w.+!]{0,60}"

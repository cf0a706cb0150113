"""How the site is made from the Markdown of this repository: `nox -s site`."""

project = "export-matrix"
author = "The authors of export-matrix"
root_doc = "docs/index"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
html_show_copyright = False
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "benchmarks/*.md",
    "catalogue/*.md",
    "catalogue/*/*.md",
    "docs/*.md",
    "reports/*.md",
    "reports/*/*.md",
    "reports/*/*/*.md",
]
exclude_patterns = [".*", "site"]  # environments and the store are not searched
myst_heading_anchors = 4
suppress_warnings = ["toc.not_included", "misc.highlighting_failure"]

"""The site: ``sphinx-build -W -b html docs OUT``, which needs no network."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# Sphinx reads only what is in its own folder, so the notebooks are copied there
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
(HERE / "notebooks").mkdir()
for source in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
    shutil.copy2(source, HERE / "notebooks")

project = "benchmarl_hyper"
author = copyright = "The benchmarl_hyper authors"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "myst_nb",
    "commands",
    "mathml",
    "public_names",
    "settings",
]
exclude_patterns = ["_build", "_ext", "_static"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries = False
python_maximum_signature_line_length = 80

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # with tables

html_theme = "furo"
html_title = "benchmarl_hyper"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"

# Links into the sites of other packages need their inventories from the network
if os.environ.get("READTHEDOCS") == "True":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "benchmarl": ("https://benchmarl.readthedocs.io/en/latest", None),
        "tensordict": ("https://docs.pytorch.org/tensordict/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "torchrl": ("https://docs.pytorch.org/rl/stable", None),
    }

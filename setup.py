"""Packages are discovered here, since ``conf/`` lies beside the package that it belongs to."""

from setuptools import find_namespace_packages, setup

found = find_namespace_packages(include=["benchmarl_hyper*", "hydra_plugins*"])
setup(packages=[*found, "benchmarl_hyper.conf"])

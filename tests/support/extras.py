"""Tests that need optional packages are skipped by the name of the extra that installs them."""

from importlib.metadata import PackageNotFoundError, distribution, requires

import pytest
from packaging.requirements import Requirement

DEPENDENCIES = [Requirement(line) for line in requires("benchmarl-hyper") or []]


def missing(extra):
    """The packages of an extra that are not installed, those for another Python included."""
    return [name for name in packages(extra) if not _installed(name)]


def packages(extra):
    """The packages that an extra installs; ValueError for a name that is no extra's."""
    names = [d.name for d in DEPENDENCIES if f'extra == "{extra}"' in str(d.marker)]
    if not names:
        raise ValueError(f"'{extra}' is no extra of benchmarl-hyper")
    return names


def reason(extra):
    """Why a test is skipped."""
    return f"needs the extra '{extra}' ({', '.join(missing(extra) or packages(extra))})"


def needs(extra):
    """A mark that skips the tests where a package of the extra is missing."""
    return pytest.mark.skipif(bool(missing(extra)), reason=reason(extra))


def skip_without(extra):
    """Skip the test that calls this if a package of the extra is missing."""
    if missing(extra):
        pytest.skip(reason(extra))


def imported(module, extra):
    """The module, or else the whole test file is skipped."""
    return pytest.importorskip(module, reason=reason(extra))


def _installed(name):
    try:
        return distribution(name) is not None
    except PackageNotFoundError:
        return False

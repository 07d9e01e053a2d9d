"""Runs ``python ...`` in forks of one process that has imported torch and BenchMARL already.

A fork is a process of its own, with its own exit code, and starts without the seconds of these
imports. Nothing of ours is imported beforehand, so that what a command loads is still tested.
"""

import atexit
import importlib
import multiprocessing
import os
import runpy
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import torch

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["pytest", "benchmarl.hydra_config", "matplotlib.backends.backend_pdf", "scipy.stats", "vmas"]
)


def forked(*arguments, cwd):
    """Run ``python *arguments`` in a folder; returns exit code and output, both streams together.

    Args:
        arguments: ``-m`` and a module, or a file, and what it takes.
        cwd: the folder.
    """
    return _ended(lambda output: _joined(started(*arguments, cwd=cwd, output=output)))


def output_of(*arguments, cwd):
    """Run ``python *arguments``, which must not fail; returns its output."""
    code, output = forked(*arguments, cwd=cwd)
    assert code == 0, output
    return output


def started(*arguments, cwd, output, context=SERVER):
    """Start ``python *arguments`` in a process group of its own; its output goes to a file."""
    words = [str(argument) for argument in arguments]
    process = context.Process(target=_run, args=(words, str(cwd), output, dict(os.environ)))
    process.start()
    return process


@contextmanager
def having_imported(*modules):
    """A function like ``forked``, for many commands that need modules of ours."""
    here, there = SERVER.Pipe()
    process = SERVER.Process(target=_serve, args=(there, modules))
    process.start()

    def run(*arguments, cwd):
        def wait(output):
            here.send((arguments, cwd, output))
            return here.recv()

        return _ended(wait)

    yield run
    here.send(None)
    process.join()


def _serve(connection, modules):
    for module in modules:
        importlib.import_module(module)
    while request := connection.recv():
        arguments, cwd, output = request
        fork = multiprocessing.get_context("fork")
        connection.send(_joined(started(*arguments, cwd=cwd, output=output, context=fork)))


def _joined(process):
    process.join()
    code = process.exitcode
    process.close()
    return code


def _ended(run):
    """Exit code and output of a command that is given a file for its output."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        code = run(output)
        return code, output.read_text(encoding="utf-8", errors="replace")


def _run(words, cwd, output, environment):
    os.setsid()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.environ.update(environment, OMP_NUM_THREADS="1", HYDRA_FULL_ERROR="0")
    torch.set_num_threads(1)
    os.chdir(cwd)
    as_module = words[0] == "-m"
    sys.argv[:] = words[1:] if as_module else words
    sys.path.insert(0, cwd if as_module else str(Path(words[0]).parent))
    try:
        if as_module:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    finally:
        # As at the end of any process; multiprocessing leaves out the second
        threading._shutdown()
        atexit._run_exitfuncs()

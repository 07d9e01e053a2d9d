"""All patches together: made once, by the registry."""

from benchmarl.experiment import Experiment
from benchmarl.experiment.logger import Logger
from torchrl.envs import EnvBase
from torchrl.objectives import LossModule

from benchmarl_hyper import patches
from benchmarl_hyper.patches.rollouts import COLLECTOR
from benchmarl_hyper.patches.wrapping import MARK, wrap_once


def patched():
    return [
        LossModule.convert_to_functional,
        Experiment._optimizer_loop,
        COLLECTOR.rollout,
        EnvBase.rollout,
        Logger.__init__,
        Logger.log_hparams,
    ]


def test_importing_the_package_has_installed_all():
    assert all(hasattr(method, MARK) for method in patched())


def test_installing_twice_wraps_once():
    before = patched()
    patches.install()
    assert patched() == before


def test_a_method_is_wrapped_where_it_is_defined():
    class Parent:
        def greet(self):
            """Say so."""
            return "hello"

    class Child(Parent):
        pass

    for _ in range(2):
        wrap_once(Child, "greet", lambda greet: lambda self: greet(self) + "!")
    assert "greet" not in vars(Child)
    assert Parent().greet() == Child().greet() == "hello!"
    assert Child.greet.__doc__ == "Say so."

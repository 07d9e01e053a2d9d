"""Names of ours in ``config.pkl``: moving one of them breaks resuming and exporting older runs."""

import io
import pickle
from pathlib import Path

from benchmarl_hyper.diagnostics.callbacks import callbacks_named
from benchmarl_hyper.registry import ALGORITHMS, CONFIGS, METHODS
from benchmarl_hyper.running.absolute_metric import AbsoluteMetricCallback
from benchmarl_hyper.running.checkpoint_state import StateCallback
from benchmarl_hyper.running.one_run import ProgressCallback
from benchmarl_hyper.running.recording import ResultsCallback
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.tasks.families import TASKS

PINNED = {
    "algorithms.a2c.Ia2cConfig",
    "algorithms.a2c.Maa2cConfig",
    "algorithms.happo.algorithm.HappoConfig",
    "algorithms.matd3.algorithm.Itd3Config",
    "algorithms.matd3.algorithm.Matd3Config",
    "algorithms.paper_ppo.IppoPaperConfig",
    "algorithms.paper_ppo.MappoPaperConfig",
    "diagnostics.callbacks.EmbeddingCallback",
    "diagnostics.callbacks.GradientCallback",
    "diagnostics.callbacks.SndCallback",
    "diagnostics.step_sizes.StepSizesCallback",
    "models.cash.CashConfig",
    "models.dico.callback.DicoCallback",
    "models.dico.model.DicoConfig",
    "models.fups.FupsConfig",
    "models.fups.FupsGruConfig",
    "models.fups.FupsIdConfig",
    "models.fups.FupsIdGruConfig",
    "models.hypermarl.ablations.HypermarlNoGdConfig",
    "models.hypermarl.ablations.HypermarlNoRfConfig",
    "models.hypermarl.models.HypermarlConfig",
    "models.hypermarl.models.HypermarlGruConfig",
    "models.hypermarl.models.HypermarlLinearConfig",
    "models.hypermarl.models.HypermarlLowrankConfig",
    "models.hypermarl.models.HypermarlMlpConfig",
    "models.kaleidoscope.callback.KaleidoscopeCallback",
    "models.kaleidoscope.callback._two_windows",
    "models.kaleidoscope.model.KaleidoscopeConfig",
    "models.lorasa.callback.LorasaCallback",
    "models.lorasa.model.LorasaConfig",
    "models.nops.NopsConfig",
    "models.nops.NopsGruConfig",
    "models.seps.callback.SepsCallback",
    "models.seps.model.SepsConfig",
    "models.shared_trunk.SharedTrunkConfig",
    "running.absolute_metric.AbsoluteMetricCallback",
    "running.checkpoint_state.StateCallback",
    "running.one_run.ProgressCallback",
    "running.recording.ResultsCallback",
    "running.run_folder.RunFolder",
    "tasks.bps.BpsClass",
    "tasks.games.GamesClass",
    "tasks.hypervmas.HyperVmasClass",
    "tasks.mamujoco.MamujocoClass",
    "tasks.smax.SmaxClass",
}


def everything():
    """Configurations and callbacks as a run has them."""
    for config in (*CONFIGS, *ALGORITHMS.values(), *METHODS.values()):
        yield config.get_from_yaml()
    yield from (task.get_task() for task in TASKS)
    yield from callbacks_named("all")
    yield StateCallback()
    yield ProgressCallback(RunFolder(Path("runs")))
    yield ResultsCallback("ippo_nops")
    yield AbsoluteMetricCallback()


class Names(pickle.Unpickler):
    """Collects the classes and functions of ours that a pickle refers to."""

    def __init__(self, pickled):
        super().__init__(io.BytesIO(pickled))
        self.found = set()

    def find_class(self, module, name):
        if module.startswith("benchmarl_hyper."):
            self.found.add(f"{module.removeprefix('benchmarl_hyper.')}.{name}")
        return super().find_class(module, name)


def test_names_stay():
    found = set()
    for one in everything():
        names = Names(pickle.dumps(one))
        assert type(names.load()) is type(one)
        found |= names.found
    assert found == PINNED

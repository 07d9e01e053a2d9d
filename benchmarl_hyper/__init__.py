"""How much should agents share? HyperMARL and its baselines as BenchMARL models.

Importing the package registers the models with BenchMARL.
"""

from benchmarl_hyper.ablations import (
    HypermarlNoGd,
    HypermarlNoGdConfig,
    HypermarlNoRf,
    HypermarlNoRfConfig,
)
from benchmarl_hyper.benchmark import VariantBenchmark
from benchmarl_hyper.callbacks import EmbeddingCallback, GradientCallback, SndCallback
from benchmarl_hyper.dico import Dico, DicoConfig
from benchmarl_hyper.dico_callback import DicoCallback
from benchmarl_hyper.happo import Happo, HappoConfig
from benchmarl_hyper.kaleidoscope import Kaleidoscope, KaleidoscopeConfig
from benchmarl_hyper.kaleidoscope_callback import KaleidoscopeCallback
from benchmarl_hyper.models import GeneratedMlp, GeneratedMlpConfig
from benchmarl_hyper.ppo import IppoPaper, IppoPaperConfig, MappoPaper, MappoPaperConfig
from benchmarl_hyper.recurrent import (
    FupsGru,
    FupsGruConfig,
    FupsIdGru,
    FupsIdGruConfig,
    HypermarlGru,
    HypermarlGruConfig,
    NopsGru,
    NopsGruConfig,
)
from benchmarl_hyper.registry import register
from benchmarl_hyper.seps import Seps, SepsConfig
from benchmarl_hyper.seps_callback import SepsCallback
from benchmarl_hyper.variants import (
    Fups,
    FupsConfig,
    FupsId,
    FupsIdConfig,
    HypermarlLinear,
    HypermarlLinearConfig,
    HypermarlLowrank,
    HypermarlLowrankConfig,
    HypermarlMlp,
    HypermarlMlpConfig,
    Nops,
    NopsConfig,
)

__all__ = [
    "Dico",
    "DicoCallback",
    "DicoConfig",
    "EmbeddingCallback",
    "Fups",
    "FupsConfig",
    "FupsGru",
    "FupsGruConfig",
    "FupsId",
    "FupsIdConfig",
    "FupsIdGru",
    "FupsIdGruConfig",
    "GeneratedMlp",
    "GeneratedMlpConfig",
    "GradientCallback",
    "Happo",
    "HappoConfig",
    "HypermarlGru",
    "HypermarlGruConfig",
    "HypermarlLinear",
    "HypermarlLinearConfig",
    "HypermarlLowrank",
    "HypermarlLowrankConfig",
    "HypermarlMlp",
    "HypermarlMlpConfig",
    "HypermarlNoGd",
    "HypermarlNoGdConfig",
    "HypermarlNoRf",
    "HypermarlNoRfConfig",
    "IppoPaper",
    "IppoPaperConfig",
    "Kaleidoscope",
    "KaleidoscopeCallback",
    "KaleidoscopeConfig",
    "MappoPaper",
    "MappoPaperConfig",
    "Nops",
    "NopsConfig",
    "NopsGru",
    "NopsGruConfig",
    "Seps",
    "SepsCallback",
    "SepsConfig",
    "SndCallback",
    "VariantBenchmark",
]

register()

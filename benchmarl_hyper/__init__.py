"""How much should agents share? HyperMARL and its baselines as BenchMARL models.

Importing the package registers the models with BenchMARL.
"""

from benchmarl_hyper.terminal import stays_light

if not stays_light():
    from benchmarl_hyper.algorithms.a2c import Ia2c, Ia2cConfig, Maa2c, Maa2cConfig
    from benchmarl_hyper.algorithms.happo.algorithm import Happo, HappoConfig
    from benchmarl_hyper.algorithms.matd3.algorithm import Itd3, Itd3Config, Matd3, Matd3Config
    from benchmarl_hyper.algorithms.paper_ppo import (
        IppoPaper,
        IppoPaperConfig,
        MappoPaper,
        MappoPaperConfig,
    )
    from benchmarl_hyper.benchmark import VariantBenchmark
    from benchmarl_hyper.diagnostics.callbacks import (
        EmbeddingCallback,
        GradientCallback,
        SndCallback,
    )
    from benchmarl_hyper.diagnostics.step_sizes import StepSizesCallback
    from benchmarl_hyper.models.cash import Cash, CashConfig
    from benchmarl_hyper.models.common.generated_mlp import GeneratedMlp, GeneratedMlpConfig
    from benchmarl_hyper.models.dico.callback import DicoCallback
    from benchmarl_hyper.models.dico.model import Dico, DicoConfig
    from benchmarl_hyper.models.fups import (
        Fups,
        FupsConfig,
        FupsGru,
        FupsGruConfig,
        FupsId,
        FupsIdConfig,
        FupsIdGru,
        FupsIdGruConfig,
    )
    from benchmarl_hyper.models.hypermarl.ablations import (
        HypermarlNoGd,
        HypermarlNoGdConfig,
        HypermarlNoRf,
        HypermarlNoRfConfig,
    )
    from benchmarl_hyper.models.hypermarl.models import (
        Hypermarl,
        HypermarlConfig,
        HypermarlGru,
        HypermarlGruConfig,
        HypermarlLinear,
        HypermarlLinearConfig,
        HypermarlLowrank,
        HypermarlLowrankConfig,
        HypermarlMlp,
        HypermarlMlpConfig,
    )
    from benchmarl_hyper.models.kaleidoscope.callback import KaleidoscopeCallback
    from benchmarl_hyper.models.kaleidoscope.model import Kaleidoscope, KaleidoscopeConfig
    from benchmarl_hyper.models.lorasa.callback import LorasaCallback
    from benchmarl_hyper.models.lorasa.model import Lorasa, LorasaConfig
    from benchmarl_hyper.models.nops import Nops, NopsConfig, NopsGru, NopsGruConfig
    from benchmarl_hyper.models.seps.callback import SepsCallback
    from benchmarl_hyper.models.seps.model import Seps, SepsConfig
    from benchmarl_hyper.models.shared_trunk import SharedTrunk, SharedTrunkConfig
    from benchmarl_hyper.registry import register
    from benchmarl_hyper.running.rollout_cache import fixed_parameters

    register()

__all__ = [
    "Cash",
    "CashConfig",
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
    "Hypermarl",
    "HypermarlConfig",
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
    "Ia2c",
    "Ia2cConfig",
    "IppoPaper",
    "IppoPaperConfig",
    "Itd3",
    "Itd3Config",
    "Kaleidoscope",
    "KaleidoscopeCallback",
    "KaleidoscopeConfig",
    "Lorasa",
    "LorasaCallback",
    "LorasaConfig",
    "Maa2c",
    "Maa2cConfig",
    "MappoPaper",
    "MappoPaperConfig",
    "Matd3",
    "Matd3Config",
    "Nops",
    "NopsConfig",
    "NopsGru",
    "NopsGruConfig",
    "Seps",
    "SepsCallback",
    "SepsConfig",
    "SharedTrunk",
    "SharedTrunkConfig",
    "SndCallback",
    "StepSizesCallback",
    "VariantBenchmark",
    "fixed_parameters",
]

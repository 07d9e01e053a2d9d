"""What a hypernetwork reads of an agent: a learned embedding, its capabilities, or both."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarl_hyper.models.common.capability import CapabilityConfig

EMBEDDING, CAPABILITY, BOTH = "embedding", "capability", "both"


@dataclass(kw_only=True)
class CodesConfig(CapabilityConfig):
    """The fields of a configuration that say what a hypernetwork reads.

    Raises:
        ValueError: if ``codes`` is unknown, if indices are given without capabilities, or if steps
            are to be normed with capabilities.
    """

    codes: str = EMBEDDING

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (EMBEDDING, CAPABILITY, BOTH)
        if self.codes not in known:
            raise ValueError(f"codes must be one of {', '.join(known)}, got {self.codes!r}")
        if self.codes == EMBEDDING:
            if self.capability_indices is not None:
                raise ValueError(
                    f"capability_indices={list(self.capability_indices)} has no effect with "
                    "codes=embedding; set it to null, or codes to capability or both"
                )
        elif getattr(self, "step_norm", None) is not None:
            raise ValueError(
                "step_norm=unit centres the codes of one team, but with "
                f"codes={self.codes} every sample has codes of its own; set step_norm, common_step "
                "and own_step to null, or use hypermarl_mlp, which has no step_norm"
            )

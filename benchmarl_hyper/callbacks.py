"""BenchMARL callbacks: they gather, call a pure function, and log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from benchmarl.experiment import Callback
from benchmarl.experiment.logger import JsonWriter
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torch.nn.functional import one_hot
from torchrl.envs.utils import ExplorationType, set_exploration_type

from benchmarl_hyper.diversity import js_distances, snd, tv_distances, w2_distances


class VariantLabelCallback(Callback):
    """Record results under ``<algorithm>_<variant>``.

    BenchMARL keys its results by algorithm alone, so that two variants with one seed would
    overwrite each other when their files are merged.

    Args:
        variant: the label.
    """

    def __init__(self, variant: str):
        super().__init__()
        self.variant = variant

    def on_setup(self) -> None:
        """Replace the experiment's JSON writer by one with the label."""
        run = self.experiment
        if run.config.create_json:
            run.logger.json_writer = JsonWriter(
                folder=run.folder_name,
                name=f"{run.name}.json",
                algorithm_name=f"{run.algorithm_name}_{self.variant}",
                task_name=run.task_name,
                environment_name=run.environment_name,
                seed=run.seed,
            )

    def __getstate__(self) -> dict[str, Any]:
        return _without_experiment(self)


class SndCallback(Callback):
    """Log System Neural Diversity (SND) of every group at every evaluation.

    Each agent's policy is asked about what all agents of its group saw in the evaluation, by
    rolling the observations along the agents: ``n`` forward passes, of any decentralised policy.
    What is logged under ``eval/<group>`` depends on the policy, and no name stands for two things:

    - ``snd``: 2-Wasserstein, Gaussian policies; ``snd_loc``: the same of the means alone, also for
      deterministic policies. Both before squashing.
    - ``snd_js`` (Jensen-Shannon distance, base 2) and ``snd_tvd`` (total variation): categorical
      policies, masked ones too, and the greedy policies of Q-values.

    The matrices of distances go to ``diagnostics.jsonl`` in the run's folder, a line each.

    Args:
        max_steps: how many of the evaluation's steps are used, evenly spaced. Recurrent policies
            are asked about whole episodes.
    """

    def __init__(self, max_steps: int = 200):
        super().__init__()
        self.max_steps = max_steps

    @torch.no_grad()
    def on_evaluation_end(self, rollouts: list[TensorDictBase]) -> None:
        """Measure on the rollouts of the evaluation."""
        run = self.experiment
        episodes = [rollout.unsqueeze(0) for rollout in rollouts]  # what recurrent models expect
        steps = episodes if run.algorithm.has_rnn else [self._thinned(torch.cat(rollouts))]
        for group in run.group_map:
            policy = run.algorithm.get_policy_for_loss(group)
            for name, distances in group_distances(policy, steps, group, run.config.train_device):
                run.logger.log(
                    {f"eval/{group}/{name}": snd(distances).item()}, step=run.n_iters_performed
                )
                self._record(group, name, distances)

    def _thinned(self, steps: TensorDictBase) -> TensorDictBase:
        chosen = torch.linspace(0, len(steps) - 1, min(self.max_steps, len(steps)))
        return steps[chosen.round().long().to(steps.device)]

    def _record(self, group: str, name: str, distances: Tensor) -> None:
        run = self.experiment
        entry = {"frames": run.total_frames, "group": group, "name": name}
        with open(run.folder_name / "diagnostics.jsonl", "a") as file:
            file.write(json.dumps({**entry, "matrix": distances.tolist()}) + "\n")

    def __getstate__(self) -> dict[str, Any]:
        return _without_experiment(self)


def _without_experiment(callback: Callback) -> dict[str, Any]:
    return {**callback.__dict__, "experiment": None}  # BenchMARL pickles us, and sets it anew


def group_distances(
    policy: Any, rollouts: Sequence[TensorDictBase], group: str, device: Any
) -> Iterator[tuple[str, Tensor]]:
    """Names and matrices ``[n, n]`` of the distances that fit the policy.

    Args:
        policy: of a group; its output for an agent may depend on that agent's entries alone.
        rollouts: batches of steps with what the policy reads.
        group: whose agents.
        device: where the policy is.
    """
    keys = [key for key in policy.in_keys if not str(key[-1]).startswith("_")]
    outputs = [_everyone_on_everything(policy, r.select(*keys).to(device), group) for r in rollouts]
    out: Any = torch.cat(outputs, dim=1)  # [n, o]
    if "loc" in out:
        yield "snd", w2_distances(out["loc"], out["scale"])
        yield "snd_loc", w2_distances(out["loc"])
    elif "param" in out:
        yield "snd_loc", w2_distances(out["param"])
    else:
        probabilities = _probabilities(out)
        yield "snd_js", js_distances(probabilities)
        yield "snd_tvd", tv_distances(probabilities)


OUTPUTS = ("loc", "scale", "param", "logits", "action_value", "action_mask")


def _everyone_on_everything(policy: Any, steps: TensorDictBase, group: str) -> TensorDict:
    """What each agent's policy puts out for what each agent saw, ``[n, n * steps]``."""
    agent_dim, n = steps.batch_dims, steps[group].batch_size[-1]
    shifted = []
    for shift in range(n):
        rolled = steps.clone(recurse=False)
        rolled[group] = steps[group].apply(lambda x, shift=shift: x.roll(shift, dims=agent_dim))
        with set_exploration_type(ExplorationType.DETERMINISTIC):
            out = policy(rolled)[group]
        shifted.append(out.select(*OUTPUTS, strict=False).flatten(0, agent_dim - 1))
    agent = torch.arange(n)
    origin = (agent.unsqueeze(1) - agent) % n  # the shift that brings agent k's step to agent j
    stacked: Any = torch.stack(shifted)  # [shift, step, agent]
    asked = {key: x[origin, :, agent.unsqueeze(1)].flatten(1, 2) for key, x in stacked.items()}
    return TensorDict(asked, [n, n * steps.numel()])


def _probabilities(out: TensorDict) -> Tensor:
    greedy = "action_value" in out
    scores = out["action_value"] if greedy else out["logits"]
    if "action_mask" in out:
        scores = scores.masked_fill(~out["action_mask"], -torch.inf)
    if greedy:
        return one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)
    return scores.softmax(-1)


CALLBACKS: dict[str, type[Callback]] = {"snd": SndCallback}


def callbacks_named(names: Sequence[str] | str) -> list[Callback]:
    """New callbacks with their defaults.

    Args:
        names: keys of ``CALLBACKS``, or ``"all"``.

    Raises:
        ValueError: for an unknown name, with the known ones.
    """
    chosen = list(CALLBACKS) if names == "all" else names
    if unknown := set(chosen) - CALLBACKS.keys():
        raise ValueError(
            f"unknown callback {', '.join(sorted(unknown))}; the known ones are "
            f"{', '.join(CALLBACKS)}, or all of them: callbacks=all"
        )
    return [CALLBACKS[name]() for name in chosen]

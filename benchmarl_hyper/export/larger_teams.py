"""Larger teams from trained ones: what agents share stays, and embeddings get new rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from benchmarl.experiment import Experiment
from torch import Tensor, nn

from benchmarl_hyper.running.checkpoints import reopened
from benchmarl_hyper.running.experiment_parts import policy_model, policy_name, refresh_collector

INITS = ("mean", "nearest", "random")
TABLE = "embedding.table"  # how names of embeddings end


def add_agents(
    experiment: Experiment, checkpoint: str | Path, init: str = "mean", seed: int = 0
) -> list[str]:
    """Let a new experiment with more agents start from a checkpoint with fewer, in place.

    The agents of the checkpoint come first and keep their embeddings; the others' are made by
    :func:`grown_rows`. Critics are carried over in the same way where they read nothing whose size
    depends on the number of agents. Nothing is promised about what new agents do.

    Args:
        experiment: new, with the algorithm and models of the checkpoint, on a task with at least as
            many agents in every group. Its observations and actions must not change with them.
        checkpoint: a file that BenchMARL wrote; its run is not changed.
        init: ``mean``, ``nearest`` or ``random``.
        seed: of random rows.

    Returns:
        The networks that were not carried over, for example ``agents.critic_network``.

    Raises:
        FileNotFoundError: if there is no such checkpoint, or no settings of its run.
        ValueError: for an unknown ``init``, other groups, fewer agents, other sizes of observations
            or actions, and a policy with weights or one-hot ids of each agent's own.
    """
    _check_init(init)
    with reopened(Path(checkpoint)) as old:
        if experiment.group_map.keys() != old.group_map.keys():
            raise ValueError(
                f"the experiment has groups {sorted(experiment.group_map)}, but the checkpoint "
                f"{sorted(old.group_map)}; take a task with the same groups"
            )
        grown = {group: _Grown(experiment, old, group, init, seed) for group in old.group_map}
    for group, parts in grown.items():
        experiment.losses[group].load_state_dict(parts.state)
    refresh_collector(experiment)
    return [f"{group}.{name}" for group, parts in grown.items() for name in parts.fresh]


def grown_rows(rows: Tensor, k: int, init: str, generator: torch.Generator) -> Tensor:
    """Embeddings with ``k`` more rows.

    Args:
        rows: trained, ``[n, d]``.
        k: how many to append.
        init: ``mean``: their mean, for every new agent. ``nearest``: copies of the rows nearest to
            the mean, the nearest first; again from the first for ``k > n``. ``random``: orthogonal
            like a new table's, each with the mean norm of the trained rows.
        generator: of random rows.

    Returns:
        ``[n + k, d]``, the first ``n`` unchanged.

    Raises:
        ValueError: for an unknown ``init``.
    """
    _check_init(init)
    mean = rows.mean(0, keepdim=True)
    if init == "mean":
        new = mean.expand(k, -1)
    elif init == "nearest":
        order = (rows - mean).norm(dim=1).argsort(stable=True)
        new = rows[order[torch.arange(k) % len(rows)]]
    else:
        new = nn.init.orthogonal_(rows.new_empty(k, rows.shape[1]), generator=generator)
        new = nn.functional.normalize(new, dim=1) * rows.norm(dim=1).mean()
    return torch.cat([rows, new])


def _check_init(init: str) -> None:
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")


class _Grown:
    """The state of one group's loss, with the checkpoint's networks in the new sizes."""

    def __init__(self, new: Experiment, old: Experiment, group: str, init: str, seed: int):
        self.group, self.init, self.seed = group, init, seed
        self._check(new, old)
        self.state = dict(new.losses[group].state_dict())
        trained = old.losses[group].state_dict()
        self.fresh = []
        for name in sorted({key.partition(".")[0] for key in self.state}):
            part = {key: x for key, x in self.state.items() if key.partition(".")[0] == name}
            if not name.endswith("_params") and name != "log_alpha":
                continue
            carried, misfits = self._carried(part, trained)
            if not misfits:
                self.state.update(carried)
            elif name == policy_name(new.losses[group]):
                self._refuse(new, misfits)
            else:
                self.fresh.append(name.removesuffix("_params"))

    def _check(self, new: Experiment, old: Experiment) -> None:
        n, m = len(old.group_map[self.group]), len(new.group_map[self.group])
        if m < n:
            raise ValueError(
                f"group '{self.group}' has {m} agents, fewer than the {n} of the checkpoint; "
                "agents can only be added"
            )
        has, had = _sizes(new, self.group), _sizes(old, self.group)
        if has != had:
            raise ValueError(
                f"the sizes that the policy of group '{self.group}' reads and puts out are {had} "
                f"with {n} agents, but {has} with {m}; agents can only be added where neither "
                "depends on their number"
            )

    def _refuse(self, new: Experiment, misfits: list[str]) -> None:
        policy = policy_model(new.algorithm.get_policy_for_loss(self.group))
        raise ValueError(
            f"policy of group '{self.group}' is a {type(policy).__name__} and cannot take new "
            f"agents: {misfits[0]}. Where agents have weights or one-hot ids of their own, a new "
            "one would have none; learned embeddings can grow (hypermarl_mlp, hypermarl_lowrank "
            "and hypermarl_gru with an embedding_dim), and so can models whose agents are all alike"
        )

    def _carried(self, part: Mapping[str, Any], trained: Mapping[str, Any]) -> tuple[dict, list]:
        """Values in the new sizes, and why others have none."""
        carried, misfits = {}, []
        for key, x in part.items():
            if not isinstance(x, Tensor):
                continue
            was, shape = trained.get(key), tuple(x.shape)
            if was is not None and was.shape == x.shape:
                carried[key] = was
            elif was is not None and key.endswith(TABLE) and _is_longer(x, was):
                carried[key] = self._grown(was.cpu(), shape[-2] - was.shape[-2])
            else:
                had = "absent" if was is None else tuple(was.shape)
                misfits.append(f"{key.partition('.')[2]} is {had} in the checkpoint, now {shape}")
        return carried, misfits

    def _grown(self, table: Tensor, k: int) -> Tensor:
        if table.ndim > 2:  # of an ensemble
            return torch.stack([self._grown(member, k) for member in table])
        generator = torch.Generator().manual_seed(self.seed)  # a target grows like its network
        return grown_rows(table, k, self.init, generator)


def _is_longer(table: Tensor, was: Tensor) -> bool:
    shape, other = table.shape, was.shape
    return len(shape) == len(other) and shape[-1] == other[-1] and shape[-2] > other[-2]


def _sizes(experiment: Experiment, group: str) -> dict[str, tuple[int, ...]]:
    """Shapes of one agent's observations and outputs, by name."""
    model = policy_model(experiment.algorithm.get_policy_for_loss(group))
    specs = [*model.input_spec.items(True, True), *model.output_spec.items(True, True)]
    return {key[-1] if isinstance(key, tuple) else key: tuple(s.shape[1:]) for key, s in specs}

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
TABLE = "embedding.table"  # the end of the names of embeddings
TEAM = "generator.team"  # the end of the names of marks of those whose mean is the codes' centre


def add_agents(
    experiment: Experiment,
    checkpoint: str | Path,
    init: str = "mean",
    seed: int = 0,
    trust: bool = False,
) -> list[str]:
    """Let a new experiment with more agents start from a checkpoint with fewer, in place.

    The checkpoint's agents come first and keep their embeddings. :func:`grown_rows` makes the
    embeddings of the new agents. Critics are carried over in the same way if they read nothing
    whose size depends on the number of agents. Nothing is promised about what new agents do.

    Args:
        experiment: a new experiment with the algorithm and models of the checkpoint, on a task with
            at least as many agents in every group. The sizes of its observations and actions must
            not depend on the number of agents.
        checkpoint: a checkpoint that BenchMARL wrote; its run is not changed.
        init: how to make new embeddings: ``mean``, ``nearest`` or ``random``.
        seed: seed of random embeddings.
        trust: whether to read files of the run that can run any code. Runs of our runner need no
            trust; see :func:`~benchmarl_hyper.running.saved_settings.settings_of`.

    Returns:
        Names of the networks that were not carried over, for example ``agents.critic_network``.

    Raises:
        FileNotFoundError: if the checkpoint, or the file with the settings of its run, is missing.
        ValueError: if ``init`` is unknown, if reading the run needs trust, if groups or the sizes
            of observations or actions differ, if there are fewer agents, or if each agent of the
            policy has its own weights or a one-hot id.
    """
    _check_init(init)
    with reopened(Path(checkpoint), trust) as old:
        if experiment.group_map.keys() != old.group_map.keys():
            raise ValueError(
                f"the experiment has groups {sorted(experiment.group_map)}, but the checkpoint has "
                f"{sorted(old.group_map)}; choose a task with the same groups"
            )
        grown = {group: _Grown(experiment, old, group, init, seed) for group in old.group_map}
    for group, parts in grown.items():
        experiment.losses[group].load_state_dict(parts.state)
    refresh_collector(experiment)
    return [f"{group}.{name}" for group, parts in grown.items() for name in parts.fresh]


def grown_rows(rows: Tensor, k: int, init: str, generator: torch.Generator) -> Tensor:
    """Return embeddings with ``k`` more rows.

    Args:
        rows: trained embeddings, ``[n, d]``.
        k: number of rows to append.
        init: how to make new rows. ``mean``: every new row is the mean of the trained rows.
            ``nearest``: copies of the trained rows nearest to that mean, the nearest first; if
            ``k > n``, copying starts again from the first. ``random``: orthogonal rows, as in a new
            table, each with the mean norm of the trained rows.
        generator: generator of random rows.

    Returns:
        Embeddings ``[n + k, d]``, the first ``n`` unchanged.

    Raises:
        ValueError: if ``init`` is unknown.
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
    """The state of one group's new loss, with the checkpoint's networks carried over."""

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
                f"inputs and outputs of the policy of group '{self.group}' have shapes {had} with "
                f"{n} agents, but {has} with {m}; agents can only be added where no shape depends "
                "on their number"
            )

    def _refuse(self, new: Experiment, misfits: list[str]) -> None:
        policy = policy_model(new.algorithm.get_policy_for_loss(self.group))
        raise ValueError(
            f"policy of group '{self.group}' is a {type(policy).__name__} and cannot take new "
            f"agents: {misfits[0]}. If each agent has its own weights or one-hot id, nothing was "
            "trained for a new one. Use a model with learned embeddings (hypermarl_mlp, "
            "hypermarl_lowrank or hypermarl_gru with an embedding_dim), or a model whose agents "
            "are all alike"
        )

    def _carried(self, part: Mapping[str, Any], trained: Mapping[str, Any]) -> tuple[dict, list]:
        """Return values in the new sizes, and for each value that does not fit, the reason."""
        carried, misfits = {}, []
        for key, x in part.items():
            if not isinstance(x, Tensor):
                continue
            was, shape = trained.get(key), tuple(x.shape)
            if was is not None and was.shape == x.shape:
                carried[key] = was
            elif was is not None and key.endswith(TABLE) and _is_longer(x, was):
                carried[key] = self._grown(was.cpu(), shape[-2] - was.shape[-2])
            elif was is not None and key.endswith(TEAM):
                carried[key] = torch.zeros_like(x)
                carried[key][..., : was.shape[-2], :] = was
            else:
                had = "absent" if was is None else tuple(was.shape)
                misfits.append(f"{key.partition('.')[2]} is {had} in the checkpoint, now {shape}")
        return carried, misfits

    def _grown(self, table: Tensor, k: int) -> Tensor:
        if table.ndim > 2:  # one table per member of an ensemble
            return torch.stack([self._grown(member, k) for member in table])
        # A new generator, so that a target grows like its network.
        generator = torch.Generator().manual_seed(self.seed)
        return grown_rows(table, k, self.init, generator)


def _is_longer(table: Tensor, was: Tensor) -> bool:
    shape, other = table.shape, was.shape
    return len(shape) == len(other) and shape[-1] == other[-1] and shape[-2] > other[-2]


def _sizes(experiment: Experiment, group: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of one agent's observations and outputs, by name."""
    model = policy_model(experiment.algorithm.get_policy_for_loss(group))
    specs = [*model.input_spec.items(True, True), *model.output_spec.items(True, True)]
    return {key[-1] if isinstance(key, tuple) else key: tuple(s.shape[1:]) for key, s in specs}

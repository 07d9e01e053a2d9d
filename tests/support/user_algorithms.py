"""Algorithms as a user might write them: torchrl's losses, and losses with ways of their own."""

from benchmarl.algorithms import Iddpg, IddpgConfig, Ippo, IppoConfig
from torchrl.objectives import A2CLoss, ClipPPOLoss, ReinforceLoss, TD3Loss, ValueEstimators


class Own(Ippo):
    """IPPO with another loss of an actor and a critic."""

    def make_loss(self, actor, critic):
        raise NotImplementedError

    def _get_loss(self, group, policy_for_loss, continuous):
        loss = self.make_loss(policy_for_loss, self.get_critic(group))
        entries = ("reward", "action", "done", "terminated", "advantage", "value_target")
        loss.set_keys(
            **{entry: (group, entry) for entry in entries},
            value=(group, "state_value"),
            sample_log_prob=(group, "log_prob"),
        )
        loss.make_value_estimator(ValueEstimators.GAE, gamma=0.9, lmbda=0.9)
        return loss, False


class A2c(Own):
    def make_loss(self, actor, critic):
        return A2CLoss(actor_network=actor, critic_network=critic)


class Reinforce(Own):
    def make_loss(self, actor, critic):
        return ReinforceLoss(actor_network=actor, critic_network=critic)

    def _get_parameters(self, group, loss):
        objective, critic = super()._get_parameters(group, loss).values()
        return {"loss_actor": objective, "loss_value": critic}

    def process_loss_vals(self, group, loss_vals):
        return loss_vals


class NoReductionLoss(ClipPPOLoss):
    """A loss that always gives a mean, and so has no such attribute."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        del self.reduction

    def forward(self, tensordict):
        self.reduction = "mean"
        try:
            return super().forward(tensordict)
        finally:
            del self.reduction


class MeanLoss(ClipPPOLoss):
    """A loss that takes no notice of its attribute."""

    def forward(self, tensordict):
        before, self.reduction = self.reduction, "mean"
        try:
            return super().forward(tensordict)
        finally:
            self.reduction = before


class TeamLoss(ClipPPOLoss):
    """A loss for each sample, and not for each agent."""

    def forward(self, tensordict):
        losses = super().forward(tensordict)
        if self.reduction == "none":
            losses["loss_objective"] = losses["loss_objective"].mean(-1)
        return losses


class RenamedLoss(ClipPPOLoss):
    """A loss with a name of its own."""

    def forward(self, tensordict):
        losses = super().forward(tensordict)
        losses["loss_of_mine"] = losses.pop("loss_objective")
        return losses


class NoReduction(Own):
    def make_loss(self, actor, critic):
        return NoReductionLoss(actor_network=actor, critic_network=critic)


class Mean(Own):
    def make_loss(self, actor, critic):
        return MeanLoss(actor_network=actor, critic_network=critic)


class Team(Own):
    def make_loss(self, actor, critic):
        return TeamLoss(actor_network=actor, critic_network=critic)


class Renamed(Own):
    def make_loss(self, actor, critic):
        return RenamedLoss(actor_network=actor, critic_network=critic)

    def _get_parameters(self, group, loss):
        objective, critic = super()._get_parameters(group, loss).values()
        return {"loss_of_mine": objective, "loss_critic": critic}

    def process_loss_vals(self, group, loss_vals):
        return loss_vals


class Td3(Iddpg):
    def _get_loss(self, group, policy_for_loss, continuous):
        loss = TD3Loss(
            actor_network=policy_for_loss,
            qvalue_network=self.get_value_module(group),
            action_spec=self.action_spec[group, "action"],
        )
        entries = ("reward", "done", "terminated", "state_action_value", "action")
        loss.set_keys(**{key: (group, key) for key in entries}, priority=(group, "td_error"))
        loss.make_value_estimator(ValueEstimators.TD0, gamma=0.9)
        return loss, True

    def _get_parameters(self, group, loss):
        return {
            "loss_actor": list(loss.actor_network_params.flatten_keys().values()),
            "loss_qvalue": list(loss.qvalue_network_params.flatten_keys().values()),
        }


def config_of(algorithm):
    """The config of one of these algorithms, with shipped values; a class that can be pickled."""
    base = IddpgConfig if issubclass(algorithm, Iddpg) else IppoConfig
    name = f"{algorithm.__name__}Config"
    members = {"associated_class": staticmethod(lambda: algorithm), "__module__": __name__}
    globals()[name] = type(name, (base,), members)
    return globals()[name](**{**base.get_from_yaml().__dict__, "share_param_critic": False})

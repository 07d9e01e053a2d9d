import math

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge

from benchmarl_hyper.replay.bodies import LEAST, TRAIL, Bodies
from benchmarl_hyper.replay.body import Body


def disc(name, x=0.0, y=0.0, diameter=1.0, layer="agent", **changes):
    return Body(name, "disc", (diameter, diameter), (x, y), 0.0, "#0072b2", layer, **changes)


def box(rotation, layer="thing", shape="box"):
    return Body("box", shape, (4.0, 2.0), (1.0, 0.0), rotation, "#000000", layer)


def drawn(scene, past=(), width=10):
    axes = Figure().add_subplot()
    axes.set_xlim(0, width)
    scene.draw(axes, past)
    return axes


@pytest.mark.parametrize(
    ("body", "view"),
    [
        (disc("a", 3, 1, diameter=2), (2, 4, 0, 2)),
        (box(0.0), (-1, 3, -1, 1)),
        (box(math.pi / 2), (0, 2, -2, 2)),
        (box(0.0, layer="ground"), (0, 2, -1, 1)),
    ],
)
def test_the_view_holds_a_body(body, view):
    assert Bodies((body,)).view() == pytest.approx(view)


def test_the_view_holds_the_border():
    assert Bodies((disc("a"),), border=(3.0, 2.0)).view() == (-3, 3, -2, 2)
    assert len(drawn(Bodies((disc("a"),), border=(3.0, 2.0))).patches) == 2


def test_a_box_is_drawn_where_it_is():
    (patch,) = drawn(Bodies((box(math.pi / 2),))).patches
    corners = patch.get_patch_transform().transform([(0, 0), (1, 0), (1, 1), (0, 1)])
    assert corners.round(6).tolist() == [[2, -2], [2, 2], [0, 2], [0, -2]]


def test_discs_on_each_other_share_a_disc():
    """The goal has the same size and place, and the last agent is far away."""
    near = [disc("a"), disc("b", 0.05), disc("c", 0.13), disc("d", 2.0)]
    patches = drawn(Bodies((disc("goal", layer="ground"), *near))).patches
    kinds = [type(patch) for patch in patches]
    assert sorted(kinds, key=str) == [Circle, Circle, Wedge, Wedge, Wedge]
    slices = [patch for patch in patches if isinstance(patch, Wedge)]
    assert [(patch.theta1, patch.theta2) for patch in slices] == [
        (-30, 90),
        (-150, -30),
        (-270, -150),
    ]
    assert all(patch.center == pytest.approx((0.06, 0)) for patch in slices)


def test_an_agent_between_two_piles_joins_them():
    scene = Bodies((disc("a"), disc("b", 0.15), disc("c", 0.075)))
    assert [type(patch) for patch in drawn(scene).patches] == [Wedge] * 3


def test_small_agents_are_seen():
    (patch,) = drawn(Bodies((disc("a", diameter=0.01),)), width=10).patches
    assert patch.radius == pytest.approx(LEAST * 10 / 2)
    (patch,) = drawn(Bodies((disc("a", diameter=0.01, layer="ground"),)), width=10).patches
    assert patch.radius == pytest.approx(0.005)


def test_a_trail_shows_the_latest_steps():
    past = [Bodies((disc("a", x), disc("b", -x))) for x in range(50)]
    trail, other = drawn(Bodies((disc("a", 50), disc("b", -50))), past).collections
    pieces = [piece.tolist() for piece in trail.get_segments()]
    assert pieces == [[[x, 0], [x + 1, 0]] for x in range(50 - TRAIL, 50)]
    assert other.get_segments()[-1].tolist() == [[-49, 0], [-50, 0]]


def test_a_heading_is_marked():
    assert len(drawn(Bodies((disc("a", heading=True),))).patches) == 2

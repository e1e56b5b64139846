"""Graphs have the shape of their networks: what is drawn is measured, and what a U is to look like.

``python tests/drawn.py`` measures the whole zoo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise, permutations, product
from random import Random

import networkx
import pytest

import archlens
from archlens.analysis.repeats import Repeats
from archlens.drawing import Request, layout, ordering, to_bytes
from archlens.drawing.layout import lay_out
from archlens.drawing.ordering import Join
from archlens.drawing.part import part
from archlens.drawing.placing import Area, Given, Link, Pads
from archlens.drawing.plan import DrawnScope, Plans
from archlens.drawing.structure import Structure
from archlens.drawing.styles import graph, stages
from archlens.drawing.styles.graph import Laid, chosen
from archlens.grouping import grouped

from . import drawn
from .test_diagram import BRANCHES, DENSE, TWO, UNET, loaded

#: A tail and a head.
Edge = tuple[int, int]


def laid(name: str, **options: object) -> Laid:
    return chosen(Request(loaded(name), **options))  # type: ignore[arg-type]


def boxes(found: Laid) -> dict[str, Area]:
    return {box.name: area for box, area in zip(found.plan.boxes, found.areas, strict=True)}


def middle(area: Area) -> float:
    return area.x + area.width / 2


@pytest.mark.parametrize(
    ("name", "depth", "direction"),
    [
        *((name, None, None) for name in ("resnet18", "nasnet_a_mobile", "fpn_resnet50", "detr_resnet50")),
        *((name, None, None) for name in ("yolov3", "fcn_resnet50", "whisper_tiny", UNET, DENSE, TWO)),
        ("inception_v3", 2, None),
        ("googlenet", 2, "lr"),
        ("resnet18", 3, None),
        (BRANCHES, 3, "tb"),
        ("segnet", 1, None),
        ("deeplabv3_resnet50", 2, None),
    ],
)
def test_spines_are_straight_and_lines_go_over_nothing(
    name: str, depth: int | None, direction: str | None
) -> None:
    found = drawn.measured(Request(loaded(name), depth=depth, direction=direction))
    assert (found.bends, found.over_boxes, found.over_words) == (0, 0, 0)


def test_what_is_measured_would_be_seen() -> None:
    found = laid("resnet18")
    first, second, *others = found.layout.boxes
    bent = replace(found.layout, boxes=[first, second.moved(30, 0), *others])
    assert drawn.bends(found) == 0
    assert drawn.bends(found._replace(layout=bent)) > 0
    crossed = given(4, [(0, 3), (1, 2)])
    assert drawn.crossings(lay_out(crossed, "tb")) == 0
    down = [[((0.0, 0.0), (0.0, 9.0))], [((-5.0, 4.0), (5.0, 4.0))]]
    assert drawn._cross(*down)
    assert drawn._goes_through(down[0][0], (-3, 3, 3, 6), 1)
    assert not drawn._goes_through(down[0][0], (1, 3, 3, 6), 0.5)


def given(count: int, links: list[tuple[int, int]], bypass: tuple[int, ...] = ()) -> Given:
    return Given(
        [(100.0, 30.0)] * count,
        [Link(*link, i in bypass) for i, link in enumerate(links)],
        [-1] * count, [], [], 13.0,
    )  # fmt: skip


def test_branches_stand_side_by_side_in_their_order_centred_on_the_spine() -> None:
    for branches in (2, 3, 4, 5):
        links = [(0, i + 1) for i in range(branches)] + [(i + 1, branches + 1) for i in range(branches)]
        found = lay_out(given(branches + 2, links), "tb").boxes
        across = [middle(area) for area in found]
        assert across[1:-1] == sorted(across[1:-1])
        assert across[0] == across[-1] == pytest.approx(sum(across[1:-1]) / branches)
        assert len({area.y for area in found[1:-1]}) == 1


def contracted(edges: Iterable[Edge]) -> list[Edge]:
    """The same without what has one way in and one out, which any drawing of the rest has room for."""
    left = list(dict.fromkeys(edges))
    while True:
        into = grouped((head, tail) for tail, head in left)
        out = grouped(left)
        one = next((box for box in into if len(into[box]) == len(out.get(box, ())) == 1), None)
        if one is None:
            return left
        way = into[one][0], out[one][0]
        left = [edge for edge in left if one not in edge]
        left += [way] if way not in left else []


def can_cross(edges: list[Edge], around: list[Edge], times: int) -> bool:
    """Whether edges that all go down can be drawn with so many crossings: with a box in the place of each,
    the graph is planar with an edge from source to sink (Platt, "Planar lattices and planar graphs", 1976).
    """
    if not times:
        return bool(networkx.check_planarity(networkx.Graph([*edges, *around]))[0])
    for i, j in combinations(range(len(edges)), 2):
        (a, b), (c, d) = edges[i], edges[j]
        if {a, b} & {c, d}:
            continue
        others = [edge for k, edge in enumerate(edges) if k not in (i, j)]
        met = [*others, (a, -times), (-times, b), (c, -times), (-times, d)]
        if networkx.is_directed_acyclic_graph(networkx.DiGraph(met)) and can_cross(met, around, times - 1):
            return True
    return False


@pytest.mark.parametrize(
    ("name", "cell", "forced"),
    [
        *(("nasnet_a_mobile", cell, 1) for cell in ("cell_0", "cell_1", "cell_stem_0")),
        *(("nasnet_a_mobile", cell, 2) for cell in ("cell_stem_1", "reduction_cell_0")),
        *(("pnasnet5_large", cell, 0) for cell in ("cell_0", "cell_4", "cell_stem_0", "cell_stem_1")),
    ],
)
def test_cells_cross_as_often_as_they_must(name: str, cell: str, forced: int) -> None:
    request = Request(part(loaded(name), cell), depth=1, fit="2000px")
    edges = contracted((edge.tail, edge.head) for edge in chosen(request).plan.edges)
    heads, tails = {head for _, head in edges}, {tail for tail, _ in edges}
    source, sink = 1000, 1001
    around = [(source, box) for box in tails - heads] + [(box, sink) for box in heads - tails]
    around.append((source, sink))
    assert [can_cross(edges, around, times) for times in range(forced + 1)] == [False] * forced + [True]
    assert drawn.measured(request).crossings == forced


@pytest.mark.parametrize(
    ("name", "forced"),
    [
        *((name, 0) for name in ("clip_vit_b_32", "detr_resnet50", "yolov4", "nasnet_a_large", "pvt_small")),
        ("stable_diffusion_1", 1),  # two of its inputs flow into all three of its parts
        ("ssd300_vgg16", 1),  # two maps flow into each of two heads side by side
    ],
)
@pytest.mark.parametrize("fit", ["readme", "column"])
def test_networks_cross_as_often_as_they_must(name: str, fit: str, forced: int) -> None:
    request = Request(loaded(name), fit=fit)
    plan = chosen(request).plan
    edges = contracted((edge.tail, edge.head) for edge in plan.edges)
    heads, tails = {head for _, head in edges}, {tail for tail, _ in edges}
    last = heads - tails if name == "ssd300_vgg16" else ()
    around = [(1000, box) for box in tails - heads] + [(box, 1001) for box in last] + [(1000, 1001)]
    least = next(times for times in range(3) if can_cross(edges, around, times))
    assert drawn.crossings(chosen(request).layout) == least <= forced


@pytest.mark.parametrize("fit", ["readme", "column"])
def test_nothing_flows_into_a_parameter(fit: str) -> None:
    """DETR's queries and positions begin ways of their own, as in its paper's Figure 2."""
    plan = laid("detr_resnet50", fit=fit).plan
    assert plan.depth > 1
    heads, tails = ({plan.boxes[edge[end]].name for edge in plan.edges} for end in (1, 0))
    begun = {box.name for box in plan.boxes} - heads
    assert {name.partition("..")[0] for name in begun} == {"input", "query_embed.weight", "positions.0"}
    assert begun < tails


def boxed(text: str, depth: int | None = None) -> dict[str, list[tuple[str, str]]]:
    """The lines of each box that is no input."""
    plan = chosen(Request(loaded(text), depth=depth)).plan
    return {
        box.name: [(line.name, line.what) for line in box.lines]
        for box in plan.boxes if box.kind != "input"
    }  # fmt: skip


PARAMETERS = """
input: 8x4x4
layers:
  - conv: conv(16, 1)
  - gain: parameter([16])
  - fit: reshape((16, 1, 1))
  - scaled: {multiply: [ref(conv), ref(fit)]}
  - both: parameter([16, 4, 4], channels="first")
  - first: {add: [ref(scaled), ref(both)]}
  - second: {add: [ref(first), ref(both)]}
"""


def test_a_parameter_shares_the_box_of_the_merge_that_alone_reads_it() -> None:
    found = boxed(PARAMETERS)
    assert found == {
        "conv": [("conv", "1x1 conv, 16")],
        "scaled.multiply": [("scaled", "multiply"), ("gain", "parameter, 16"), ("fit", "reshape, 16x1x1")],
        "both": [("both", "parameter, 16x4x4")],
        "first.add": [("first", "add")],
        "second.add": [("second", "add")],
    }
    svg = to_bytes(Request(loaded(PARAMETERS)), "svg").decode()
    assert "gain: parameter((16,))" in svg  # in the title, with its arguments
    plan = Request(loaded(PARAMETERS)).plan
    assert sum(box.params for box in plan.boxes) == loaded(PARAMETERS).params == 8 * 16 + 16 + 16 + 256
    assert [(edge.tail, edge.head, edge.bypass) for edge in plan.edges] == [
        (0, 1, ""), (1, 2, ""), (2, 4, ""), (3, 4, ""), (4, 5, ""), (3, 5, "add"),
    ]  # fmt: skip


def test_a_list_that_is_left_and_entered_again_is_no_box() -> None:
    """PVT's stages are in two lists, of patches and of blocks, through which it goes in turn."""
    plan = chosen(Request(loaded("pvt_small"), depth=3)).plan
    names = [box.name.removeprefix("pvt.encoder.") for box in plan.boxes]
    assert {f"{part}.{i}" for part in ("patch_embeddings", "block") for i in range(4)} < {*names}
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph((one.tail, one.head) for one in plan.edges))


#: Blocks of one list, each with a sum behind it that is none of the list.
IN_TURN = """
input: 3x32x32
layers:
  - stem: conv(8, 3, padding=1)
  - blocks.0: conv(8, 3, padding=1) >> relu >> conv(8, 1)
  - first: {add: [ref(stem), identity]}
  - blocks.1: conv(8, 3, padding=1) >> relu >> conv(8, 1)
  - second: {add: [ref(first), identity]}
  - blocks.2: conv(8, 3, padding=1) >> relu >> conv(8, 1)
  - third: {add: [ref(second), identity]}
"""


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_residual_around_blocks_of_a_list_is_one(depth: int) -> None:
    plan = chosen(Request(loaded(IN_TURN), depth=depth)).plan
    called = [box.name.removesuffix(".add") for box in plan.boxes]
    into = {called[edge.tail]: called[edge.head] for edge in plan.edges if edge.bypass == "add"}
    assert into == {"stem": "first", "first": "second", "second": "third"}
    assert all(edge.tail < edge.head for edge in plan.edges)


def test_stages_of_a_list_that_is_left_and_entered_again_stand_in_order() -> None:
    found = Structure(loaded(IN_TURN), Repeats(loaded(IN_TURN)))
    assert [piece.name.removesuffix(".add") for piece in found.pieces] == [
        "stem", "0", "first", "1", "second", "2", "third",
    ]  # fmt: skip


def test_figures_stand_beneath_each_other_where_one_line_has_no_room() -> None:
    found = laid("googlenet", labels=("params", "macs", "field"), fit="column", depth=1)
    narrow = found.words._replace(stacked=True, widest=104.0)
    box = next(box for box in found.plan.boxes if box.figures.count(",") == 2)
    assert [row.what for row in graph._rows(box, narrow)][-3:] == box.figures.split(", ")
    assert [row.what for row in graph._rows(box, found.words._replace(stacked=False))][-1] == box.figures


def test_where_many_lines_cross_no_other_sides_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which would take long, and leave as many."""
    tried = []
    placed = layout.placed
    monkeypatch.setattr(layout, "placed", lambda one: tried.append(one) or placed(one))
    random = Random(2)
    links = [(i, j) for j in range(1, 24) for i in random.sample(range(j), min(j, 3))]
    found = lay_out(given(24, links), "tb")
    assert drawn.crossings(found) > 6
    assert len(tried) == 1


def test_narrow_boxes_stand_closer_where_nothing_else_fits_on_a_page() -> None:
    found = laid("nasnet_a_mobile", fit="column")
    assert found.over == (0.0, 0.0)
    assert found.layout.pieces == 2
    assert found.cut == 0


def test_rows_are_put_in_the_order_in_which_fewest_lines_cross() -> None:
    """Against all orders of the things of three rows."""
    random = Random(17)
    for _ in range(25):
        sizes = [random.randint(1, 4) for _ in range(3)]
        joins = tuple(
            tuple(
                Join(upper, 0, lower, 0, net=random.choice((upper, 10 * upper + lower)))
                for upper in range(sizes[row])
                for lower in range(sizes[row + 1])
                if random.random() < 0.5
            )
            for row in (0, 1)
        )
        rows = tuple(tuple(range(size)) for size in sizes)
        least = min(ordering.crossings(orders, joins) for orders in product(*map(permutations, rows)))
        found = ordering.ordered(rows, joins)
        assert [sorted(row) for row in found] == [list(row) for row in rows]
        assert ordering.crossings(found, joins) == least


def test_the_cheapest_order_is_found() -> None:
    random = Random(3)
    for count in (2, 4, 5):
        cost = [[random.randint(0, 9) for _ in range(count)] for _ in range(count)]

        def paid(order: Sequence[int], cost: list[list[int]] = cost) -> int:
            return sum(cost[a][b] for a, b in combinations(order, 2))

        found = ordering.cheapest(cost, range(count))
        assert paid(found) == min(map(paid, permutations(range(count))))


def test_equal_blocks_are_drawn_equally() -> None:
    found = boxes(laid("inception_v3", depth=2))
    first, *others = (
        [
            (area.x, area.y - found[f"Mixed_5{letter}.branch1x1.conv"].y)
            for name, area in found.items()
            if name.startswith(f"Mixed_5{letter}.")
        ]
        for letter in "bcd"
    )
    assert len(first) == 1 + 2 + 3 + 2 + 1
    for other in others:
        assert [point for pair in other for point in pair] == pytest.approx(
            [point for pair in first for point in pair]
        )


def test_a_projection_lies_beside_what_it_goes_around_and_looks_like_a_residual() -> None:
    found = laid("resnet18", depth=3)
    edges = {
        (found.plan.boxes[edge.tail].name, found.plan.boxes[edge.head].name): edge
        for edge in found.plan.edges
    }
    names = [pair for pair, edge in edges.items() if edge.projection]
    assert sum("downsample" in name for pair in names for name in pair) == len(names) == 6
    at = boxes(found)
    spine = middle(at["layer2.0.conv1"])
    assert middle(at["layer2.0.add"]) == middle(at["layer2.0.conv2"]) == spine
    assert at["layer2.0.downsample.0"].x > at["layer2.0.conv1"].right
    # of branches that are alike none is a projection: RepVGG adds a 3x3 and a 1x1 convolution
    assert not any(edge.projection for edge in laid("repvgg_a0", depth=9).plan.edges)


@pytest.mark.parametrize("fit", ["readme", "column", "page", "slide"])
def test_an_encoder_with_its_decoder_is_a_u(fit: str) -> None:
    """Each stage of the decoder is level with that which it reads (Ronneberger et al., figure 1)."""
    found = laid("unet", depth=1, fit=fit)
    at = boxes(found)
    for stage in (1, 2, 3, 4):
        down, up = at[f"down{stage}"], at[f"up{stage}"]
        assert down.y + down.height / 2 == pytest.approx(up.y + up.height / 2)
        assert down.right < up.x
    assert at["up1"].y < at["up2"].y < at["up3"].y < at["up4"].y < at["bottom"].y
    rising = {found.plan.boxes[box].name for box in found.layout.rising}
    assert rising == {"up4", "up3", "up2", "up1", "out"}
    across = [
        wire.points
        for wire in found.layout.wires
        if len(wire.points) == 2 and wire.points[0][1] == wire.points[1][1]
    ]
    assert len(across) == 4


@pytest.mark.parametrize("fit", ["readme", "page", "slide"])
def test_a_u_whose_levels_read_each_other_has_stairs(fit: str) -> None:
    """DDPM's decoder reads two tensors of its own level and one of the level above, which goes down as the
    encoder does; the time step, which all blocks read, has one line.
    """
    request = Request(loaded("ddpm_cifar10"), fit=fit)
    found = chosen(request)
    assert found.over == (0.0, 0.0)
    at = boxes(found)
    ways = {
        (found.plan.boxes[wire.tail].name, found.plan.boxes[wire.head].name): wire.points
        for wire in found.layout.wires
    }
    for stage in range(4):
        down, up = at[f"down_{stage}"], at[f"up_{stage}"]
        assert down.y + down.height / 2 == pytest.approx(up.y + up.height / 2)
        assert len(ways[f"down_{stage}", f"up_{stage}"]) == 2
        above = f"down_{stage - 1}" if stage else "conv_in"
        points = ways[above, f"up_{stage}"]
        assert points[0] < points[-1]  # to the right, and down
        assert at[above].bottom < points[-1][1] < up.y + up.height / 2
    assert [head for tail, head in ways if tail == "temb"] == ["down_0"]
    assert "temb flows into 8 more boxes" in to_bytes(request, "svg").decode()
    over = drawn.measured(request)
    assert (over.over_boxes, over.over_words, over.crossings) == (0, 0, 0)


def test_concats_of_a_u_are_one_with_the_blocks_behind_them() -> None:
    """Stable Diffusion's U-Net as its code has it: each of twelve steps is read by one of twelve others."""
    found = laid("stable_diffusion_1", fit="1280px")
    heads = [
        found.plan.boxes[wire.head].name
        for wire in found.layout.wires
        if len(wire.points) == 2 and wire.points[0][1] == wire.points[1][1]
    ]
    assert sorted(heads) == sorted(f"output_blocks.{i}" for i in range(12))
    first = next(box for box in found.plan.boxes if box.name == "output_blocks.0")
    assert (first.layers[0].op.kind, first.lines[0].name) == ("concat", "output_blocks.0")


@pytest.mark.parametrize("fit", ["readme", "page", "slide"])
def test_a_feature_pyramid_is_a_u_with_its_lateral_convolutions_between(fit: str) -> None:
    """Lin et al. 2017, figure 3: each level is its lateral 1x1 convolution added to what is above it."""
    found = laid("fpn_resnet50", fit=fit)
    assert found.over == (0.0, 0.0)
    at = boxes(found)

    def level(area: Area) -> float:
        return area.y + area.height / 2

    for stage, number in ((1, 0), (2, 1), (3, 2)):
        down = at[f"body.layer{stage}.0.conv1" if f"body.layer{stage}" not in at else f"body.layer{stage}"]
        lateral, added = at[f"fpn.inner_blocks.{number}.0"], at[f"fpn.sum{number}"]
        assert level(down) == pytest.approx(level(lateral)) == pytest.approx(level(added))
        assert down.right < lateral.x < lateral.right < added.x
    assert at["fpn.sum0"].y < at["fpn.sum1"].y < at["fpn.sum2"].y
    for number in (1, 2):  # what a level gives stands beside it
        assert at[f"fpn.layer_blocks.{number}.0"].x > at[f"fpn.sum{number}"].right
    over = drawn.measured(Request(loaded("fpn_resnet50"), fit=fit))
    assert (over.bends, over.over_boxes, over.over_words) == (0, 0, 0)


def test_a_page_too_narrow_for_a_u_has_none() -> None:
    assert laid("unet", depth=1, fit="1000px").layout.rising
    assert not laid("unet", depth=2, fit="column").layout.rising
    assert not laid("unet", depth=1, direction="lr").layout.rising


def test_scopes_that_a_way_leaves_and_comes_back_to_are_broken() -> None:
    """0 and 2 are in one scope, 1 between them is not."""
    layout = lay_out(
        Given([(100.0, 30.0)] * 3, [Link(0, 1), Link(1, 2)], [0, -1, 0], [-1], [Pads()], 13.0), "tb"
    )
    assert len(layout.scopes[0]) == 2
    assert [area.y for area in layout.boxes] == sorted(area.y for area in layout.boxes)


def test_scopes_that_read_each_other_are_broken() -> None:
    """0 and 3 are in one scope, 1 and 2 in another; 0 feeds 1, and 2 feeds 3."""
    links = [Link(0, 1), Link(2, 3)]
    layout = lay_out(Given([(100.0, 30.0)] * 4, links, [0, 1, 1, 0], [-1, -1], [Pads()] * 2, 13.0), "tb")
    assert sorted(len(areas) for areas in layout.scopes) == [1, 2]
    assert layout.boxes[0].bottom <= layout.boxes[1].y
    assert layout.boxes[2].bottom <= layout.boxes[3].y


def test_networks_with_nothing_in_common_stand_beneath_each_other_where_there_is_no_room() -> None:
    found = laid("maskrcnn_resnet50_fpn", fit="column")
    assert found.over[0] == 0


def test_a_badge_counts_copies_and_no_line_strikes_it() -> None:
    picture = Request(archlens.load("resnet50"), depth=3).picture
    words = [item.text for item in drawn.walk(picture.items) if isinstance(item, drawn.Text)]
    assert [word for word in words if word in ("x2", "x3", "x5")] == ["x2", "x3", "x5", "x2"]
    assert "x2 in a corner: so many in a row, each with its own weights." in words
    assert drawn.measured(Request(archlens.load("resnet50"), depth=3)).over_words == 0


def test_graphs_of_one_network_have_names_of_their_own() -> None:
    network = archlens.load("resnet18")
    asked = ({}, {"depth": 1}, {"depth": 2}, {"depth": 2, "direction": "lr"})
    assert len({Request(network, **one).picture.title for one in asked}) == len(asked)  # type: ignore[arg-type]


def test_what_leaves_a_box_and_comes_back_is_drawn_both_ways() -> None:
    """A box may stand for a scope that something leaves and comes back to."""
    given = Given(
        [(60.0, 20.0)] * 4,
        [Link(0, 1), Link(1, 0), Link(1, 2), Link(2, 0), Link(0, 3)],
        [-1] * 4,
        [],
        [],
        20.0,
    )
    found = lay_out(given, "tb")
    assert [(wire.tail, wire.head) for wire in found.wires] == [link[:2] for link in given.links]
    for wire in found.wires:
        for box, (x, y) in ((wire.tail, wire.points[0]), (wire.head, wire.points[-1])):
            area = found.boxes[box]
            assert area.x - 0.1 <= x <= area.x + area.width + 0.1
            assert area.y - 0.1 <= y <= area.y + area.height + 0.1


ROUND = """
input: 2x16x16
layers:
  - n1.0: conv(4, 3, padding=1)
  - n2: conv(4, 1)
  - n1.1: conv(4, 3, padding=1)
  - n3: tanh
  - n1.2: conv(4, 1)
"""


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("direction", ["tb", "lr"])
def test_a_scope_that_is_left_and_entered_again_is_drawn(depth: int, direction: str) -> None:
    network = archlens.loads(ROUND)
    svg = to_bytes(Request(network, depth=depth, direction=direction), "svg").decode()
    assert "n2" in svg
    assert svg.count("n1 (continued)") == (0 if depth == 1 else 2)


@pytest.mark.parametrize(("name", "fit"), [("segnet", "slide"), ("fcn8s", "slide"), ("segnet", "column")])
def test_chains_are_gathered_where_a_page_ends(name: str, fit: str) -> None:
    """Each layer is in one box still, in its order, and what flows between boxes is what did before."""
    request = Request(loaded(name), fit=fit)
    found = chosen(request)
    assert found.over == (0.0, 0.0)
    assert found.layout.rising
    assert found.plan.is_gathered
    assert [layer.name for box in found.plan.boxes for layer in box.behind] == [
        layer.name for layer in loaded(name).layers
    ]
    box_of = {layer.name: box.id for box in found.plan.boxes for layer in box.behind}
    box_of |= {box.name: box.id for box in found.plan.boxes if box.kind == "input"}
    flows = {(box_of[one], box_of[layer.name]) for layer in loaded(name).layers for one in layer.inputs}
    assert {(edge.tail, edge.head) for edge in found.plan.edges} == {
        (tail, head) for tail, head in flows if tail != head
    }
    assert "Lines of a box follow one another" in to_bytes(request, "svg").decode()
    assert not chosen(Request(loaded(name), fit=fit, depth=1)).plan.is_gathered


def test_cells_of_one_kind_are_one_where_a_page_ends() -> None:
    """As in the paper: NASNet-A (6 @ 4032) is six normal cells, a reduction, six, a reduction and six."""
    request = Request(loaded("nasnet_a_large"), fit="column")
    found = chosen(request)
    assert found.over == (0.0, 0.0)
    cells = [(box.name, box.fold) for box in found.plan.boxes if "cell_" in box.name]
    assert cells == [
        *(("cell_stem_0", 1), ("cell_stem_1", 1), ("cell_0..cell_5", 6), ("reduction_cell_0", 1)),
        *(("cell_6..cell_11", 6), ("reduction_cell_1", 1), ("cell_12..cell_17", 6)),
    ]
    assert [layer.name for box in found.plan.boxes for layer in box.behind] == [
        layer.name for layer in loaded("nasnet_a_large").layers
    ]
    assert "6 x normal" in words("nasnet_a_large", fit="column")
    assert Plans(loaded("resnet50")).kindred is None  # of one size and kind they are folded anyway
    # that another reads one of them, too, is no obstacle; two that read the same are not one after the other
    text = (
        "title: T\ninput: 4x8x8\nblocks:\n  a:\n    - c: conv(4, 1)\n    - d: {}\n    - e: relu\nlayers:\n{}"
    )
    row = archlens.loads(text.format("tanh", "  - x: a\n  - y: a\n  - concat: [identity, 'ref(\"x\")']\n"))
    kindred = Plans(row).kindred
    assert kindred is not None
    assert [box.name for box in kindred.boxes] == ["input", "x..y", "concat"]
    beside = "  - concat:\n    - x: a\n    - y: a\n"
    assert Plans(archlens.loads(text.format("tanh", beside))).kindred is None


@pytest.mark.parametrize(
    "name", ["yolov4", "unet", "hrnet_w18", "fpn_resnet50", "googlenet_aux", "ssd300_vgg16"]
)
def test_what_a_merge_alone_reads_is_one_with_it(name: str) -> None:
    """Each layer is in one box still, boxes stand after those that they read, and nothing flows elsewhere."""
    plan = Plans(loaded(name)).at(1)
    merged = plan.gathered(across=True, merging=True)
    box_of = {layer.name: box.id for box in merged.boxes for layer in box.behind}
    assert sorted(box_of) == sorted(layer.name for layer in loaded(name).layers)
    firsts = [box.behind[0].name if box.behind else "" for box in plan.boxes]
    inside = {(box_of[firsts[a]], box_of[firsts[b]]) for a, b, *_ in plan.edges if firsts[a]}
    ends = {(edge.tail, edge.head) for edge in merged.edges if merged.boxes[edge.tail].behind}
    assert ends == {(a, b) for a, b in inside if a != b}
    assert all(tail < head for tail, head in ends)
    assert len(merged.boxes) < len(plan.gathered(across=True).boxes) or not merged.merging


def test_a_parameter_that_nothing_reads_is_not_drawn() -> None:
    """wav2vec 2.0's vector for what is masked in training: no line would lead to it."""
    for style in ("graph", "volumes", "stages", "profile"):
        svg = to_bytes(Request(loaded("wav2vec2_base"), style), "svg").decode()
        assert svg.count("masked_spec_embed") == 1
        assert "The parameter masked_spec_embed, which nothing reads, is not drawn." in svg


def test_what_says_the_same_is_one_line_of_a_gathered_box() -> None:
    plan = Request(loaded("segnet"), depth=1).plan.gathered()
    lines = {box.name: [(line.name, line.what) for line in box.lines] for box in plan.boxes}
    assert lines["pool1..conv2_2.conv"] == [
        ("pool1", "2x2 max_pool, /2"),
        ("conv2_1.conv..conv2_2.conv", "3x3 conv, 128 x2"),
    ]
    across = Request(loaded("vgg16"), depth=2).plan.gathered(across=True)
    assert len(across.boxes) < len(Request(loaded("vgg16"), depth=2).plan.gathered().boxes)


@pytest.mark.parametrize("name", ["hrnet_w18", "fpn_resnet50", "segnet", "yolov3"])
def test_plans_of_as_many_boxes_are_laid_out_apart(name: str) -> None:
    """What was laid out before, gathered or not, changes no other plan: HRNet has 16 boxes both ways."""
    request = Request(loaded(name), depth=1)
    before = chosen(Request(loaded(name), depth=1)).layout
    plans = request.plans
    for other in (plans.flat(1, 99), plans.at(1)):
        for plan in (other, other.gathered(), other.joined().gathered(across=True)) if other else ():
            graph._laid(request, plan, graph._WORDS[0], "tb", only=True)
    assert chosen(replace(request, made=plans)).layout == before


def words(name: str, **options: object) -> list[str]:
    """The texts of a picture, in the order in which they are painted."""
    picture = Request(loaded(name), **options).picture  # type: ignore[arg-type]
    return [item.text for item in drawn.walk(picture.items) if isinstance(item, drawn.Text)]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("bert_base", ["512 of 30522"]),
        ("vgg16", ["128x112x112"] * 2),
        ("deeplabv3_resnet50", ["256x130x130"]),
        ("whisper_tiny", ["448 of 51865"]),  # to the left of its line
        ("yolov4", ["128x76x76"] * 2),
    ],
)
def test_shapes_are_whole_where_there_is_room_beside_their_lines(name: str, shapes: list[str]) -> None:
    request = Request(loaded(name), fit="column")
    texts = [item for item in drawn.walk(request.picture.items) if isinstance(item, drawn.Text)]
    assert [text.text for text in texts if text.text in shapes] == shapes
    assert drawn.measured(request).over_words == 0
    areas = [drawn.extent(text) for text in texts]
    for (left, top, right, bottom), (x0, y0, x1, y1) in combinations(areas, 2):
        assert right <= x0 + 0.1 or x1 <= left + 0.1 or bottom <= y0 + 0.1 or y1 <= top + 0.1


def test_names_are_parted_at_spaces_first_and_within_no_number() -> None:
    assert graph._parts("stochastic_depth, 0.025 to 0.18", 110) == ["stochastic_depth", "0.025 to 0.18"]
    assert graph._parts("window_attention, w/32, 7", 60) == ["window_", "attention", "w/32, 7"]
    assert graph._parts("embeddings.LayerNorm", 100) == ["embeddings.", "LayerNorm"]
    assert graph._parts("scale, 0.12345678901234567890", 100) == ["scale, 0.12345678901234567890"]


def test_the_name_of_a_scope_is_parted_and_not_cut() -> None:
    found = words("convnext_tiny", fit="slide")
    assert not [word for word in found if "…" in word and word.startswith("Con")]
    assert found.count("ConvNeXt") == found.count("block") - 4 == 4  # of each stage, which also hold a block


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("vit_b_16", "graph"),
        ("convnext_tiny", "graph"),
        ("detr_resnet50", "graph"),
        ("nasnet_a_mobile", "stages"),
    ],
)
def test_lines_of_several_boxes_are_told_apart_from_column_to_column(name: str, style: str) -> None:
    """What goes around a block is no part of the line through it where that goes on in the next column."""
    request = Request(loaded(name), style, fit="slide")
    found = chosen(request) if style == "graph" else stages._sheet(request)[1].macro
    assert found.layout.pieces > 1
    ups = [
        (wire.tail, round(a[0], 1), b[1], a[1])
        for wire in found.layout.wires
        for a, b in pairwise(wire.points)
        if b[1] < a[1] - 1
    ]
    assert ups
    for (tail, x, top, low), (other, x1, top1, low1) in combinations(ups, 2):
        assert tail == other or x != x1 or min(low, low1) <= max(top, top1)


def test_a_note_on_badges_has_one_that_is_there() -> None:
    assert "x12 in a corner: so many in a row, each with its own weights." in words("vit_b_16")
    assert graph._count(DrawnScope(0, -1, "", "", "x1,200, each with its own weights")) == "x1,200"


def test_a_scope_that_somebody_named_heads_its_only_step() -> None:
    plan = Request(loaded("segnet"), depth=1).plan
    lines = {box.name: [(line.name, line.what) for line in box.lines] for box in plan.boxes}
    assert lines["upsample1.max_unpool"] == [("upsample1", "max_unpool")]
    assert lines["conv1_1.conv"] == [("conv1_1.conv", "3x3 conv, 64"), ("bn", "batch_norm"), ("relu", "")]


def test_what_every_box_reads_has_one_line_also_where_a_u_has_no_room() -> None:
    found = laid("ddpm_cifar10", fit="column")
    assert not found.layout.rising
    assert found.plan.spread == (("temb", 8),)
    assert "temb flows into 8 more boxes than that to which its line leads." in words(
        "ddpm_cifar10", fit="column"
    )


@pytest.mark.parametrize("name", ["t5_small", "transformer_base", "whisper_tiny"])
@pytest.mark.parametrize("fit", ["column", "readme", "page"])
def test_what_flows_from_an_encoder_to_its_decoder_crosses_no_input_of_that(name: str, fit: str) -> None:
    """Vaswani et al. 2017, Figure 1: it comes from one side, and the shifted outputs from the other."""
    laid = graph.chosen(Request(archlens.load(name), fit=fit))
    assert drawn.crossings(laid.layout) == 0

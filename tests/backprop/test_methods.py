"""The named methods, their options, and methods of one's own."""

import re

import pytest
import torch
from nets import mlp, normal, uniform
from torch import nn

import modbp
from modbp import methods, rules
from modbp.backprop.methods import Method
from modbp.errors import InputError, MethodError, UnknownName

NAMES = [
    "gradient",
    "gradient-x-input",
    "smoothgrad",
    "integrated-gradients",
    "guided-bp",
    "deconv",
    "rectgrad",
    "lrp-z",
    "lrp-eps",
    "lrp-gamma",
    "lrp-a1b0",
    "lrp-a2b1",
    "lrp-a5b4",
    "excitation-bp",
    "dtd",
    "lrp-cmp-a1b0",
    "lrp-cmp-a2b1",
    "lrp-eps-plus",
    "lrp-eps-gamma-box",
    "contrastive-lrp",
    "patternnet",
    "patternattribution",
    "deeplift-rescale",
    "deeplift-revealcancel",
    "deeplift-ablation",
]
DEEPLIFT = [name for name in NAMES if name.startswith("deeplift")]
LRP = [name for name in NAMES if name.startswith("lrp")]
COMPOSITES = [name for name in LRP if name.count("-") > 1]
TABLE = {"linear": rules.Epsilon(), "relu": rules.Pass()}


def test_all_methods_are_listed():
    assert methods.names() == NAMES


def test_the_list_of_names_can_be_changed_without_harm():
    methods.names().clear()
    assert methods.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_its_equation_and_its_source(name):
    about = methods.get(name).about
    assert re.match(r"[^\n]+: [^\n]+\.\n\n", about), "no first sentence"
    for part in ("Equation: ", "Source: :cite:t:`", "reduction: "):
        assert part in " ".join(about.split())


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_in_the_bibliography(name, request):
    file = next(request.config.rootpath.glob("book/*.bib"), None)
    if file is None:
        pytest.skip("needs the book's bibliography")
    for key in re.findall(r":cite:t:`(\w+)`", methods.get(name).about):
        assert f"{{{key}," in file.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_called_as_it_was_asked_for(name):
    assert methods.get(name).name == name


def test_a_method_can_be_given_instead_of_a_name():
    mine = Method("mine", TABLE)
    assert methods.get(mine) is mine


@pytest.mark.parametrize(
    "name, option, value, of",
    [
        *[(name, "bias", "unit", "linear") for name in LRP],
        *[
            (name, "epsilon", 0.5, "dense" if name in COMPOSITES else "linear")
            for name in LRP
            if name != "lrp-z"
        ],
        *[(name, "start", "logit", None) for name in NAMES if name not in DEEPLIFT],
        *[(name, "start", "one", None) for name in NAMES if name not in DEEPLIFT],
        *[(name, "start", "contrast", None) for name in LRP],
        *[(name, "first", rules.Box(-1, 1), None) for name in [*LRP, "dtd"]],
        *[(name, "gamma", 2, "linear") for name in NAMES if "gamma" in name],
        ("rectgrad", "percentile", 90, "relu"),
        ("lrp-gamma", "split", False, "linear"),
    ],
)
def test_an_option_arrives(name, option, value, of):
    method = methods.get(name, **{option: value})
    assert getattr(method.rules[of] if of else method, option) == value


@pytest.mark.parametrize(
    "name, option",
    [("gradient", "bias"), ("lrp-z", "epsilon"), ("excitation-bp", "bias")],
)
def test_an_option_that_a_method_lacks_is_refused_with_those_it_has(name, option):
    with pytest.raises(InputError, match=f"{name}.*no option '{option}'.*start"):
        methods.get(name, **{option: 1})


def test_options_of_a_method_that_is_given_whole_are_refused():
    with pytest.raises(InputError, match="'mine' is given whole.*bias"):
        methods.get(Method("mine", TABLE), bias="unit")


@pytest.mark.parametrize(
    "wrong, nearest",
    [
        ("lrp-a1b1", "lrp-a1b0"),
        ("lrp_a2b1", "lrp-a2b1"),
        ("guidedbp", "guided-bp"),
        ("Gradient", "gradient"),
        ("excitation", "excitation-bp"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(wrong, nearest):
    with pytest.raises(UnknownName, match=f"'{wrong}'. Did you mean .*'{nearest}'"):
        methods.get(wrong)


def test_a_name_unlike_all_others_gets_the_whole_list():
    with pytest.raises(UnknownName, match="Known: gradient, .*, deeplift-ablation"):
        methods.get("???")


def test_a_name_that_is_no_string_is_unknown_too():
    with pytest.raises(UnknownName, match="None"):
        methods.get(None)


@pytest.mark.parametrize("name", NAMES)
def test_lrp_starts_from_the_logit_and_the_others_from_one(name):
    own = {"contrastive-lrp": "contrast", "dtd": "logit"}
    own |= {"patternnet": "logit", "patternattribution": "logit"}
    expected = own.get(name, "logit" if name in LRP else "one")
    assert methods.get(name).start == expected


@pytest.mark.parametrize("name", NAMES)
def test_figures_show_gradients_by_magnitude_and_relevance_by_sum(name):
    magnitude = name in ("gradient", "smoothgrad", "guided-bp", "deconv", "rectgrad")
    assert methods.get(name).reduction == ("max-abs" if magnitude else "sum")


def test_the_names_say_alpha_and_beta():
    for name in ("lrp-a1b0", "lrp-a2b1", "lrp-a5b4"):
        rule = methods.get(name).rules["linear"]
        assert name == f"lrp-a{rule.alpha}b{rule.beta}"


def test_the_start_scales_the_explanation_by_the_logit():
    net, x = mlp(4, 5, 3), normal(1, 2, 4)
    logit = net(x).detach()[:, 2:]
    one = modbp.explain(net, x, methods.get("lrp-z", start="one"), 2)
    own = modbp.explain(net, x, methods.get("lrp-z", start="logit"), 2)
    torch.testing.assert_close(own, one * logit)


def test_the_contrast_sets_a_logit_against_equal_shares_of_all_others():
    # The logit 6 of class 1 of four: 6 there and −6/3 at the others; sums to zero.
    contrast = methods.get("contrastive-lrp")
    logits, target = torch.tensor([[1.0, 6.0, -3.0, 0.0]]), torch.tensor([[1]])
    assert contrast.begin(logits, target).tolist() == [[-2, 6, -2, -2]]


def test_contrastive_lrp_is_the_difference_of_two_explanations():
    net, x = mlp(4, 6, 3), uniform(1, 2, 4)
    logit = net(x).detach()[:, :1]
    single = methods.get("lrp-a1b0", start="one")
    one, two, three = (modbp.explain(net, x, single, target) for target in range(3))
    found = modbp.explain(net, x, "contrastive-lrp", 0)
    torch.testing.assert_close(found, logit * (one - two / 2 - three / 2))


def test_a_contrast_needs_another_class():
    with pytest.raises(InputError, match="'contrastive-lrp'.*single logit.*'logit'"):
        modbp.explain(mlp(2, 3, 1), uniform(0, 1, 2), "contrastive-lrp", 0)


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_follows_the_epsilon_rule_in_dense_layers_only(name):
    table = methods.get(name, epsilon=0.5, stabiliser=0.25).rules
    assert table["dense"] == rules.Epsilon(0.5)
    assert "conv" not in table and table["linear"].epsilon == 0.25


@pytest.mark.parametrize(
    "first, rule",
    [("box", rules.Box()), ("wsquare", rules.WSquare()), ("flat", rules.Flat())],
)
def test_the_rule_of_the_first_layer_can_be_named(first, rule):
    assert methods.get("lrp-gamma", first=first).first == rule
    assert methods.get("lrp-gamma").first is None


def test_an_unknown_rule_of_the_first_layer_gets_the_known_ones():
    with pytest.raises(UnknownName, match="first layer 'boxes'. Did you mean 'box'"):
        methods.get("dtd", first="boxes")


@pytest.mark.parametrize("name", ["dtd", "lrp-eps-gamma-box"])
def test_pixels_are_in_a_box_by_default_and_can_leave_it(name):
    assert methods.get(name).first == rules.Box(0, 1)
    assert methods.get(name, first=None).first is None


def test_deep_taylor_follows_the_slope_of_separate_relus():
    # z = (2, −1) and its ReLU (2, 0): the second unit is off and gets nothing, though
    # relevance is put in there.
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2)).eval()
    net[0].weight.data = torch.tensor([[1.0, 1.0], [1.0, -2.0]])
    r = torch.tensor([[3.0, 5.0]])
    chain = modbp.chain(net, torch.ones(1, 2), "dtd")
    assert chain.pull(r, "1", to="0")["0"].tolist() == [[3, 0]]
    lrp = modbp.chain(net, torch.ones(1, 2), "lrp-a1b0")
    assert lrp.pull(r, "1", to="0")["0"].tolist() == [[3, 5]]


def test_deep_taylor_hands_relevance_to_a_relu6_at_its_limit():
    # z = (8, 2, −1) becomes (6, 2, 0). The first unit is as much on as any, though its
    # derivative is zero: it used to get nothing, and MobileNet lost all relevance.
    net = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU6(), nn.Linear(3, 2)).eval()
    net[0].weight.data = torch.tensor([[8.0], [2.0], [-1.0]])
    chain = modbp.chain(net, torch.ones(1, 1), "dtd")
    r = torch.tensor([[3.0, 5.0, 7.0]])
    assert chain.pull(r, "1", to="0")["0"].tolist() == [[3, 5, 0]]
    slope = modbp.chain(net, torch.ones(1, 1), "gradient")
    assert slope.pull(r, "1", to="0")["0"].tolist() == [[0, 5, 0]]


@pytest.mark.parametrize("preset", methods.PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_sets_what_the_method_has_and_nothing_else(name, preset):
    plain, found = methods.get(name), methods.get(name, preset=preset)
    assert found.rules.keys() == plain.rules.keys() and found.start == plain.start
    bias = {getattr(rule, "bias", None) for rule in found.rules.values()} - {None}
    if bias and name != "excitation-bp":
        assert bias == {methods.PRESETS[preset]["bias"]}


def test_an_option_goes_before_the_preset():
    rule = methods.get("lrp-gamma", preset="captum", epsilon=0.5).rules["linear"]
    assert rule == rules.Gamma(0.25, "denominator", 0.5, split=False)


def test_an_unknown_preset_gets_the_known_ones():
    with pytest.raises(UnknownName, match="preset 'Zennit'. Did you mean 'zennit'"):
        methods.get("lrp-z", preset="Zennit")


def test_a_method_that_is_given_whole_takes_no_preset():
    with pytest.raises(InputError, match="'mine' is given whole.*preset"):
        methods.get(Method("mine", TABLE), preset="zennit")


# Methods of one's own -----------------------------------------------------------------


def test_what_a_table_leaves_out_has_a_default_where_no_method_differs():
    table = Method("mine", TABLE).rules
    assert table["maxpool"] == rules.Winner()
    assert table["cat"] == rules.Piece()
    assert table["shape"] == rules.Undo()
    assert table["identity"] == rules.Pass()


def test_a_method_keeps_its_table_when_the_one_given_changes():
    table = dict(TABLE)
    mine = Method("mine", table)
    table.clear()
    assert mine.rules["relu"] == rules.Pass()


def test_a_kind_of_its_own_goes_before_the_linear_rule():
    net = nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(4, 2)).double()
    mine = Method("mine", {**TABLE, "conv": rules.Gradient()})
    text = str(modbp.chain(net.eval(), uniform(0, 1, 1, 3), mine)).splitlines()
    assert "Conv1d" in text[3] and "Gradient()" in text[3]
    assert "Linear" in text[5] and "Epsilon(" in text[5]


def test_the_first_rule_is_for_layers_that_read_the_input():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    mine = Method("mine", TABLE, first=rules.Gradient())
    text = str(modbp.chain(net.double().eval(), uniform(0, 1, 2, 2), mine))
    firsts = [line.split()[0] for line in text.splitlines() if "Gradient()" in line]
    assert firsts == ["1"]


def test_a_kind_without_a_rule_is_refused_by_layer_method_and_remedy():
    mine = Method("mine", {"linear": rules.Epsilon()})
    wanted = "layer '1' .ReLU. .* method 'mine' has no rule.* rule for 'relu'"
    with pytest.raises(MethodError, match=wanted):
        modbp.chain(mlp(2, 3, 2), uniform(0, 1, 2), mine)


def test_a_softmax_is_refused_with_the_advice_to_leave_it_out():
    net = nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)).double().eval()
    with pytest.raises(MethodError, match="layer '1' .Softmax.*leave the softmax out"):
        modbp.chain(net, uniform(0, 1, 2), "lrp-z")


@pytest.mark.parametrize("option", ["start", "reduction"])
def test_a_method_refuses_a_start_or_reduction_that_does_not_exist(option):
    with pytest.raises(InputError, match=f"{option} is 'max'"):
        Method("mine", TABLE, **{option: "max"})


def gamma(call, a):
    """A rule in a few lines: r_in = a ⊙ (W + W⁺/4)ᵀ(r / (W + W⁺/4)a), for a ≥ 0."""
    layer = call.layer
    weight = layer.weight + layer.weight.clamp(min=0) / 4
    denominator = rules.stabilise(layer.linear(a, weight))

    def back(r):
        s = r / denominator
        parts = [a * layer.adjoint(each, weight, a.shape) for each in s]
        return (torch.stack(parts),)

    return layer.forward(a), back


def test_a_rule_of_ones_own_is_a_function_of_a_few_lines():
    # z = (2 − 1, 1 + 1) = (1, 2); with W⁺/4: (5/2 − 1, 5/4 + 5/4) = (3/2, 5/2).
    # The first logit, 1, is shared as (5/2, −1) of 3/2: (5/3, −2/3).
    net = nn.Linear(2, 2, bias=False)
    net.weight.data = torch.tensor([[2.0, -1.0], [1.0, 1.0]])
    mine = Method("gamma", {**TABLE, "linear": gamma})
    found = modbp.explain(nn.Sequential(net).eval(), torch.ones(1, 2), mine, 0)
    torch.testing.assert_close(found, torch.tensor([[5 / 3, -2 / 3]]))


def test_a_rule_of_ones_own_can_inherit_an_equation():
    class Half(rules.Epsilon):
        def __call__(self, call, a):
            z, back = super().__call__(call, a)
            return z, lambda r: (back(r)[0] / 2,)

    net, x = mlp(3, 4, 2), uniform(0, 2, 3)
    mine = Method("half", {**TABLE, "linear": Half()})
    whole = modbp.explain(net, x, "lrp-z", 0)
    torch.testing.assert_close(modbp.explain(net, x, mine, 0), whole / 4)


def test_a_method_prints_as_a_table():
    lines = str(Method("mine", TABLE, first=rules.Gradient())).splitlines()
    assert lines[0] == "mine: start logit, reduction sum"
    cells = [line.split(maxsplit=1) for line in lines[1:]]
    assert [kind for kind, _ in cells] == [
        "cat",
        "identity",
        "linear",
        "maxpool",
        "relu",
        "shape",
        "first",
    ]
    assert dict(cells)["first"] == "Gradient()"
    assert (
        len(
            {
                line.index(rule)
                for line, (_, rule) in zip(lines[1:], cells, strict=False)
            }
        )
        == 1
    )


def test_what_happens_at_the_input_is_printed():
    assert "times the input" in str(methods.get("gradient-x-input"))
    assert "times the input" not in str(methods.get("gradient"))

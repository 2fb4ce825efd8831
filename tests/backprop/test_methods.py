"""The named methods, their options, and methods of one's own."""

import inspect
import re
from typing import get_args

import pytest
import torch
from nets import mlp, uniform
from torch import nn

import modbp
from modbp import methods, rules
from modbp.backprop.methods import Method
from modbp.backprop.names import Name
from modbp.errors import InputError, UnknownName

NAMES = """
    gradient gradient-x-input smoothgrad integrated-gradients guided-bp deconv rectgrad
    lrp-z lrp-eps lrp-gamma lrp-a1b0 lrp-a2b1 lrp-a5b4 excitation-bp dtd lrp-cmp-a1b0
    lrp-cmp-a2b1 lrp-eps-plus lrp-eps-gamma-box contrastive-lrp patternnet
    patternattribution deeplift-rescale deeplift-revealcancel deeplift-ablation
    """.split()
DEEPLIFT = [name for name in NAMES if name.startswith("deeplift")]
LRP = [name for name in NAMES if name.startswith("lrp")]
COMPOSITES = [name for name in LRP if name.count("-") > 1]
TABLE = {"linear": rules.Epsilon(), "relu": rules.Pass()}


def chained(name, **options):
    """Return a named method, of an average the method that is averaged."""
    method = methods.get(name, **options)
    return getattr(method, "method", method)


def function(name):
    return getattr(methods, name.replace("-", "_"))


def test_all_methods_are_listed_and_the_list_can_be_changed_without_harm():
    methods.names().clear()
    assert methods.names() == NAMES == list(get_args(Name))


@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_a_function_that_completion_finds(name):
    assert str(function(name)()) == str(methods.get(name))
    assert methods.get(name).name == name
    assert function(name).__name__ in methods.__all__
    assert function(name).__name__ in dir(methods)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_its_equation_its_source_and_its_options(name):
    about = inspect.getdoc(function(name))
    assert re.match(r"[^\n]+: [^\n]+\.\n\n", about), "no first sentence"
    for part in ("Equation: ", "Source: :cite:t:`", "reduction: ", "Returns"):
        assert part in " ".join(about.split())
    for option in inspect.signature(function(name)).parameters:
        assert f"\n{option}\n    " in about


def test_every_source_is_in_the_bibliography(request):
    file = next(request.config.rootpath.glob("book/*.bib"), None)
    if file is None:
        pytest.skip("needs the book's bibliography")
    for name in NAMES:
        for key in re.findall(r":cite:t:`(\w+)`", function(name).__doc__):
            assert f"{{{key}," in file.read_text(encoding="utf-8"), name


@pytest.mark.parametrize(
    "name, option, value, of",
    [
        *[(name, "bias", "unit", "linear") for name in LRP],
        *[(name, "epsilon", 0.5, "dense") for name in COMPOSITES],
        ("lrp-eps", "epsilon", 0.5, "linear"),
        *[
            (name, "stabilizer", 0.25, "linear")
            for name in [*LRP, "dtd", "contrastive-lrp"]
            if name not in ("lrp-z", "lrp-eps")
        ],
        *[(name, "output", "logit", None) for name in NAMES if name not in DEEPLIFT],
        *[(name, "output", "one", None) for name in NAMES if name not in DEEPLIFT],
        *[(name, "output", "contrast", None) for name in LRP],
        *[(name, "first", rules.Box(-1, 1), None) for name in [*LRP, "dtd"]],
        *[(name, "gamma", 2, "linear") for name in NAMES if "gamma" in name],
        ("rectgrad", "percentile", 90, "relu"),
        ("lrp-gamma", "split", False, "linear"),
    ],
)
def test_an_option_arrives(name, option, value, of):
    method = chained(name, **{option: value})
    assert getattr(method.rules[of] if of else method, option) == value


@pytest.mark.parametrize(
    "name, option",
    [("gradient", "bias"), ("lrp-z", "epsilon"), ("excitation-bp", "bias")],
)
def test_an_option_that_a_method_lacks_is_refused_with_those_it_has(name, option):
    with pytest.raises(InputError, match=f"{name}.*no option '{option}'.*output"):
        methods.get(name, **{option: 1})


def test_options_of_a_method_that_is_given_whole_are_refused():
    mine = Method("mine", TABLE)
    assert methods.get(mine) is mine
    for options in {"bias": "unit"}, {"preset": "zennit"}:
        with pytest.raises(InputError, match=f"'mine' is given whole.*{[*options][0]}"):
            methods.get(mine, **options)


@pytest.mark.parametrize(
    "wrong, found",
    [
        ("lrp_a2b1", "'lrp_a2b1'. Did you mean .*'lrp-a2b1'"),
        ("Gradient", "'Gradient'. Did you mean .*'gradient'"),
        ("???", "Known: gradient, .*, deeplift-ablation"),
        (None, "None"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones_or_all(wrong, found):
    with pytest.raises(UnknownName, match=found):
        methods.get(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_lrp_starts_from_the_logit_and_the_others_from_one(name):
    own = {"contrastive-lrp": "contrast", "dtd": "logit"}
    own |= {"patternnet": "logit", "patternattribution": "logit"}
    expected = own.get(name, "logit" if name in LRP else "one")
    assert chained(name).output == expected


def test_figures_show_gradients_by_magnitude_and_relevance_by_sum():
    magnitude = ["gradient", "smoothgrad", "guided-bp", "deconv", "rectgrad"]
    found = [name for name in NAMES if methods.get(name).reduction == "max-abs"]
    assert found == magnitude


@pytest.mark.parametrize("name", [name for name in LRP if "b" in name[-2:]])
def test_the_names_say_alpha_and_beta(name):
    rule = methods.get(name).rules["linear"]
    assert name.endswith(f"a{rule.alpha}b{rule.beta}")


def test_the_start_is_the_logit_or_one_or_sets_equal_shares_against_it():
    # The logit 6 of class 1 of four: 6 there, and −6/3 at the others.
    logits, target = torch.tensor([[1.0, 6.0, -3.0, 0.0]]), torch.tensor([[1]])
    for output, expected in {
        "logit": [0, 6, 0, 0],
        "one": [0, 1, 0, 0],
        "contrast": [-2, 6, -2, -2],
    }.items():
        found = methods.get("lrp-z", output=output).begin(logits, target)
        assert found.tolist() == [expected]


def test_the_softmax_start_is_the_derivative_of_a_probability_even_where_it_is_one():
    # Probabilities 1/2, 1/4, 1/4: p (1 − p) = 1/4 at the first, −1/2 · 1/4 elsewhere.
    logits = torch.tensor([[2.0, 1.0, 1.0]], dtype=torch.float64).log()
    softmax = methods.get("lrp-a1b0", output="softmax")
    found = softmax.begin(logits, torch.tensor([[0]]))
    torch.testing.assert_close(found, logits.new_tensor([[2, -1, -1]]) / 8)
    logits = uniform(-3, 3, 5).requires_grad_()
    logits.softmax(1)[:, 3].sum().backward()
    found = softmax.begin(logits.detach(), torch.full((len(logits), 1), 3))
    torch.testing.assert_close(found, logits.grad)
    # Sure to all digits of float32, and still a start whose sum is zero.
    found = softmax.begin(torch.tensor([[40.0, 0.0, 0.0]]), torch.tensor([[0]]))[0]
    assert found[0] > 0 and found.sum() == 0


def test_contrastive_lrp_is_the_difference_of_two_explanations():
    net, x = mlp(4, 6, 3), uniform(1, 2, 4)
    logit = net(x).detach()[:, :1]
    single = methods.get("lrp-a1b0", output="one")
    one, two, three = (modbp.explain(net, x, single, target) for target in range(3))
    found = modbp.explain(net, x, "contrastive-lrp", 0)
    torch.testing.assert_close(found, logit * (one - two / 2 - three / 2))


@pytest.mark.parametrize("output", ["contrast", "softmax"])
def test_a_contrast_needs_another_class(output):
    method = methods.get("contrastive-lrp", output=output)
    with pytest.raises(InputError, match="'contrastive-lrp'.*single logit.*'logit'"):
        modbp.explain(mlp(2, 3, 1), uniform(0, 1, 2), method, 0)


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_follows_the_epsilon_rule_in_dense_layers_only(name):
    table = methods.get(name, epsilon=0.5).rules
    assert table["dense"] == rules.Epsilon(0.5)
    assert "conv" not in table and table["linear"].stabilizer == 0


def test_the_rule_of_the_first_layer_can_be_named():
    named = {"box": rules.Box(0, 1), "wsquare": rules.WSquare(), "flat": rules.Flat()}
    for first, rule in {**named, None: None}.items():
        assert methods.get("lrp-gamma", first=first).first == rule
        assert methods.get("dtd", first=first).first == rule
    defaults = {name: chained(name).first for name in NAMES}
    boxed = {name: first for name, first in defaults.items() if first is not None}
    assert boxed == dict.fromkeys(["dtd", "lrp-eps-gamma-box"], rules.Box(0, 1))
    with pytest.raises(UnknownName, match="first layer 'boxes'. Did you mean 'box'"):
        methods.get("dtd", first="boxes")


@pytest.mark.parametrize(
    "name, expected",
    [("dtd", [3, 5, 0]), ("gradient", [0, 5, 0]), ("lrp-a1b0", [3, 5, 7])],
)
def test_deep_taylor_goes_through_relus_that_are_on_also_at_the_limit_of_a_relu6(
    name, expected
):
    # z = (8, 2, −1) becomes (6, 2, 0). The first unit is as much on as any, though its
    # derivative is zero: it used to get nothing, and MobileNet lost all relevance.
    net = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU6(), nn.Linear(3, 2)).eval()
    net[0].weight.data = torch.tensor([[8.0], [2.0], [-1.0]])
    chain = modbp.chain(net, torch.ones(1, 1), name)
    r = torch.tensor([[3.0, 5.0, 7.0]])
    assert chain.pull(r, "1", to="0")["0"].tolist() == [expected]


@pytest.mark.parametrize("preset", methods.PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_sets_what_the_method_has_and_nothing_else(name, preset):
    plain, found = chained(name), chained(name, preset=preset)
    assert found.rules.keys() == plain.rules.keys() and found.output == plain.output
    bias = {getattr(rule, "bias", None) for rule in found.rules.values()} - {None}
    if bias and name != "excitation-bp":
        assert bias == {methods.PRESETS[preset]["bias"]}


def test_an_option_goes_before_the_preset():
    rule = methods.get("lrp-gamma", preset="captum", stabilizer=0.5).rules["linear"]
    assert rule == rules.Gamma(0.25, "denominator", 0.5, split=False)


# Methods of one's own -----------------------------------------------------------------


def test_a_method_keeps_its_table_and_adds_what_is_the_same_in_all():
    table = dict(TABLE)
    mine = Method("mine", table)
    table.clear()
    more = {"maxpool": rules.MaxPool(), "cat": rules.Concatenation()}
    more |= {"shape": rules.Reshape(), "identity": rules.Pass()}
    assert mine.rules == {**TABLE, **more}


def rules_of(method, net, x):
    """Return which rule each layer follows, by its name, without fields."""
    lines = str(modbp.chain(net, x, method)).splitlines()[3:]  # without the input
    return {line.split()[0]: re.search(r"(\w+)\(.*\)$", line)[1] for line in lines}


def test_the_first_rule_is_for_layers_that_read_the_input():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    mine = Method("mine", TABLE, first=rules.Gradient())
    found = rules_of(mine, net.double().eval(), uniform(0, 1, 2, 2))
    assert [name for name, rule in found.items() if rule == "Gradient"] == ["1"]


def stack():
    """Convolutions 0, 3 and 6, batch norms 1, 4 and 7, and a dense layer 10."""
    layers = []
    for _ in range(3):
        layers += [nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 2)).double().eval()


def test_a_layer_goes_before_the_first_that_before_a_range_and_a_range_before_a_kind():
    net, x = stack(), uniform(0, 1, 2, 2)
    table = {**TABLE, "conv": rules.Gradient(), ("0", "6"): rules.Gamma()}
    found = rules_of(Method("mine", table), net, x)
    wanted = {"0": "Gamma", "3": "Gamma", "6": "Gamma", "10": "Epsilon", "2": "Pass"}
    assert {name: found[name] for name in wanted} == wanted
    found = rules_of(Method("mine", table, first=rules.Flat()), net, x)
    assert (found["0"], found["3"]) == ("Flat", "Gamma")
    table |= {"0": rules.WSquare(), "3": rules.AlphaBeta(), "5": rules.Deconv()}
    found = rules_of(Method("mine", table, first=rules.Flat()), net, x)
    assert [found[name] for name in "035"] == ["WSquare", "AlphaBeta", "Deconv"]


def test_a_range_holds_its_ends_and_every_layer_with_weights_between_them():
    mine = Method("mine", {**TABLE, ("1", "4"): rules.Gamma()})
    chain = modbp.chain(stack(), uniform(0, 1, 2, 2), mine, fold=False)
    lines = str(chain).splitlines()
    assert [line.split()[0] for line in lines if "Gamma(" in line] == ["1", "3", "4"]


def test_a_name_that_is_also_a_kind_means_the_kind_but_a_range_never_does():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.linear(x).relu())

    net, x = Named().double().eval(), uniform(0, 1, 3)
    assert rules_of(Method("mine", TABLE), net, x)["head"] == "Epsilon"
    mine = Method("mine", {**TABLE, ("linear", "linear"): rules.Gamma()})
    found = rules_of(mine, net, x)
    assert (found["linear"], found["head"]) == ("Gamma", "Epsilon")


@pytest.mark.parametrize(
    "where, error, message",
    [
        ("dens", UnknownName, "layer or kind of call 'dens'. Did you mean .*'dense'"),
        (("0", "100"), UnknownName, "kind of call '100'. Did you mean '10'"),
        ("1", UnknownName, "'1' is a batch norm that was folded .*Use '0'"),
        (("6", "0"), InputError, "'mine': no layer with weights .* 6…0. Give the fir"),
        (("8", "9"), InputError, "no layer with weights is in the range 8…9"),
    ],
)
def test_a_layer_that_is_not_there_is_refused_when_the_chain_is_made(
    where, error, message
):
    mine = Method("mine", {**TABLE, where: rules.Gamma()})
    with pytest.raises(error, match=message):
        modbp.chain(stack(), uniform(0, 1, 2, 2), mine)


@pytest.mark.parametrize("where", [7, ("a",), ("a", 7), ("a", "b", "c")])
def test_a_key_that_is_neither_kind_nor_layer_nor_range_is_refused(where):
    with pytest.raises(InputError, match="a key of the table is .*first and last of"):
        Method("mine", {where: rules.Pass()})


def test_a_method_prints_as_a_table():
    table = {**TABLE, ("3", "fc"): rules.Flat()}
    lines = str(Method("mine", table, first=rules.Gradient())).splitlines()
    assert lines[0] == "mine: output logit, reduction sum"
    kinds = "3…fc cat identity linear maxpool relu shape first"
    assert " ".join(line.split()[0] for line in lines[1:]) == kinds
    assert lines[-1] == "  first     Gradient()"
    assert lines[1] == "  3…fc      Flat()"
    assert "times the input" in str(methods.get("gradient-x-input"))
    assert "times the input" not in str(methods.get("gradient"))

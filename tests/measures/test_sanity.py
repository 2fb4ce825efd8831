"""Sanity checks: by hand, by replication, what is changed and what is left alone."""

import copy

import numpy as np
import pytest
import torch
from nets import Net, filled, fingerprint, uniform
from torch import nn
from torch.nn import functional as F

import modbp
from modbp import sanity
from modbp.backprop.trace import Trace
from modbp.errors import InputError, TraceError
from modbp.figures import reduce
from modbp.measures import sanity as measured
from modbp.measures.similarity import ssim
from modbp.study import experiments


@pytest.fixture(scope="module")
def net():
    return modbp.models.cifar10()


@pytest.fixture(scope="module")
def images():
    return modbp.data.images(4, folder="photographs")


@pytest.fixture
def flat():
    """A network whose gradient of a logit is a row of its only matrix."""
    return filled(nn.Sequential(nn.Flatten(), nn.Linear(36, 3, bias=False)))


# Random logits ------------------------------------------------------------------------


def test_the_two_maps_of_a_linear_network_by_hand(flat):
    x, y = uniform(1, 5, 1, 6, 6), [0, 1, 2, 0, 1]
    found = sanity.random_logit(flat, x, "gradient", y)
    maps = flat[1].weight.detach().reshape(3, 6, 6).abs()
    for paper, values, floor in (
        (True, found.ssim, found.floor_ssim),
        (False, found.corrected, found.floor_corrected),
    ):
        assert values[0] == pytest.approx(ssim(maps[y], maps[found.logits], paper))
        following = [1, 2, 0, 1, 0]
        assert floor == pytest.approx(ssim(maps[y], maps[following], paper))
    assert found.stages == ("random logit",)


def test_the_other_logit_is_never_the_explained_one_and_any_of_the_others(flat):
    x = uniform(2, 90, 1, 6, 6)
    for label in range(3):
        drawn = sanity.random_logit(flat, x, "gradient", label).logits
        counts = np.bincount(drawn, minlength=3)
        assert counts[label] == 0
        # 45 expected, with a standard deviation of 4.7.
        assert counts[counts > 0].min() > 25 and (counts > 0).sum() == 2


def test_the_draw_belongs_to_seed_and_image_and_not_to_batch_or_method(net, images):
    x, y = images
    all_of_them = sanity.random_logit(net, x, "gradient", y)
    turned = sanity.random_logit(net, x.flip(0), "lrp-z", y.flip(0))
    assert all_of_them.logits.tolist() == turned.logits.tolist()[::-1]
    alone = sanity.random_logit(net, x[1:2], "gradient", y[1:2])
    assert alone.ssim[0, 0] == pytest.approx(all_of_them.ssim[0, 1], abs=1e-4)
    assert np.isnan(alone.floor_ssim).all()  # there is no other image
    other = sanity.random_logit(net, x, "gradient", y, seed=9)
    assert other.logits.tolist() != all_of_them.logits.tolist()


def test_a_converging_map_hardly_changes_and_the_gradient_does(net, images):
    x, y = images
    converging, other = (
        sanity.random_logit(net, x, method, y) for method in ("lrp-a1b0", "gradient")
    )
    assert converging.median()["random logit"] > 0.99
    assert other.median()["random logit"] < 0.8
    assert converging.floor()["random logit"] < 0.5
    assert "other images" in str(converging) and "2020 code" in str(converging)


def test_without_classes_the_predicted_ones_are_explained(net, images):
    x = images.x
    with torch.no_grad():
        y = net(x).argmax(1)
    one, two = (sanity.random_logit(net, x, "gradient", given) for given in (None, y))
    assert np.array_equal(one.ssim, two.ssim)


@pytest.fixture
def passes(monkeypatch):
    """What is traced, and the samples that run through each trace."""
    traced, ran = [], []

    class Counting(Trace):
        def __init__(self, *given):
            traced.append(given[0])
            super().__init__(*given)

        def run(self, x, *more):
            ran.append(len(x))
            return super().run(x, *more)

    monkeypatch.setattr(measured, "Trace", Counting)
    return traced, ran


@pytest.mark.parametrize(
    ("method", "runs"),
    [
        ("lrp-a2b1", 1),
        ("deeplift-rescale", 1),
        (modbp.methods.get("smoothgrad", samples=3), 4),
    ],
)
def test_a_network_is_traced_once_and_run_once_for_both_logits_or_once_per_input(
    net, images, passes, method, runs
):
    sanity.random_logit(net, images.x, method)
    assert passes == ([net], [4] * runs)


def test_a_cascade_traces_and_runs_each_stage_once(net, images, passes):
    sanity.cascade(net, images.x, "lrp-z")
    trained, *twins = passes[0]
    assert trained is net and len(twins) == 6 and len(set(twins)) == 1
    assert passes[1] == [4] * 7  # the trained network and six stages


# Random weights -----------------------------------------------------------------------


def test_the_cascade_changes_a_copy_from_the_top_down(net, images):
    x, y = images
    before = fingerprint(net)
    stages = ["fc6", "conv4", "conv1"]
    found = sanity.cascade(net, x, "lrp-z", y, stages, 3)
    assert fingerprint(net) == before
    maps = reduce(modbp.explain(net, x, "lrp-z", y), "lrp-z")
    for number, layers in enumerate(
        (["fc6"], ["fc6", "fc5", "conv4"], [n for n, _ in net.named_children()])
    ):
        twin = copy.deepcopy(net)
        sanity.randomise(twin, layers, 3)
        changed = reduce(modbp.explain(twin, x, "lrp-z", y), "lrp-z")
        assert found.ssim[number] == pytest.approx(ssim(maps, changed), abs=1e-5)
        corrected = ssim(maps, changed, paper=False)
        assert found.corrected[number] == pytest.approx(corrected, abs=1e-5)


def test_stages_left_out_are_all_layers_with_weights(net, images):
    x, y = images
    found = sanity.cascade(net, x[:2], "gradient", y[:2])
    assert found.stages == ("fc6", "fc5", "conv4", "conv3", "conv2", "conv1")
    assert found.ssim.shape == found.corrected.shape == (6, 2)
    assert found.median()["conv1"] < 0.5


def test_drawn_weights_are_glorot_uniform_and_depend_on_seed_and_name(net):
    twin, other = copy.deepcopy(net), copy.deepcopy(net)
    sanity.randomise(twin, ["fc5", "conv2"], 1)
    sanity.randomise(other, ["conv2"], 1)
    assert torch.equal(twin.conv2.weight, other.conv2.weight)
    assert torch.equal(twin.conv1.weight, net.conv1.weight)
    assert not twin.conv2.bias.any() and not twin.fc5.bias.any()
    limit = (6 / (32 * 9 + 64 * 9)) ** 0.5
    values = twin.conv2.weight.detach()
    assert 0.99 * limit < values.abs().max() <= limit
    # The variance of a uniform distribution is a third of its limit squared.
    assert values.var().item() == pytest.approx(limit**2 / 3, rel=0.05)
    sanity.randomise(other, ["conv2"], 2)
    assert not torch.equal(twin.conv2.weight, other.conv2.weight)


def block():
    conv = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    parts = {"conv": conv, "bn": nn.BatchNorm2d(16), "relu": nn.ReLU()}
    return Net(lambda n, a: n.relu(n.bn(n.conv(a)) + a), **parts)


@pytest.fixture
def residual():
    """A network with two blocks with skip connections and batch norms."""
    torch.manual_seed(0)
    parts = {"stem": nn.Conv2d(3, 16, 3), "low": block(), "high": block()}
    top = {"pool": nn.AdaptiveAvgPool2d(1), "fc": nn.Linear(16, 3)}

    def forward(n, x):
        return n.fc(n.pool(n.high(n.low(torch.relu(n.stem(x))))).flatten(1))

    net = Net(forward, **parts, **top).eval()
    for norm in (net.low.bn, net.high.bn):
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 1, 2)
        nn.init.uniform_(norm.weight, 1, 2)
    return net


def test_a_network_with_batch_norm_gets_he_normal_weights_and_fresh_norms(residual):
    sanity.randomise(residual, ["high.conv", "high.bn", "high.relu", "fc"], 0)
    norm, other = residual.high.bn, residual.low.bn
    assert norm.weight.eq(1).all() and norm.running_var.eq(1).all()
    assert norm.running_mean.eq(0).all() and not other.running_mean.eq(0).all()
    deviation = (2 / (16 * 9)) ** 0.5
    assert residual.high.conv.weight.std().item() == pytest.approx(deviation, rel=0.06)
    # Normal values go beyond what any uniform distribution of that variance has.
    assert residual.high.conv.weight.abs().max() > 3**0.5 * deviation
    assert residual.fc.weight.abs().max() <= (6 / 19) ** 0.5


@pytest.mark.parametrize("own", [True, False])
def test_a_stage_that_is_a_block_has_its_own_weights_drawn_or_not(residual, own):
    x = uniform(0, 2, 3, 9, 9).float()
    found = sanity.cascade(residual, x, "gradient", 1, ["high", "low"], own=own)
    maps = reduce(modbp.explain(residual, x, "gradient", 1), "gradient")
    assert np.isfinite(found.ssim).all()
    high, low = ["fc"], ["fc", "high.conv", "high.bn"]
    if own:
        high, low = low, [*low, "low.conv", "low.bn"]
    for number, layers in enumerate((high, low)):
        twin = copy.deepcopy(residual)
        sanity.randomise(twin, layers)
        changed = reduce(modbp.explain(twin, x, "gradient", 1), "gradient")
        assert found.ssim[number] == pytest.approx(ssim(maps, changed), abs=1e-5)


def test_stale_weights_hide_what_is_random(net, images):
    x, y = images
    patterns = modbp.patterns.fit(net, [x])
    method = modbp.methods.get("patternattribution", patterns=patterns)
    stale, fresh = (
        sanity.cascade(net, x, method, y, ["fc6", "conv3"], stale=flag)
        for flag in (True, False)
    )
    # Only the logit's value is another at the first stage: a factor for the whole map.
    assert stale.ssim[0] == pytest.approx(np.ones(4), abs=1e-4)
    assert fresh.median()["fc6"] < 0.9
    assert stale.median()["conv3"] > fresh.median()["conv3"]
    # Written out: A ⊙ W of the trained network, the rest of the random one.
    kept = {k: a * net.get_submodule(k).weight.detach() for k, a in patterns.items()}
    backwards = modbp.methods.get("patternnet", patterns=kept)
    twin = copy.deepcopy(net)
    sanity.randomise(twin, ["fc6", "fc5", "conv4", "conv3"])
    changed = reduce(modbp.explain(twin, x, backwards, y), backwards)
    maps = reduce(modbp.explain(net, x, method, y), method)
    assert stale.ssim[1] == pytest.approx(ssim(maps, changed), abs=1e-4)


def test_averages_and_sparse_maps_have_cascades_too(net, images):
    x, y = images
    few = modbp.methods.get("smoothgrad", samples=2)
    assert sanity.cascade(net, x[:2], few, y[:2], ["fc6"]).ssim.shape == (1, 2)
    sparse = sanity.random_logit(net, x[:2], "rectgrad", y[:2])
    maps, other = (
        reduce(modbp.explain(net, x[:2], "rectgrad", labels), "rectgrad")
        for labels in (y[:2], torch.as_tensor(sparse.logits))
    )
    wanted = ssim(maps, other, percentile=100)
    assert sparse.ssim[0] == pytest.approx(wanted, abs=1e-5)


# As experiments -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["random-logit", "cascade"])
def test_neither_batch_nor_order_of_work_changes_what_is_stored(tmp_path, kind):
    made = {"random-logit": experiments.RandomLogit, "cascade": experiments.Cascade}
    about = experiments.subject(count=3, folder="photographs")
    options = {"stages": ["fc6", "conv1"]} if kind == "cascade" else {}
    small, large = (
        experiments.run(
            made[kind](about, ["gradient"], batch=batch, **options),
            tmp_path / f"{batch}.json",
        )["results"]["gradient"]
        for batch in (2, 3)
    )
    x, y = about.read(range(3))
    direct = (
        sanity.cascade(about.net, x, "gradient", y, ["fc6", "conv1"])
        if kind == "cascade"
        else sanity.random_logit(about.net, x, "gradient", y)
    )
    assert list(small["stages"]) == list(direct.stages)
    for found in (small, large):
        for number, stage in enumerate(direct.stages):
            for name in ("ssim", "corrected"):
                cell = found["stages"][stage][name]
                wanted = getattr(direct, name)[number]
                assert cell["values"] == pytest.approx(wanted, abs=1e-3)
                assert cell["median"] == pytest.approx(np.median(wanted), abs=1e-3)
                low, high = cell["band"]
                assert min(wanted) - 1e-3 <= low <= cell["median"] <= high
        floor = found["floor"]["ssim"]["values"]
        assert floor == pytest.approx(direct.floor_ssim, abs=1e-3)
    assert small.get("logits", []) == direct.logits.tolist()


def test_a_single_image_has_no_floor(tmp_path):
    about = experiments.subject(count=1, folder="photographs")
    check = experiments.RandomLogit(about, ["gradient"])
    found = experiments.run(check, tmp_path / "a.json")["results"]["gradient"]
    assert found["floor"]["ssim"]["values"] == [None]
    assert found["floor"]["ssim"]["median"] is None
    assert found["stages"]["random logit"]["ssim"]["median"] is not None


def test_stale_weights_as_an_experiment(tmp_path):
    about = experiments.subject(count=2, folder="photographs")
    fresh, stale = (
        experiments.Cascade(
            about, ["patternattribution"], stages=["fc6"], stale=flag, patterns=30
        )
        for flag in (False, True)
    )
    told = "patterns fitted to 30 images, 32×32 pixels: photographs"
    assert told in stale.parts["patternattribution"]
    found = [
        experiments.run(each, tmp_path / f"{each.stale}.json")["results"]
        for each in (fresh, stale)
    ]
    first, second = (
        entry["patternattribution"]["stages"]["fc6"]["ssim"]["median"]
        for entry in found
    )
    assert first < 0.95 and second == pytest.approx(1, abs=1e-4)


def test_each_batch_of_images_has_one_of_several_draws_of_weights(tmp_path):
    about = experiments.subject(count=5, folder="photographs")
    options = {"stages": ["fc6", "conv1"], "batch": 2}
    found = experiments.Cascade(about, ["gradient"], draws=2, **options)
    stages = experiments.run(found, tmp_path / "two")["results"]["gradient"]["stages"]
    x, y = about.read(range(5))
    for images, seed in {(0, 1, 4): 0, (2, 3): 1}.items():
        some = list(images)
        alone = sanity.cascade(
            about.net, x[some], "gradient", y[some], options["stages"], seed
        )
        for number, stage in enumerate(options["stages"]):
            values = np.array(stages[stage]["corrected"]["values"])[some]
            assert values == pytest.approx(alone.corrected[number], abs=1e-3)
    cell = stages["conv1"]["corrected"]
    low, high = cell["interval"]
    assert min(cell["values"]) <= low <= cell["median"] <= high <= max(cell["values"])
    with pytest.raises(
        InputError, match=r"draws is 4, but .* 3 batches.*smaller batch"
    ):
        experiments.Cascade(about, ["gradient"], draws=4, **options)
    experiments.Cascade(about, ["gradient"], draws=4, batch=1)  # as is advised


def test_stale_is_for_one_method():
    about = experiments.subject(count=1, folder="photographs")
    with pytest.raises(InputError, match="patternattribution alone"):
        experiments.Cascade(about, ["gradient"], stale=True)


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised first; a heir, not a module."""

    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, self.weight - mean, self.bias, padding=1)


class NormAct(nn.BatchNorm2d):
    """Batch norm and ReLU in one module, both as functions."""

    def forward(self, x):
        own = (self.running_mean, self.running_var, self.weight, self.bias)
        return F.relu(F.batch_norm(x, *own, False, 0.1, self.eps))


@pytest.mark.parametrize("kdim", [None, 3])
def test_attention_is_drawn_anew(kdim):
    net = nn.Sequential(nn.MultiheadAttention(4, 2, kdim=kdim, vdim=kdim))
    with torch.no_grad():
        net[0].in_proj_bias.fill_(1)
    before, again = copy.deepcopy(net), copy.deepcopy(net)
    for one, seed in ((net, 1), (again, 2)):
        sanity.randomise(one, ["0"], seed)
    found = dict(net.named_parameters())
    others = (dict(each.named_parameters()) for each in (before, again))
    for name, old, two in zip(found, *(each.values() for each in others), strict=True):
        if found[name].ndim == 1:
            assert not found[name].any()
        else:
            # Glorot: the widest that is drawn, by what goes in and what comes out.
            assert found[name].abs().max() <= (6 / sum(found[name].shape)) ** 0.5
            assert not torch.equal(found[name], old)
            assert not torch.equal(found[name], two)


def test_attention_is_drawn_alike_by_another_default_device_and_not_in_inference():
    one, two = (nn.Sequential(nn.MultiheadAttention(4, 2)) for _ in range(2))
    sanity.randomise(one, ["0"])
    with torch.device("meta"):
        sanity.randomise(two, ["0"])
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    with torch.inference_mode():
        one[0].out_proj = nn.Linear(4, 4)
    with pytest.raises(TraceError, match=r"copy.deepcopy\(net\)"):
        sanity.randomise(one, ["0"])
    sanity.randomise(copy.deepcopy(one), ["0"])


def test_heirs_of_layers_are_drawn_anew_with_the_others():
    torch.manual_seed(0)
    parts = [Standardised(3, 4, 3), NormAct(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*parts, nn.Linear(4, 3)).eval()
    for entry in net.parameters():
        entry.data.add_(torch.rand_like(entry))
    before = {name: entry.clone() for name, entry in net.named_parameters()}
    x = torch.rand(2, 3, 8, 8)
    assert [stage for stage, _ in sanity.randomised(net, x)] == ["4", "0.conv2d"]
    *_, (_, twin) = sanity.randomised(net, x)
    assert all(not torch.equal(p, before[n]) for n, p in twin.named_parameters())
    assert torch.equal(twin[1].weight, torch.ones(4))
    assert all(torch.equal(p, before[n]) for n, p in net.named_parameters())
    found = sanity.cascade(net, x, "gradient")
    assert found.stages == ("4", "0.conv2d") and (found.ssim < 1).all()


def test_stale_weights_are_those_that_the_rule_saw_folded_batch_norm_included(images):
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
    net = nn.Sequential(*parts, nn.Linear(4 * 30 * 30, 3)).eval()
    net[1].running_var.fill_(0.1)
    x = images.x[:2]
    patterns = modbp.patterns.fit(net, [x])
    method = modbp.methods.get("patternattribution", patterns=patterns)
    # A stage that draws nothing that the map depends on leaves it as it is.
    found = sanity.cascade(net, x, method, [0, 1], ["4"], stale=True)
    fresh = modbp.methods.get("patternnet", patterns={
        call.name: patterns[call.name] * call.layer.weight
        for call in Trace(net).run(x)[0] if call.name in patterns
    })  # fmt: skip
    ((_, twin),) = sanity.randomised(net, x, ["4"])
    maps = [
        reduce(modbp.explain(n, x, m, [0, 1]), m)
        for n, m in ((net, method), (twin, fresh))
    ]
    assert found.ssim[0] == pytest.approx(ssim(*maps), abs=1e-5)

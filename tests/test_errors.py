"""Bad input: each kind is refused by name, with what was found and what to do."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from nets import fingerprint
from PIL import Image
from safetensors.torch import save as pack
from torch import nn

import modbp
from modbp import data, methods, models, rules
from modbp.errors import (
    DataError,
    InputError,
    MethodError,
    ModbpError,
    ResultError,
    TraceError,
    UnknownName,
    WeightsError,
    unknown_name,
)
from modbp.files import fingerprint as checksum
from modbp.study import training

REFUSED = []


def refused(error, *fragments):
    """Register a call that must raise the error with all fragments in its message."""

    def register(function):
        REFUSED.append(pytest.param(function, error, fragments, id=function.__name__))
        return function

    return register


@cache
def net():
    """A small classifier of [N, 3, 8, 8] with layers conv1 … fc."""
    torch.manual_seed(0)
    parts = {
        "conv1": nn.Conv2d(3, 4, 3, padding=1),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 4, 3, padding=1),
        "relu2": nn.ReLU(),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(256, 5),
    }
    whole = nn.Sequential()
    for name, part in parts.items():
        whole.add_module(name, part)
    return whole.eval()


def x(**options):
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), **options)


def chain(method="lrp-a1b0"):
    return modbp.chain(net(), x(), method)


def explain(images, target=None):
    return modbp.explain(net(), images, "lrp-a1b0", target)


def explain_by(model, images=None):
    return modbp.explain(model, x() if images is None else images, "lrp-a1b0")


def with_layer(layer):
    """The classifier with another layer after fc."""
    return nn.Sequential(*net(), layer).eval()


class Chooses(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else -x


class Function(nn.Module):
    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, x)


def stored(tmp_path, **entries):
    """Store the small classifier's weights, some of them replaced or left out."""
    state = {**net().state_dict(), **entries}
    return packed(tmp_path, pack({k: v for k, v in state.items() if v is not None}))


def packed(tmp_path, content, **history):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    history = {"sha256": checksum(content), **history}
    path.with_suffix(".json").write_text(json.dumps(history), encoding="utf-8")
    return path


def folder(tmp_path, content=None):
    """An image folder with one picture, or with that content in its place."""
    path = tmp_path / "cats" / "one.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(243, dtype=np.uint8).reshape(9, 9, 3)).save(path)
    if content is not None:
        path.write_bytes(content)
    return tmp_path


class Methods:
    @refused(UnknownName, "method 'lrp-a1b1'", "Did you mean", "'lrp-a1b0'", "Known: ")
    def an_unknown_method(tmp_path):
        modbp.explain(net(), x(), "lrp-a1b1")

    @refused(UnknownName, "unknown method 7", "Known: ")
    def a_method_that_is_a_number(tmp_path):
        modbp.chain(net(), x(), 7)

    @refused(InputError, "'gradient'", "'epsilon'", "choose among start")
    def an_option_that_the_method_has_not(tmp_path):
        methods.get("gradient", epsilon=1)

    @refused(InputError, "epsilon is -1", "at least 0")
    def a_negative_epsilon(tmp_path):
        methods.get("lrp-eps", epsilon=-1)

    @refused(InputError, "epsilon is nan", "at least 0")
    def an_epsilon_that_is_no_number(tmp_path):
        rules.Epsilon(float("nan"))

    @refused(InputError, "stabilizer is -1", "at least 0")
    def a_negative_stabilizer_of_alpha_beta(tmp_path):
        methods.get("lrp-a2b1", stabilizer=-1)

    @refused(InputError, "bias is 'half'", "choose one of denominator, unit, ignore")
    def an_unknown_treatment_of_the_bias(tmp_path):
        methods.get("lrp-z", bias="half")

    @refused(InputError, "alpha is 2", "beta is 2", "alpha = 1 + beta")
    def an_alpha_and_a_beta_that_make_relevance(tmp_path):
        rules.AlphaBeta(2, 2)

    @refused(InputError, "start is 'two'", "choose among logit, one, contrast")
    def an_unknown_start(tmp_path):
        methods.get("lrp-z", start="two")

    @refused(InputError, "first is 7", "modbp.rules.Box")
    def a_rule_for_pixels_that_is_none(tmp_path):
        methods.get("lrp-gamma", first=7)

    @refused(InputError, "first is <class", "modbp.rules.Box(-1, 1); a class is none")
    def a_rule_for_pixels_that_is_a_class(tmp_path):
        methods.get("lrp-gamma", first=rules.Box)

    @refused(InputError, "linear is <class", "as in modbp.rules.Box(-1, 1)")
    def a_rule_that_is_a_class(tmp_path):
        methods.Method("mine", {"linear": rules.Epsilon, "relu": rules.Pass()})

    @refused(InputError, "relu is 3", "give a rule")
    def a_rule_that_is_a_number(tmp_path):
        methods.Method("mine", {"linear": rules.Epsilon(), "relu": 3})

    @refused(InputError, "rules is [1]", "give a dict, kind: rule")
    def a_table_that_is_a_list(tmp_path):
        methods.Method("mine", [1])

    @refused(InputError, "epsilon is 'a'", "at least 0")
    def an_epsilon_that_is_a_word(tmp_path):
        methods.get("lrp-eps", epsilon="a")

    @refused(InputError, "alpha is None", "alpha = 1 + beta")
    def an_alpha_that_is_missing(tmp_path):
        rules.AlphaBeta(None, 0)

    @refused(InputError, "percentile is tensor", "0 to 100")
    def a_percentile_of_several_numbers(tmp_path):
        rules.RectGrad(torch.tensor([90.0, 95.0]))

    @refused(InputError, "samples is True", "whole number")
    def a_count_that_is_a_truth_value(tmp_path):
        methods.get("smoothgrad", samples=True)

    @refused(InputError, "seed is 'a'", "give a whole number")
    def a_seed_that_is_a_word(tmp_path):
        modbp.csc(net(), x(), "gradient", "fc", seed="a")

    @refused(UnknownName, "unknown layer 3", "Known: input, conv1")
    def a_layer_that_is_a_number(tmp_path):
        chain().pull(torch.rand(2, 5), "fc", 3)

    @refused(UnknownName, "preset 'innvestigate'", "Known: zennit, captum")
    def an_unknown_preset(tmp_path):
        methods.get("lrp-z", preset="innvestigate")

    @refused(InputError, "gamma is -1", "0 or more")
    def a_gamma_below_zero(tmp_path):
        methods.get("lrp-gamma", gamma=-1)

    @refused(InputError, "percentile is 980", "0 to 100")
    def a_percentile_above_100(tmp_path):
        methods.get("rectgrad", percentile=980)

    @refused(InputError, "seed is 'a'", "whole number")
    def a_seed_that_is_no_number(tmp_path):
        methods.get("smoothgrad", seed="a")

    @refused(MethodError, "'smoothgrad'", "no chain", "modbp.explain")
    def a_chain_of_an_average(tmp_path):
        chain("smoothgrad")

    @refused(
        MethodError, "'conv1' (Conv2d)", "outside the box from 0.5 to 1", "Box(low"
    )
    def pixels_outside_the_box(tmp_path):
        chain(methods.get("dtd", first=rules.Box(0.5, 1)))

    @refused(MethodError, "'conv1' (Conv2d)", "3 channels, the box 2")
    def a_box_of_other_channels(tmp_path):
        chain(methods.get("dtd", first=rules.Box((0, 0), 1)))

    @refused(MethodError, "'conv1' (Conv2d)", "no pattern", "modbp.patterns.fit(net")
    def patterns_that_are_missing(tmp_path):
        chain("patternnet")

    @refused(MethodError, "'conv1' (Conv2d)", "[4, 3, 3, 3]", "pattern of shape []")
    def patterns_that_are_no_tensors(tmp_path):
        chain(methods.get("patternnet", patterns={"conv1": None}))

    @refused(InputError, "batches is a int", "DataLoader")
    def batches_that_are_a_number(tmp_path):
        modbp.patterns.fit(net(), 5)

    @refused(InputError, "reduction is 'mean'", "choose 'sum' or 'max-abs'")
    def an_unknown_reduction(tmp_path):
        methods.Method("mine", {}, reduction="mean")

    @refused(UnknownName, "'linaer'", "Did you mean 'linear'")
    def an_unknown_kind_of_call_in_a_table(tmp_path):
        table = {**methods.get("lrp-z").rules, "linaer": rules.Epsilon()}
        modbp.chain(net(), x(), methods.Method("mine", table))

    @refused(UnknownName, "layer 'fc1'", "Did you mean 'fc'", "Known: input, conv1")
    def an_unknown_layer_to_start_from(tmp_path):
        chain().pull(torch.rand(2, 5), start="fc1")

    @refused(UnknownName, "layer 'conv3'", "Did you mean 'conv", "Known: ")
    def an_unknown_layer_to_read(tmp_path):
        chain().pull(torch.rand(2, 5), start="fc", to=["conv3", "input"])

    @refused(UnknownName, "layer 5", "Known: input, conv1")
    def a_layer_to_read_that_is_a_number(tmp_path):
        chain().pull(torch.rand(2, 5), start="fc", to=5)

    @refused(UnknownName, "layer 'Fc'", "Did you mean 'fc'")
    def an_unknown_layer_with_a_matrix(tmp_path):
        chain().matrix("Fc")

    @refused(UnknownName, "network 'cifar100'", "Did you mean 'cifar10'")
    def an_unknown_network(tmp_path):
        models.build("cifar100")


class Inputs:
    @refused(InputError, "the input is a ndarray", "torch.Tensor")
    def an_array(tmp_path):
        explain(x().numpy())

    @refused(InputError, "the input is torch.uint8", "x.float()", "255")
    def an_input_in_bytes(tmp_path):
        explain(x().byte())

    @refused(InputError, "the input is torch.float16", "float32 or float64")
    def an_input_in_half_precision(tmp_path):
        explain(x().half())

    @refused(InputError, "the input is torch.bfloat16", "float32 or float64")
    def a_network_and_an_input_in_half_precision(tmp_path):
        explain_by(nn.Sequential(nn.Linear(3, 2)).bfloat16().eval(), x().bfloat16())

    @refused(
        InputError, "the input is torch.float64", "the network torch.float32", ".to("
    )
    def an_input_of_another_precision_than_the_network(tmp_path):
        explain(x(dtype=torch.float64))

    @refused(
        InputError, "torch.float32, the network torch.float64", "first at '1.weight'"
    )
    def a_network_of_two_precisions(tmp_path):
        explain_by(nn.Sequential(nn.Flatten(), nn.Linear(192, 2).double()).eval())

    @refused(InputError, "the network's meta (first at '1.weight')", "net.to('cpu')")
    def a_network_with_a_layer_without_values(tmp_path):
        parts = nn.Flatten(), nn.Linear(192, 2, device="meta")
        explain_by(nn.Sequential(*parts).eval())

    @refused(InputError, "autocast is on", "Leave the block")
    def half_precision_by_autocast(tmp_path):
        with torch.autocast("cpu"):
            explain(x())

    @refused(InputError, "the input is torch.sparse_coo", "x.to_dense()")
    def a_sparse_input(tmp_path):
        explain(x().to_sparse())

    @refused(
        InputError, "the input's device is meta", "the network's cpu", "x.to('cpu')"
    )
    def an_input_on_another_device(tmp_path):
        explain(x().to("meta"))

    @refused(InputError, "device is meta", "values")
    def a_network_and_an_input_without_values(tmp_path):
        explain_by(nn.Linear(8, 2, device="meta").eval(), x().to("meta"))

    @refused(
        InputError, "'conv1' (Conv2d)", "[2, 4, 8, 8]", "channels that it was made"
    )
    def too_many_channels(tmp_path):
        explain(torch.rand(2, 4, 8, 8))

    @refused(InputError, "'fc' (Linear)", "[2, 400]", "images of the size")
    def an_image_that_is_too_large(tmp_path):
        explain(torch.rand(2, 3, 10, 10))

    @refused(InputError, "'conv1' (Conv2d)", "[3, 8, 8]", "4 dimensions, samples")
    def an_image_without_a_batch(tmp_path):
        explain(x()[0])

    @refused(InputError, "shape [0, 3, 8, 8]", "at least one sample")
    def an_empty_batch(tmp_path):
        explain(x()[:0])

    @refused(InputError, "shape [2, 3, 8, 0]", "nothing of size 0")
    def an_image_without_a_column(tmp_path):
        explain(x()[..., :0])

    @refused(InputError, "shape [2, 0, 8, 8]", "nothing of size 0")
    def an_image_without_a_channel(tmp_path):
        explain(x()[:, :0])

    @refused(InputError, "torch.complex64", "float32 or float64")
    def an_input_of_complex_numbers(tmp_path):
        explain(x().to(torch.complex64))

    @refused(InputError, "the input is a NoneType", "torch.Tensor")
    def no_input(tmp_path):
        modbp.explain(net(), None, "lrp-a1b0")

    @refused(InputError, "the input is torch.float32", "the network torch.float16")
    def a_network_in_half_precision(tmp_path):
        explain_by(nn.Sequential(nn.Linear(8, 2)).half().eval())

    @refused(InputError, "'pool' (MaxPool2d)", "[2, 3, 1, 1]", "images of the size")
    def an_image_smaller_than_a_pooling(tmp_path):
        pool = Function(lambda m, x: m.pool(x), pool=nn.MaxPool2d(2)).eval()
        explain_by(pool, x()[..., :1, :1])

    @refused(InputError, "shape []", "x[None]")
    def a_single_number(tmp_path):
        explain(torch.tensor(1.0))

    @refused(InputError, "NaN or infinite", "samples [1]", "preprocessing")
    def an_input_with_nan(tmp_path):
        images = x()
        images[1, 0, 0, 0] = float("nan")
        explain(images)

    @refused(InputError, "NaN or infinite", "samples [0, 1]", "preprocessing")
    def an_input_with_infinity(tmp_path):
        explain(x() * float("inf"))


class Models:
    @refused(InputError, "training mode", "itself", "net.eval()")
    def a_model_in_training_mode(tmp_path):
        explain_by(nn.Sequential(nn.Linear(8, 2)))

    @refused(InputError, "training mode", "'drop' (Dropout)", "net.eval()")
    def a_model_with_one_part_in_training_mode(tmp_path):
        whole = nn.Sequential(nn.Linear(8, 2)).eval()
        whole.add_module("drop", nn.Dropout())
        explain_by(whole)

    @refused(TraceError, "the model is a _lru_cache_wrapper", "torch.nn.Module")
    def a_model_that_is_a_function(tmp_path):
        explain_by(net)

    @refused(TraceError, "'0' (LazyLinear)", "no weights yet", "net(x)")
    def a_network_that_was_never_called(tmp_path):
        explain_by(nn.Sequential(nn.LazyLinear(2)).eval())

    @refused(TraceError, "returns a dict", "returns the logits alone")
    def a_model_that_returns_a_dict(tmp_path):
        explain_by(Function(lambda m, x: {"out": x}).eval())

    @refused(InputError, "'0' (Conv2d + BatchNorm2d)", "not finite", "weights")
    def a_batch_norm_with_a_negative_variance(tmp_path):
        parts = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()
        whole = nn.Sequential(*parts).eval()
        whole[1].running_var[0] = -1
        explain_by(whole)

    @refused(
        TraceError,
        "Chooses cannot be written as a list",
        "test_errors.py, line ",
        ": return x if x.mean() > 0 else -x",
        "Replace what depends on the values",
    )
    def a_model_that_decides_by_values(tmp_path):
        explain_by(Chooses().eval())

    @refused(TraceError, "returns a tuple", "returns the logits alone")
    def a_model_with_two_outputs(tmp_path):
        explain_by(Function(lambda m, x: (x, x)).eval())

    @refused(InputError, "'fc' (Linear)", "not finite", "Check the network's weights")
    def a_network_with_nan_weights(tmp_path):
        broken = Function(lambda m, x: m.fc(x), fc=nn.Linear(8, 2)).eval()
        broken.fc.weight.data[0, 0] = float("nan")
        explain_by(broken)

    @refused(InputError, "[2, 4, 6, 6] instead of [N, classes]", "chain.pull")
    def a_network_without_logits(tmp_path):
        explain_by(nn.Sequential(nn.Conv2d(3, 4, 3)).eval())


class Layers:
    @refused(
        MethodError, "'6' (Softmax)", "'lrp-a1b0' has no rule", "Explain the logits"
    )
    def a_softmax(tmp_path):
        explain_by(with_layer(nn.Softmax(1)))

    @refused(MethodError, "'softmax' (softmax)", "no rule", "Explain the logits")
    def a_softmax_as_a_function(tmp_path):
        explain_by(Function(lambda m, x: m.f(x).softmax(1), f=net()).eval())

    @refused(MethodError, "'6' (GELU)", "'gradient' has no rule", "Replace the layer")
    def a_gelu(tmp_path):
        modbp.explain(with_layer(nn.GELU()), x(), "gradient")

    @refused(MethodError, "'6' (Sigmoid)", "has no rule", "Replace the layer")
    def a_sigmoid(tmp_path):
        explain_by(with_layer(nn.Sigmoid()))

    @refused(MethodError, "'6' (LayerNorm)", "has no rule", "Replace the layer")
    def a_layer_norm(tmp_path):
        explain_by(with_layer(nn.LayerNorm(5)))

    @refused(MethodError, "'lstm' (LSTM)", "has no rule", "Replace the layer")
    def an_lstm(tmp_path):
        recurrent = Function(lambda m, x: m.lstm(x)[0], lstm=nn.LSTM(8, 4)).eval()
        explain_by(recurrent, torch.rand(2, 3, 8))

    @refused(
        MethodError, "'mha' (MultiheadAttention)", "has no rule", "Replace the layer"
    )
    def an_attention(tmp_path):
        attention = nn.MultiheadAttention(8, 2, batch_first=True)
        explain_by(
            Function(lambda m, x: m.mha(x, x, x)[0], mha=attention).eval(),
            torch.rand(2, 3, 8),
        )

    @refused(MethodError, "'mul' (mul)", "has no rule", "Replace the layer")
    def a_product_of_two_activations(tmp_path):
        explain_by(Function(lambda m, x: m.f(x) * m.f(x), f=net()).eval())

    @refused(MethodError, "'sub' (sub)", "has no rule", "Replace the layer")
    def a_difference_of_two_activations(tmp_path):
        explain_by(Function(lambda m, x: m.f(x) - m.f(x), f=net()).eval())

    @refused(MethodError, "'getitem' (getitem)", "has no rule", "Replace the layer")
    def a_slice(tmp_path):
        explain_by(Function(lambda m, x: m.f(x)[:, :2], f=net()).eval())

    @refused(
        MethodError, "'relu1' (ReLU)", "kind 'relu'", "'mine'", "a rule for 'relu'"
    )
    def a_table_without_a_rule_for_relu(tmp_path):
        modbp.explain(net(), x(), methods.Method("mine", {"linear": rules.Epsilon()}))

    @refused(UnknownName, "layer or kind of call 'fc9'", "Did you mean 'fc")
    def a_table_with_a_layer_that_is_not_there(tmp_path):
        table = {**methods.get("lrp-z").rules, "fc9": rules.Pass()}
        modbp.chain(net(), x(), methods.Method("mine", table))

    @refused(MethodError, "'conv1' (Conv2d)", "down to -", "'lrp-a1b0'", "[0, 1]")
    def a_negative_input_to_excitation_backprop(tmp_path):
        modbp.explain(net(), x() - 0.5, "excitation-bp")


class Relevance:
    @refused(InputError, "target 5 is out of range", "classes 0…4")
    def a_target_beyond_the_last_class(tmp_path):
        explain(x(), [0, 5])

    @refused(InputError, "target -1 is out of range", "classes 0…4")
    def a_target_that_counts_from_the_end(tmp_path):
        explain(x(), -1)

    @refused(InputError, "target is torch.float32", "integers")
    def a_target_that_is_a_fraction(tmp_path):
        explain(x(), 1.0)

    @refused(InputError, "target is torch.bool", "integers")
    def a_target_that_is_a_mask(tmp_path):
        explain(x(), [True, False])

    @refused(InputError, "shape [3]", "one for each of the 2 samples")
    def a_target_too_many(tmp_path):
        explain(x(), [0, 1, 2])

    @refused(InputError, "shape [2, 5]", "one for each of the 2 samples")
    def a_target_in_one_hot_form(tmp_path):
        explain(x(), torch.eye(5, dtype=torch.int64)[:2])

    @refused(InputError, "target is {0, 1}", "integers")
    def a_target_that_is_a_set(tmp_path):
        explain(x(), {0, 1})

    @refused(InputError, "target is 'cat'", "integers")
    def a_target_by_name(tmp_path):
        explain(x(), "cat")

    @refused(InputError, "'fc'", "shape [2, 4]", "[2, 5], or [K, 2, 5]")
    def relevance_of_the_wrong_shape(tmp_path):
        chain().pull(torch.rand(2, 4), start="fc")

    @refused(InputError, "'fc'", "shape [0, 2, 5]", "[K, 2, 5]")
    def no_relevance_at_all(tmp_path):
        chain().pull(torch.rand(0, 2, 5), start="fc")

    @refused(InputError, "'fc'", "torch.float64", "torch.float32", "r.to(")
    def relevance_of_another_precision(tmp_path):
        chain().pull(torch.rand(2, 5, dtype=torch.float64), start="fc")

    @refused(InputError, "'fc'", "meta", "cpu", "r.to(")
    def relevance_on_another_device(tmp_path):
        chain().pull(torch.rand(2, 5, device="meta"), start="fc")

    @refused(InputError, "'conv1'", "NaN or infinite")
    def relevance_with_nan(tmp_path):
        chain().pull(torch.full((2, 4, 8, 8), float("nan")), start="conv1")

    @refused(InputError, "relevance is a list", "torch.Tensor")
    def relevance_in_a_list(tmp_path):
        chain().pull([[1.0] * 5] * 2, start="fc")

    @refused(InputError, "'fc' does not feed layer 'conv2'", "below `start`")
    def a_reading_point_above_the_start(tmp_path):
        chain().pull(torch.rand(2, 4, 8, 8), start="conv2", to=["conv1", "fc"])

    @refused(InputError, "'pool' (MaxPool2d)", "30000 × 30000", "pull()")
    def a_matrix_that_is_too_large(tmp_path):
        pool = Function(lambda m, x: m.pool(x), pool=nn.MaxPool2d(1)).eval()
        modbp.chain(pool, torch.rand(1, 3, 100, 100), "lrp-z").matrix("pool")

    @refused(InputError, "sample is 2", "0…1")
    def a_matrix_of_a_sample_that_is_not_there(tmp_path):
        chain().matrix("fc", sample=2)

    @refused(InputError, "the input", "no matrix")
    def a_matrix_of_the_input(tmp_path):
        chain().matrix("input")


class Weights:
    @refused(
        WeightsError, "nowhere.safetensors", "no such weights file", "weights=None"
    )
    def weights_that_are_not_there(tmp_path):
        models.cifar10(tmp_path / "nowhere.safetensors")

    @refused(WeightsError, "no such weights file", "modbp train")
    def weights_that_are_a_folder(tmp_path):
        models.cifar10(tmp_path)

    @refused(WeightsError, "weights is 3", "the path of a .safetensors file", "None")
    def weights_that_are_a_number(tmp_path):
        models.cifar10(3)

    @refused(WeightsError, "net.json", "no such file", "copy both files")
    def weights_without_their_history(tmp_path):
        path = stored(tmp_path)
        path.with_suffix(".json").unlink()
        models.load(net(), path)

    @refused(WeightsError, "net.json", "not JSON", "Restore the file")
    def weights_with_a_damaged_history(tmp_path):
        path = stored(tmp_path)
        path.with_suffix(".json").write_bytes(b'{"sha256": "\xff')
        models.load(net(), path)

    @refused(WeightsError, "net.json", "holds a list", "Restore the file")
    def weights_with_a_history_of_another_kind(tmp_path):
        path = stored(tmp_path)
        path.with_suffix(".json").write_text("[]", encoding="utf-8")
        models.load(net(), path)

    @refused(WeightsError, "net.safetensors", "the checksum differs", "both files")
    def weights_with_one_flipped_bit(tmp_path):
        path = stored(tmp_path)
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
        models.load(net(), path)

    @refused(WeightsError, "net.safetensors", "the checksum differs", "both files")
    def weights_that_were_cut_off(tmp_path):
        path = stored(tmp_path)
        path.write_bytes(path.read_bytes()[:1000])
        models.load(net(), path)

    @refused(WeightsError, "net.safetensors", "not a safetensors file", "train again")
    def weights_in_another_format(tmp_path):
        models.load(net(), packed(tmp_path, b"PK\x03\x04 not at all" * 9))

    @refused(WeightsError, "'conv1.weight' has shape (4, 1, 3, 3)", "(4, 3, 3, 3)")
    def weights_of_another_shape(tmp_path):
        models.load(
            net(), stored(tmp_path, **{"conv1.weight": torch.zeros(4, 1, 3, 3)})
        )

    @refused(WeightsError, "'fc.bias' has shape absent", "(5,)", "another network")
    def weights_with_one_missing(tmp_path):
        models.load(net(), stored(tmp_path, **{"fc.bias": None}))

    @refused(WeightsError, "'fc7.bias' has shape (2,)", "absent", "another network")
    def weights_with_one_too_many(tmp_path):
        models.load(net(), stored(tmp_path, **{"fc7.bias": torch.zeros(2)}))

    @refused(WeightsError, "net.safetensors", "not finite", "Train again")
    def weights_with_nan(tmp_path):
        nan = torch.full((5,), float("nan"))
        models.load(net(), stored(tmp_path, **{"fc.bias": nan}))

    @refused(InputError, "fc2 takes 3 inputs", "gives 2", "[out, in]")
    def matrices_that_do_not_fit(tmp_path):
        models.dense(torch.ones(2, 2), torch.ones(2, 3))

    @refused(InputError, "no matrix", "rows of one length")
    def a_matrix_with_rows_of_two_lengths(tmp_path):
        models.dense([[1, 2], [3]])

    @refused(InputError, "seed is -1", "0 to 2³² − 1")
    def a_negative_seed(tmp_path):
        models.build("cifar10", seed=-1)


class Images:
    @refused(InputError, "n is 0", "at least one image")
    def no_images(tmp_path):
        data.images(0)

    @refused(InputError, "n is 2.5", "at least one image")
    def a_fraction_of_an_image(tmp_path):
        data.images(2.5)

    @refused(InputError, "`n` or `indices`, not both")
    def images_by_number_and_by_index(tmp_path):
        data.images(2, indices=[1, 2])

    @refused(InputError, "indices is empty", "at least one")
    def images_by_no_index(tmp_path):
        data.images(indices=[])

    @refused(InputError, "indices is 'all'", "sequence of integers")
    def images_by_name(tmp_path):
        data.images(indices="all")

    @refused(InputError, "indices is 3", "as in [3, 5]")
    def images_by_one_index(tmp_path):
        data.images(indices=3)

    @refused(InputError, "index 700 is out of range", "photographs", "0…699", "fewer")
    def an_image_beyond_the_last(tmp_path):
        data.images(indices=[0, 700], folder="photographs")

    @refused(InputError, "index -1 is out of range", "0…0")
    def an_image_that_counts_from_the_end(tmp_path):
        data.images(indices=[-1], folder=folder(tmp_path))

    @refused(InputError, "size is 0", "side in pixels")
    def images_of_no_size(tmp_path):
        data.images(2, size=0)

    @refused(InputError, "split is 'valid'", "choose 'test' or 'train'")
    def images_of_an_unknown_split(tmp_path):
        data.images(2, split="valid")

    @refused(InputError, "folder is 3", "give a path")
    def a_folder_that_is_a_number(tmp_path):
        data.images(2, folder=3)

    @refused(DataError, "nowhere", "no such folder", "a folder per class")
    def a_folder_that_is_not_there(tmp_path):
        data.images(2, folder=tmp_path / "nowhere")

    @refused(DataError, "no images in sub-folders", "<class>/<name>.jpg")
    def an_empty_folder(tmp_path):
        data.images(2, folder=tmp_path)

    @refused(DataError, "one.png", "cannot be read as an image", "Restore or remove")
    def a_picture_that_is_text(tmp_path):
        data.images(1, folder=folder(tmp_path, b"hello"))

    @refused(DataError, "one.png", "cannot be read as an image", "Restore or remove")
    def a_picture_that_was_cut_off(tmp_path):
        whole = folder(tmp_path)
        path = whole / "cats" / "one.png"
        path.write_bytes(path.read_bytes()[:-30])
        data.images(1, folder=whole)

    @refused(InputError, "count is 0", "at least one")
    def no_indices_of_the_paper(tmp_path):
        data.paper_indices(0)


class Training:
    @refused(UnknownName, "network 'vgg'", "Known: cifar10")
    def training_of_an_unknown_network(tmp_path):
        training.train("vgg", tmp_path)

    @refused(UnknownName, "setting 'epoch'", "Did you mean 'epochs'")
    def training_with_an_unknown_setting(tmp_path):
        training.train("cifar10", tmp_path, epoch=2)

    @refused(InputError, "epochs is 0", "at least 1")
    def training_for_no_epoch(tmp_path):
        training.train("cifar10", tmp_path, epochs=0)

    @refused(InputError, "batch is 0.5", "at least 1")
    def training_with_half_an_image_per_step(tmp_path):
        training.train("cifar10", tmp_path, batch=0.5)

    @refused(InputError, "limit is -3", "at least 1")
    def training_on_less_than_no_images(tmp_path):
        training.train("cifar10", tmp_path, limit=-3)

    @refused(InputError, "device 'tpu9' is not there", "Choose cpu")
    def training_on_a_device_that_is_not_there(tmp_path):
        training.train("cifar10", tmp_path, device="tpu9")

    @refused(DataError, "train", "no such folder", "a folder per class")
    def training_on_a_folder_without_a_split(tmp_path):
        training.train("cifar10", tmp_path, folder=folder(tmp_path))


@pytest.mark.parametrize(("function", "error", "fragments"), REFUSED)
def test_bad_input_is_refused_with_what_was_found_and_what_to_do(
    function, error, fragments, tmp_path
):
    before = fingerprint(net())
    with pytest.raises(ModbpError) as caught:
        function(tmp_path)
    assert caught.type is error
    message = str(caught.value)
    assert [part for part in fragments if part not in message] == [], message
    assert message.endswith(".") and len(message) < 700
    after = fingerprint(net())
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed <= {"random"}  # building the bad input may draw


def test_every_error_is_also_the_built_in_one_that_a_caller_expects():
    expected = {
        InputError: ValueError,
        UnknownName: LookupError,
        TraceError: TypeError,
        MethodError: TypeError,
        WeightsError: ValueError,
        DataError: ValueError,
        ResultError: OSError,
    }
    assert set(expected) == set(ModbpError.__subclasses__())
    for error, built_in in expected.items():
        assert issubclass(error, built_in)


def test_an_unknown_name_is_answered_with_the_nearest_ones_if_there_are_any():
    known = ["conv1", "conv2", "fc"]
    assert str(unknown_name("layer", "conv", known)) == (
        "unknown layer 'conv'. Did you mean 'conv2' or 'conv1'? "
        "Known: conv1, conv2, fc."
    )
    assert str(unknown_name("layer", "zzz", known)) == (
        "unknown layer 'zzz'. Known: conv1, conv2, fc."
    )

"""Cosines: by hand, at the ends of the number range, and against simulation."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nets import normal, repeatable

from modbp.errors import InputError
from modbp.measures.similarity import cosine, pairwise, random_floor, ssim

numbers = st.floats(-1e3, 1e3, allow_subnormal=False)
pairs = arrays.arrays(np.float64, (2, 5), elements=numbers)


def vector(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


def test_cosine_runs_along_the_dimension_asked_for():
    u = torch.tensor([[3.0, 1.0], [4.0, 0.0]])
    v = torch.tensor([[4.0, 0.0], [3.0, 1.0]])
    # Columns: (3, 4)·(4, 3) = 24/25 and (1, 0)·(0, 1) = 0.
    assert cosine(u, v, dim=0).tolist() == pytest.approx([24 / 25, 0])
    # Rows: (3, 1)·(4, 0) = 12/(√10·4) and (4, 0)·(3, 1) = the same.
    assert cosine(u, v, dim=1).tolist() == pytest.approx([3 / 10**0.5] * 2)


@pytest.mark.parametrize("scale", [1e-200, 1e-300, 5e-324, 1e200, 1e308])
def test_a_direction_does_not_depend_on_magnitude(scale):
    # Squares of the smallest would be 0, squares of the largest infinite. 5e-324 is the
    # smallest number there is: (1, 0) and (1, 1) in units of it.
    u, v = vector(scale, 0), vector(1, 1)
    assert cosine(u, v).item() == pytest.approx(0.5**0.5, rel=1e-15)
    assert cosine(v, u).item() == pytest.approx(0.5**0.5, rel=1e-15)
    assert cosine(vector(1e-160, 1e-170), vector(1, 0)).item() == pytest.approx(1)


def test_float32_is_computed_in_float64():
    # 1 − cos = 5e-9, which float32 would round to 0.
    u, v = vector(1, 0, dtype=torch.float32), vector(1, 1e-4, dtype=torch.float32)
    found = cosine(u, v)
    assert found.dtype == torch.float64
    assert 1 - found.item() == pytest.approx(5e-9, rel=1e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: cosine(torch.ones(3), torch.ones(2)), r"\[3\] and \[2\].*same shape"),
        (lambda: pairwise(torch.ones(1, 2, 3)), "at least two per sample"),
        (lambda: pairwise(torch.ones(5, 3)), "at least two per sample"),
        (lambda: random_floor(0), "channels is 0"),
    ],
)
def test_what_has_no_angle_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@repeatable
@given(pairs)
def test_cosine_is_bounded_symmetric_and_unsigned_by_scale(pair):
    u, v = torch.from_numpy(pair.copy())
    value = cosine(u, v)
    if not (u.any() and v.any()):
        assert value.isnan()
        return
    assert -1 <= value <= 1
    assert value == cosine(v, u)
    assert cosine(3 * u, -v / 7).item() == pytest.approx(-value.item(), abs=1e-12)


def test_pairs_of_a_dense_layer_are_vectors_as_a_whole():
    # (3, 4), −(4, 3), (0, 1): |cos| 24/25, 4/5, 3/5, in the order 01, 02, 12.
    r = vector((3, 4), (-4, -3), (0, 1))[:, None]
    found = pairwise(r)
    assert found.shape == (1, 3, 1)
    assert found.flatten().tolist() == pytest.approx([24 / 25, 4 / 5, 3 / 5])


def test_pairs_of_a_convolution_are_compared_location_by_location():
    # Two relevances, one sample, two channels, 1×2 locations: at the left (3, 4) and
    # (4, 3), at the right (1, 0) and (0, −2).
    r = vector([[[[3, 1]], [[4, 0]]]], [[[[4, 0]], [[3, -2]]]])
    assert r.shape == (2, 1, 2, 1, 2)
    assert pairwise(r).tolist() == [[pytest.approx([24 / 25, 0])]]


def test_a_pair_with_a_zero_vector_is_nan_and_the_others_are_not():
    found = pairwise(vector((0, 0), (1, 1), (1, 1))[:, None]).flatten()
    assert found.isnan().tolist() == [True, True, False]


@pytest.mark.parametrize("channels, floor", [(1, 1), (2, 0.5**0.5), (3, 0.5)])
def test_the_floor_of_few_channels_by_hand(channels, floor):
    # The cosine of 45 degrees in the plane; in space the cosine to a fixed axis is
    # uniform on [−1, 1] (Archimedes).
    assert random_floor(channels) == pytest.approx(floor, abs=1e-15)


@pytest.mark.parametrize("channels", [10, 32])
def test_the_floor_is_the_median_of_random_pairs(channels):
    u, v = normal(channels, 2, 40_000, channels)
    median = cosine(u, v).abs().median().item()
    # A sample median scatters by 1/(2 f √n), with f the density there: by at most
    # 0.0044/√C for n = 40,000 and these C. One seed each, within five times that.
    assert median == pytest.approx(random_floor(channels), abs=0.022 / channels**0.5)


# Structural similarity ----------------------------------------------------------------


def written_out(one, two, size):
    """SSIM by its definition, window by window."""
    values = []
    for row in range(one.shape[0] - 4):
        for column in range(one.shape[1] - 4):
            a, b = (m[row : row + 5, column : column + 5].ravel() for m in (one, two))
            (var_a, both), (_, var_b) = np.cov(a, b)  # divided by 24, not by 25
            c1, c2 = (0.01 * size) ** 2, (0.03 * size) ** 2
            mean_a, mean_b = a.mean(), b.mean()
            means = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            values.append(means * (2 * both + c2) / (var_a + var_b + c2))
    return np.mean(values)


@pytest.mark.parametrize("paper", [True, False])
def test_ssim_is_its_definition_after_scaling(paper):
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 3, 9, 8))
    found = ssim(torch.from_numpy(a), b, paper, percentile=95)
    for one, two, value in zip(a, b, found, strict=True):
        scaled = []
        for each in (one, two, -two):
            low, high = np.percentile(each, (5, 95))
            unit = ((each - low) / (high - low)).clip(0, 1)
            scaled.append(1 - unit if paper else unit)
        size = 2 if paper else 1
        each = (written_out(scaled[0], other, size) for other in scaled[1:])
        assert value == pytest.approx(max(each), abs=1e-12)


@repeatable
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 100),
    st.sampled_from([1, -1]),
    st.floats(-5, 5),
    st.booleans(),
)
def test_ssim_sees_neither_size_nor_sign_nor_offset(seed, size, sign, offset, paper):
    a, b = np.random.default_rng(seed).standard_normal((2, 1, 8, 8))
    assert ssim(a, a, paper) == pytest.approx(1)
    changed = sign * size * b + offset
    first, second = (ssim(a, each, paper) for each in (b, changed))
    assert first == pytest.approx(second, abs=1e-9)
    assert -1 <= first <= 1


def test_ssim_of_a_map_with_one_value_is_nan():
    a = torch.stack([torch.rand(6, 6), torch.ones(6, 6)])
    found = ssim(a, torch.rand(2, 6, 6))
    assert np.isnan(found).tolist() == [False, True]


@pytest.mark.parametrize(
    "a, b, percentile, message",
    [
        ((1, 6, 6), (1, 6, 7), 99, "same shape"),
        ((6, 6), (6, 6), 99, "same shape"),
        ((1, 4, 6), (1, 4, 6), 99, "at least 5"),
        ((1, 6, 6), (1, 6, 6), 50, "percentile is 50"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(a, b, percentile, message):
    with pytest.raises(InputError, match=message):
        ssim(torch.rand(a), torch.rand(b), percentile=percentile)


def test_a_chain_and_its_cosines_do_without_scipy_scikit_image_and_matplotlib():
    program = (
        "import sys, modbp, torch; net = modbp.models.dense([[1, 2]], [[1], [2]]);"
        "print(modbp.csc(net, torch.ones(1, 2).double(), 'gradient', 'fc2').layers);"
        "assert not {'scipy', 'skimage', 'matplotlib'} & set(sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")

"""Cosines: by hand, at the ends of the number range, and against simulation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nets import normal, repeatable

from modbp.errors import InputError
from modbp.similarity import cosine, pairwise, random_floor

numbers = st.floats(-1e3, 1e3, allow_subnormal=False)
pairs = arrays.arrays(np.float64, (2, 5), elements=numbers)


def vector(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


@pytest.mark.parametrize(
    "u, v, expected",
    [
        # 3·4 + 4·3 = 24 over 5·5.
        ((3, 4), (4, 3), 24 / 25),
        # 1·1 + 2·0 + 2·0 = 1 over 3·1.
        ((1, 2, 2), (1, 0, 0), 1 / 3),
        ((1, 0), (0, 7), 0),
        ((1, 2), (10, 20), 1),
        ((1, 2), (-2, -4), -1),
    ],
)
def test_cosine_of_small_vectors(u, v, expected):
    found = cosine(vector(*u), vector(*v)).item()
    assert found == pytest.approx(expected, abs=1e-15)


def test_cosine_runs_along_the_dimension_asked_for():
    u = torch.tensor([[3.0, 1.0], [4.0, 0.0]])
    v = torch.tensor([[4.0, 0.0], [3.0, 1.0]])
    # Columns: (3, 4)·(4, 3) = 24/25 and (1, 0)·(0, 1) = 0.
    assert cosine(u, v, dim=0).tolist() == pytest.approx([24 / 25, 0])
    # Rows: (3, 1)·(4, 0) = 12/(√10·4) and (4, 0)·(3, 1) = the same.
    assert cosine(u, v, dim=1).tolist() == pytest.approx([3 / 10**0.5] * 2)


@pytest.mark.parametrize("u, v", [((0, 0), (1, 2)), ((1, 2), (0, 0)), ((0, 0), (0, 0))])
def test_a_zero_vector_has_no_direction(u, v):
    assert cosine(vector(*u), vector(*v)).isnan()


@pytest.mark.parametrize("scale", [1e-200, 1e-300, 5e-324, 1e200, 1e308])
def test_a_direction_does_not_depend_on_magnitude(scale):
    # Squares of the smallest would be 0, squares of the largest infinite. 5e-324 is the
    # smallest number there is: (1, 0) and (1, 1) in units of it.
    u, v = vector(scale, 0), vector(1, 1)
    assert cosine(u, v).item() == pytest.approx(0.5**0.5, rel=1e-15)
    assert cosine(v, u).item() == pytest.approx(0.5**0.5, rel=1e-15)


def test_entries_of_very_different_size_keep_their_direction():
    assert cosine(vector(1e-160, 1e-170), vector(1, 0)).item() == pytest.approx(1)


def test_float32_is_computed_in_float64():
    # 1 − cos = 5e-9, which float32 would round to 0.
    u, v = vector(1, 0, dtype=torch.float32), vector(1, 1e-4, dtype=torch.float32)
    found = cosine(u, v)
    assert found.dtype == torch.float64
    assert 1 - found.item() == pytest.approx(5e-9, rel=1e-3)


def test_cosine_of_different_shapes_is_refused():
    with pytest.raises(InputError, match=r"\[3\] and \[2\].*same shape"):
        cosine(torch.ones(3), torch.ones(2))


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
    # (3, 4), (4, 3), (0, 1): |cos| 24/25, 4/5, 3/5, in the order 01, 02, 12.
    r = vector((3, 4), (4, 3), (0, 1))[:, None]
    found = pairwise(r)
    assert found.shape == (1, 3, 1)
    assert found.flatten().tolist() == pytest.approx([24 / 25, 4 / 5, 3 / 5])


def test_pairs_of_a_convolution_are_compared_location_by_location():
    # Two relevances, one sample, two channels, 1×2 locations: at the left (3, 4) and
    # (4, 3), at the right (1, 0) and (0, −2).
    r = vector([[[[3, 1]], [[4, 0]]]], [[[[4, 0]], [[3, -2]]]])
    assert r.shape == (2, 1, 2, 1, 2)
    assert pairwise(r).tolist() == [[pytest.approx([24 / 25, 0])]]


def test_pairs_do_not_care_about_sign():
    r = vector((1, 2), (-1, -2))[:, None]
    assert pairwise(r).flatten().tolist() == pytest.approx([1])


def test_pairs_of_a_batch_are_those_of_its_samples():
    r = normal(0, 4, 3, 5, 2, 2)
    together = pairwise(r)
    assert together.shape == (3, 6, 4)
    for n in range(3):
        assert torch.equal(together[n], pairwise(r[:, n : n + 1])[0])


def test_a_pair_with_a_zero_vector_is_nan_and_the_others_are_not():
    found = pairwise(vector((0, 0), (1, 1), (1, 1))[:, None]).flatten()
    assert found.isnan().tolist() == [True, True, False]


@pytest.mark.parametrize("shape", [(1, 2, 3), (5, 3)])
def test_fewer_than_two_relevances_have_no_pairs(shape):
    with pytest.raises(InputError, match="at least two per sample"):
        pairwise(torch.ones(shape))


def test_the_floor_of_three_channels_is_one_half():
    # In space the cosine to a fixed axis is uniform on [−1, 1] (Archimedes).
    assert random_floor(3) == pytest.approx(0.5, abs=1e-15)


def test_the_floor_of_two_channels_is_the_cosine_of_forty_five_degrees():
    assert random_floor(2) == pytest.approx(0.5**0.5, abs=1e-15)


def test_the_floor_of_one_channel_is_one():
    assert random_floor(1) == 1


@pytest.mark.parametrize("channels", [64, 128, 1024, 8192])
def test_the_floor_of_many_channels_follows_the_square_root(channels):
    # 0.6745 is the median of |N(0, 1)|; what is left out is of relative order 1/C.
    scaled = random_floor(channels) * channels**0.5
    assert scaled == pytest.approx(0.6745, rel=1 / channels)


@pytest.mark.parametrize("channels", [2, 3, 10, 32])
def test_the_floor_is_the_median_of_random_pairs(channels):
    pairs = 40_000
    u, v = normal(channels, 2, pairs, channels)
    median = cosine(u, v).abs().median().item()
    # A sample median scatters by 1/(2 f √n), with f the density there: by at most
    # 0.0044/√C for n = 40,000 and these C. One seed each, within five times that.
    assert median == pytest.approx(random_floor(channels), abs=0.022 / channels**0.5)


def test_a_floor_needs_a_channel():
    with pytest.raises(InputError, match="channels is 0"):
        random_floor(0)

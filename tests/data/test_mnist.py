"""The two data sets of MNIST: sizes, order, values, and what goes wrong."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from retrograd.data import Dataset, Split, fetch, idx, load, mnist
from retrograd.errors import ArgumentError, DataError


@pytest.fixture(scope="module")
def shipped() -> Dataset:
    return load("mnist-10k")


def splits(data: Dataset) -> tuple[Split, Split, Split]:
    return data.train, data.valid, data.test


def raw(file: str) -> np.ndarray:
    return idx.read(str(resources.files("retrograd.data") / "files" / "mnist-10k" / file))


def check_form(data: Dataset, sizes: tuple[int, int, int], dtype: type) -> None:
    assert data.classes == 10
    for split, size in zip(splits(data), sizes, strict=True):
        assert len(split) == size
        assert split.images.shape == (size, 784)
        assert split.images.dtype == dtype
        assert split.labels.shape == (size,)
        assert split.labels.dtype == np.int64
        assert split.images.min() == 0
        assert split.images.max() == 1
        assert set(split.labels.tolist()) == set(range(10))
        assert not split.images.flags.writeable
        assert not split.labels.flags.writeable


def test_shipped_form(shipped: Dataset) -> None:
    assert shipped.name == "mnist-10k"
    check_form(shipped, (6_000, 2_000, 2_000), np.float64)


def test_shipped_is_the_file_in_its_order(shipped: Dataset) -> None:
    pixels = np.concatenate([split.images for split in splits(shipped)])
    labels = np.concatenate([split.labels for split in splits(shipped)])
    expected = raw("t10k-images-idx3-ubyte.gz").reshape(10_000, 784)
    np.testing.assert_array_equal(pixels, expected / 255)
    np.testing.assert_array_equal(labels, raw("t10k-labels-idx1-ubyte.gz"))


def test_float32(shipped: Dataset) -> None:
    data = load("mnist-10k", dtype="float32")
    check_form(data, (6_000, 2_000, 2_000), np.float32)
    np.testing.assert_array_equal(data.test.images, shipped.test.images.astype(np.float32))


def test_damaged_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda path: gzip.compress(b"something else"))
    with pytest.raises(
        DataError, match=r"is damaged: expected SHA-256 .*; install retrograd again"
    ):
        load("mnist-10k")


def test_unknown_name() -> None:
    with pytest.raises(ArgumentError, match="data must be one of mnist-10k, mnist; got 'cifar'"):
        load("cifar")


def test_type_that_is_not_floating() -> None:
    with pytest.raises(ArgumentError, match="dtype must be a floating point type, got 'uint8'"):
        load("mnist-10k", dtype="uint8")


def test_damaged_file_of_the_whole_is_named(own: Path) -> None:
    path = own / "train-images-idx3-ubyte.gz"
    path.write_bytes(b"\0\0\x08\x03")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is damaged: expected SHA"):
        load("mnist")


def test_whole_without_network_names_the_part_that_needs_none(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_download", refuse_to_download)
    with pytest.raises(DataError, match="asked to download train-images"):
        load("mnist")


def refuse_to_download(file: str, *_: object) -> fetch.Found:
    raise DataError(f"asked to download {file}")


def test_whole(mnist_folder: Path, shipped: Dataset) -> None:
    data = load("mnist")
    assert data.name == "mnist"
    check_form(data, (10_000, 10_000, 10_000), np.float64)
    first = fetch.obtain("train-labels-idx1-ubyte.gz").contents[8:]
    together = np.concatenate([data.train.labels, data.valid.labels])
    np.testing.assert_array_equal(together, np.frombuffer(first, np.uint8, 20_000))
    np.testing.assert_array_equal(data.test.images[:6_000], shipped.train.images)
    np.testing.assert_array_equal(data.test.labels[8_000:], shipped.test.labels)
    pixels = np.frombuffer(fetch.obtain("train-images-idx3-ubyte.gz").contents, np.uint8, offset=16)
    rows = pixels.reshape(60_000, 784)
    np.testing.assert_array_equal(data.train.images[-1], rows[9_999] / 255)
    np.testing.assert_array_equal(data.valid.images[0], rows[10_000] / 255)


def test_first_half_of_the_test_images_is_harder(mnist_folder: Path) -> None:
    """What the documentation says of `mnist-10k`, by the nearest class mean."""
    data = load("mnist", dtype=np.float32)
    means = np.stack([data.train.images[data.train.labels == c].mean(0) for c in range(10)])
    scores = data.test.images @ means.T - (means * means).sum(1) / 2
    wrong = scores.argmax(1) != data.test.labels
    assert wrong[:5_000].mean() == pytest.approx(0.24, abs=0.01)
    assert wrong[5_000:].mean() == pytest.approx(0.14, abs=0.01)


def test_names_are_all_loaded_by_a_test() -> None:
    assert mnist.NAMES == ("mnist-10k", "mnist")

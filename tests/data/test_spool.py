from __future__ import annotations

import gc
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import retrograd as rg
from retrograd.data import Spool, batch_files
from retrograd.errors import ArgumentError, DataError


class Once:
    """A stream with a hidden state, which fills the same array again and counts its batches."""

    def __init__(self, count: int) -> None:
        self.left, self.asked = count, 0
        self.random = np.random.default_rng(7)
        self.array = np.empty((2, 3))

    def __iter__(self):
        return self

    def __next__(self):
        self.asked += 1
        if self.left == 0:
            raise StopIteration
        self.left -= 1
        self.array[...] = self.random.normal(size=(2, 3))
        return {"x": self.array, "y": (self.asked, np.float32(self.array[0, 0]))}


def expected(count):
    stream = Once(count)
    return [{"x": batch["x"].copy(), "y": batch["y"]} for batch in stream]


def agree(a, b):
    return (
        a["x"].tobytes() == b["x"].tobytes()
        and a["y"] == b["y"]
        and isinstance(b["y"], tuple)
        and b["y"][1].dtype == np.float32
    )


def test_batches_come_in_any_order_bit_for_bit():
    batches = expected(8)
    with Spool(Once(8)) as spool:
        for step in (0, 1, 5, 4, 3, 7, 2, 0, 7, 6):
            assert agree(batches[step], spool(step))
        assert len(spool) == 8


def test_the_stream_is_read_no_further_than_asked():
    stream = Once(8)
    with Spool(stream) as spool:
        assert stream.asked == 0
        spool(np.int64(2))
        spool(1)
        assert stream.asked == len(spool) == 3
        assert not spool.finished


def test_arrays_are_read_only_and_lie_alike_when_fresh_and_when_read():
    with Spool(Once(2)) as spool:
        fresh = spool(0)
        spool(1)
        again = spool(0)
    for batch in (fresh, again):
        assert batch["x"].ctypes.data % 64 == 0
        with pytest.raises(ValueError, match="read-only"):
            batch["x"][0] = 1.0


def test_the_end_of_the_stream_is_told_with_its_length():
    stream = Once(3)
    with Spool(stream) as spool:
        for _ in range(2):
            with pytest.raises(DataError, match="ended after 3 batches, and step 5 was asked for"):
                spool(5)
        assert stream.asked == 4
        assert spool.finished
        assert agree(expected(3)[2], spool(2))


@pytest.mark.parametrize("step", [-1, 1.0, "0", None])
def test_a_step_is_a_number_from_zero(step):
    with Spool(Once(1)) as spool, pytest.raises(ArgumentError, match="step must be"):
        spool(step)


def test_a_stream_is_iterable():
    with pytest.raises(ArgumentError, match=r"stream must be an iterable.*got 5"):
        Spool(5)  # type: ignore[arg-type]


def test_nbytes_is_what_lies_on_disk():
    with Spool(Once(3)) as spool:
        spool(2)
        files = list(spool.folder.glob("batch-*"))
        assert spool.nbytes == sum(file.stat().st_size for file in files)
        assert len(files) == 3


def test_a_temporary_folder_goes_at_close_and_when_dropped():
    spool = Spool(Once(2))
    spool(1)
    folder = spool.folder
    spool.close()
    spool.close()
    assert not folder.exists()
    with pytest.raises(DataError, match="closed"):
        spool(0)
    dropped = Spool(Once(1))
    folder = dropped.folder
    assert folder.exists()
    del dropped
    gc.collect()
    assert not folder.exists()


def test_a_finished_folder_is_opened_again(tmp_path):
    with Spool(Once(3), tmp_path / "new" / "spool") as spool, pytest.raises(DataError):
        spool(3)
    with Spool.open(tmp_path / "new" / "spool") as again:
        assert (len(again), again.finished, again.nbytes) == (3, True, spool.nbytes)
        assert all(map(agree, expected(3), map(again, range(3))))
        with pytest.raises(DataError, match="ended after 3 batches"):
            again(3)
    with pytest.raises(ArgumentError, match="has ended after 3 batches"):
        Spool.open(tmp_path / "new" / "spool", Once(1))


def test_an_interrupted_folder_goes_on_with_the_rest_of_the_stream(tmp_path):
    stream = Once(5)
    with Spool(stream, tmp_path) as spool:
        spool(1)
    with Spool.open(tmp_path) as closed_off:
        assert agree(expected(5)[1], closed_off(1))
        with pytest.raises(DataError, match=r"first 2 batches.*step 2.*Spool.open\(folder, stream"):
            closed_off(2)
    with Spool.open(tmp_path, stream) as again:
        assert agree(expected(5)[4], again(4))
        assert agree(expected(5)[0], again(0))
    assert stream.asked == 5


def test_an_empty_stream(tmp_path):
    with Spool([], tmp_path) as spool, pytest.raises(DataError, match="ended after 0 batches"):
        spool(0)
    with Spool.open(tmp_path) as again:
        assert (len(again), again.finished) == (0, True)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"not empty \(notes.txt\).*Spool.open"):
        Spool(Once(1), tmp_path)
    with pytest.raises(DataError, match="cannot be used"):
        Spool(Once(1), tmp_path / "notes.txt")
    with pytest.raises(DataError, match="no spool is in"):
        Spool.open(tmp_path)


def flip(path, place, bit=1):
    contents = bytearray(path.read_bytes())
    contents[place] ^= bit
    path.write_bytes(contents)


@pytest.mark.parametrize("place", [0, 31, 40, 64, 100, -1])
def test_a_flipped_bit_is_found(tmp_path, place):
    with Spool(Once(3), tmp_path) as spool:
        spool(2)
        flip(tmp_path / "batch-000000001.spool", place)
        with pytest.raises(DataError, match=r"batch-000000001.spool is damaged: its SHA-256"):
            spool(1)
        assert agree(expected(3)[0], spool(0))


def damaged_by_length(path):
    path.write_bytes(path.read_bytes()[:-1])


def damaged_by_excess(path):
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("damage", [damaged_by_length, damaged_by_excess])
def test_a_wrong_length_is_found(tmp_path, damage):
    with Spool(Once(2), tmp_path) as spool:
        spool(1)
        damage(tmp_path / "batch-000000000.spool")
        with pytest.raises(DataError, match=r"is damaged: it holds \d+ bytes"):
            spool(0)


def test_files_that_changed_places_are_found(tmp_path):
    with Spool(Once(3), tmp_path) as spool:
        spool(2)
    shutil.copy(tmp_path / "batch-000000000.spool", tmp_path / "batch-000000001.spool")
    with Spool.open(tmp_path) as again, pytest.raises(DataError, match="not that of the batch of"):
        again(1)


def test_a_missing_file_is_found(tmp_path):
    with Spool(Once(3), tmp_path) as spool:
        spool(2)
    (tmp_path / "batch-000000001.spool").unlink()
    with Spool.open(tmp_path) as again:
        assert len(again) == 3
        with pytest.raises(DataError, match="batch of step 1 cannot be read"):
            again(1)


@pytest.mark.parametrize("contents", [b"", b"{}", b"[1]", b'{"format": 1, "sha256": 2}'])
def test_a_damaged_manifest_is_found(tmp_path, contents):
    with Spool(Once(1), tmp_path) as spool:
        spool(0)
    (tmp_path / "spool.json").write_bytes(contents)
    with pytest.raises(DataError, match=r"spool.json is damaged"):
        Spool.open(tmp_path)


def test_every_flipped_bit_of_the_manifest_is_found(tmp_path):
    with Spool(Once(1), tmp_path) as spool:
        spool(0)
    path = tmp_path / "spool.json"
    intact = path.read_bytes()
    fields = intact.decode()
    start = fields.index('"<f8')
    for place in range(start, start + 20):
        flip(path, place)
        with pytest.raises(DataError, match="damaged"):
            Spool.open(tmp_path)
        path.write_bytes(intact)


def test_another_shape_is_refused_again_and_again():
    stream = iter([np.ones(3), np.ones(4), np.ones(3)])
    with Spool(stream) as spool:
        for _ in range(2):
            with pytest.raises(
                DataError, match=r"batch of step 1.*float64 \(4,\).*was float64 \(3"
            ):
                spool(1)
        assert np.array_equal(spool(0), np.ones(3))
    assert len(list(stream)) == 1


def test_a_stream_that_fails_does_not_count_as_ended(tmp_path):
    def failing():
        yield np.ones(2)
        raise RuntimeError("the sensor is gone")

    with Spool(failing(), tmp_path) as spool:
        with pytest.raises(RuntimeError, match="the sensor is gone"):
            spool(1)
        with pytest.raises(DataError, match=r"failed at step 1 \(RuntimeError: the sensor is gone"):
            spool(1)
        assert not spool.finished
    with Spool.open(tmp_path, iter([np.zeros(2)])) as again:
        assert np.array_equal(again(1), np.zeros(2))


def test_a_batch_that_could_not_be_written_is_not_lost(monkeypatch):
    write, full = batch_files._save, [True]

    def disk_full(path, contents, *, durable):
        if full.pop() if full else False:
            raise DataError(f"{path} cannot be written (no space left)")
        write(path, contents, durable=durable)

    stream = Once(3)
    with Spool(stream) as spool:
        spool(0)
        monkeypatch.setattr(batch_files, "_save", disk_full)
        with pytest.raises(DataError, match="no space left"):
            spool(1)
        assert len(spool) == 1
        assert agree(expected(3)[1], spool(1))
    assert stream.asked == 2


def test_threads_take_turns():
    batches, stream = expected(40), Once(40)
    steps = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 4))
    with Spool(stream) as spool, ThreadPoolExecutor(4) as pool:
        for step, batch in zip(steps, pool.map(spool, steps), strict=True):
            assert agree(batches[step], batch)
    assert stream.asked == 40


def test_an_unwritable_place_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    for durable in (True, False):
        with pytest.raises(DataError, match=r"taken cannot be written \(.*make room"):
            batch_files._save(tmp_path / "taken", b"x", durable=durable)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_what_a_crash_left_half_written_is_no_batch(tmp_path):
    with Spool(Once(2), tmp_path) as spool:
        spool(0)
    (tmp_path / ".batch-000000001.spool.123.partial").write_bytes(b"half")
    with Spool.open(tmp_path) as again:
        assert len(again) == 1


def test_the_state_is_said(tmp_path):
    spool = Spool(Once(1), tmp_path)
    spool(0)
    assert repr(spool).startswith("Spool(1 batches, ")
    assert "open" in repr(spool)
    spool.close()
    assert "closed" in repr(spool)


def test_training_on_a_stream_has_the_gradient_of_training_on_a_list():
    batches = expected(20)

    def final(rate, batch_of):
        def loss(w, hyper, step):
            batch = batch_of(step)
            return np.sum((w - batch["x"]) ** 2) + hyper * batch["y"][1] * np.sum(w)

        return np.sum(rg.train(loss, np.zeros((2, 3)), 0.5, rg.Momentum(rate, 0.9), steps=20) ** 2)

    with Spool(Once(20)) as spool:
        streamed = rg.grad(final)(0.05, spool)
    assert streamed == rg.grad(final)(0.05, batches.__getitem__)

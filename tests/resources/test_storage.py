"""Arrays and FIFOs lie where they take the least of the card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.ir.storage import Storage
from stbuild.platform import Fabric
from stbuild.resources.storage import array_in, bind_array, bind_fifo, lutram_luts, srl_luts
from tests.accelerator import platform

CARD = platform("u55c").available


@pytest.mark.parametrize(
    ("depth", "storage"),
    [(2, Storage.LUTRAM), (64, Storage.LUTRAM), (512, Storage.BRAM), (2048, Storage.URAM)],
)
def test_a_fifo_of_words_by_its_depth(depth: int, storage: Storage) -> None:
    assert bind_fifo(depth, 512, CARD).storage is storage


@pytest.mark.parametrize(
    ("words", "bits", "storage"),
    [
        (16, 64, Storage.LUTRAM),
        (512, 512, Storage.BRAM),
        (2752, 352, Storage.URAM),
        (524_288, 32, Storage.URAM),
    ],
)
def test_an_array_by_its_size(words: int, bits: int, storage: Storage) -> None:
    assert bind_array(words, bits, CARD).storage is storage


def test_a_card_without_uram_takes_bram() -> None:
    without = Fabric(lut=CARD.lut, ff=CARD.ff, bram36=CARD.bram36, uram=1, dsp=CARD.dsp)
    assert bind_array(524_288, 32, without).storage is Storage.BRAM


def bram_tiles(words: int, bits: int) -> float:
    return array_in(Storage.BRAM, words, bits).bram36


def uram_blocks(words: int, bits: int) -> int:
    return array_in(Storage.URAM, words, bits).uram


def test_blocks_by_geometry() -> None:
    assert bram_tiles(512, 72) == 1
    assert bram_tiles(512, 36) == 0.5
    assert bram_tiles(2048, 18) == 1
    assert uram_blocks(4096, 72) == 1
    assert uram_blocks(4097, 73) == 4
    assert lutram_luts(64, 7) == lutram_luts(32, 14) == 8
    assert srl_luts(32, 512) == 512


@given(words=st.integers(2, 100_000), bits=st.integers(1, 2048))
def test_blocks_hold_what_is_in_them(words: int, bits: int) -> None:
    assert bram_tiles(words, bits) * 36 * 1024 >= words * bits
    assert uram_blocks(words, bits) * 288 * 1024 >= words * bits
    assert lutram_luts(words, bits) * 64 >= words * bits


@given(words=st.integers(2, 100_000), bits=st.integers(1, 2048))
def test_a_deeper_array_takes_no_less(words: int, bits: int) -> None:
    assert bram_tiles(words + 1, bits) >= bram_tiles(words, bits)
    assert uram_blocks(words + 1, bits) >= uram_blocks(words, bits)

"""Perceptual hashes: those that ImageHash gives of the same pixels."""

import numpy as np
import pytest
from PIL import Image
from support.sample_run import SUBJECTS, picture

from zbatch.looks import looks_of
from zbatch.model import Request


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_same_pixels_have_the_hash_that_imagehash_gives(subject):
    imagehash = pytest.importorskip("imagehash", reason="pip install ImageHash (the test extra has it)")
    import io

    image = Image.open(io.BytesIO(picture(Request(prompt=f"a {subject}", size="512*512", seed=1), 300, 240)))
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS))
    assert looks_of(small[None])[0][:8].tolist() == np.packbits(imagehash.phash(image).hash).tolist()

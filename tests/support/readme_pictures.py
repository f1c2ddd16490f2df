"""Makes the picture of the README from a real run: `python tests/support/readme_pictures.py`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    from support.browser import address, chromium

    import zbatch

    with tempfile.TemporaryDirectory() as directory:
        with zbatch.run(ROOT / "manifests" / "lora-scales.yaml", run_dir=Path(directory) / "run") as run:
            index = run.directory.index
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1400, "height": 860}, device_scale_factor=1.5)
            page.goto(address(index))
            page.wait_for_timeout(1000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(ROOT / ".github" / "sheet.webp", quality=86, method=6)


if __name__ == "__main__":
    main()

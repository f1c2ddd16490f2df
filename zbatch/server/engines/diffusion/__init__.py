"""The engine `diffusers`: Z-Image with LoRAs on one's own processor, through Hugging Face diffusers.

Everything that needs torch is imported by `engine` and what stands below it, never from here: the base
install has no torch, and whoever serves previews does not wait for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from zbatch.errors import UsageError

if TYPE_CHECKING:
    from zbatch.server.engines import SteppedEngine
    from zbatch.server.engines.diffusion.setup import Setup


_NEEDED: Final = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors")
_HINT: Final = "pip install 'zbatch[gpu]'"


def diffusers_engine(setup: Setup) -> SteppedEngine:
    """Load the model and give the engine, ready to paint.

    Raises:
        UsageError: the extra is not installed, or the model cannot be used here.
    """
    for package in _NEEDED:
        if find_spec(package) is None:
            raise UsageError(f"the engine 'diffusers' needs {package}, which is not installed", hint=_HINT)
    try:
        from zbatch.server.engines.diffusion.engine import DiffusersEngine  # noqa: PLC0415 - brings torch in
    except ImportError as error:
        raise UsageError(f"the engine 'diffusers' cannot be loaded: {error}", hint=_HINT) from error
    return DiffusersEngine.start(setup)

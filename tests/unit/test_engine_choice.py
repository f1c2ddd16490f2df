"""The base install: no torch is imported, and the engine that needs it says what is missing."""

import importlib.util
import subprocess
import sys

import pytest
from support.command import zbatch

PARTS = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors")


def test_nothing_of_the_extra_is_imported_without_its_engine():
    code = (
        "import sys, zbatch, zbatch.cli.app, zbatch.cli.serve, zbatch.server.serving as serving\n"
        "serving.serve_app('preview')\n"
        f"print([part for part in {PARTS!r} if part in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_engine_says_how_to_get_it(tmp_path):
    if importlib.util.find_spec("torch") is not None:
        pytest.skip("the extra is installed here")
    done = zbatch("serve", "--engine", "diffusers", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "the engine 'diffusers' needs torch, which is not installed" in done.stderr
    assert "pip install 'zbatch[gpu]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--batch", "2"), "--batch is for --engine diffusers, and the engine is preview"),
        (("--compile",), "--compile is for --engine diffusers"),
        (("--allow-lora-hosts", "huggingface.co"), "--allow-lora-hosts is for --engine diffusers"),
        (("--engine", "diffusers", "--lora-dir", "nowhere"), "'nowhere' does not exist"),
        (
            ("--engine", "diffusers", "--allow-lora-hosts", "a.org,https://b.org/"),
            "takes names of hosts, and 'https://b.org/' is none",
        ),
    ],
)
def test_flags_of_another_engine_are_told(tmp_path, flags, said):
    done = zbatch("serve", "--port", "0", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr

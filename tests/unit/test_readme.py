"""The README says what is true: commands, flags, files and links exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from zbatch.cli.app import COMMANDS, app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def command(name):
    return app.get_command(click.Context(app), name)


def test_every_command_is_documented():
    for name in COMMANDS:
        assert re.search(rf"`zbatch {name}\b", README), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    found = command(name)
    text = found.get_help(click.Context(found, info_name=f"zbatch {name}"))
    assert "Example" in text
    assert all(parameter.help for parameter in found.params if isinstance(parameter, click.Option))


def test_every_flag_the_readme_names_is_there():
    known = {flag for name in COMMANDS for parameter in command(name).params for flag in parameter.opts}
    known |= {"--help", "--version", "--no-deps"}  # the last is pip's
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= known


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_picture_is_told_in_words_and_all_are_light():
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
    assert len(pictures) >= 4
    assert all(len(words) > 40 for words, _ in pictures)
    assert sum((ROOT / target).stat().st_size for _, target in pictures) < 700_000


def test_ci_runs_the_readmes_own_test_command():
    assert "the test command" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert re.search(r"<!-- the test command -->\n```sh\npython3 -m venv .* && \.venv/bin/pytest", README)


def validated(folder):
    command = [sys.executable, "-m", "zbatch", "validate", "fox.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_manifest_of_the_readme_is_valid(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1)
    (tmp_path / "fox.yaml").write_text(text, "utf-8")
    done = validated(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_error_the_readme_shows_is_the_one_that_is_printed(tmp_path):
    shown = re.search(r"```\n(fox\.yaml:.*?)```", README, re.DOTALL).group(1)
    (tmp_path / "fox.yaml").write_text(
        "version: 1\nname: fox\n\n\nrequest:\n  prompt: a fox\n  size: 832x1216\n", "utf-8"
    )
    done = validated(tmp_path)
    assert done.returncode == 2
    assert done.stderr == shown

"""Why a file is left as it is."""

from __future__ import annotations


class UneditableError(Exception):
    """A container cannot be edited safely; the message says why, in words that many files may share."""


SIGNED = "it carries signed content credentials (C2PA), which an edit would break"
CUT_OFF = "its container ends too early"

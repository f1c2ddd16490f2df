"""Provenance in the picture itself: what made it, written into PNG, JPEG and WebP without touching a pixel.

Two forms of words go into every file. `parameters` is the text that AUTOMATIC1111 wrote, for viewers and
sites; the record is JSON, for zbatch. No library of Python's that is well kept writes these losslessly
(Pillow encodes the picture anew), so each container has a small editor of its own: it copies every byte of
the picture, adds its words, and refuses (`UneditableError`) where it is not sure.
"""

from zbatch.provenance.embedding import Words, embed, find_words
from zbatch.provenance.parameters import is_parameters, parameters_text
from zbatch.provenance.record import Origin, Record, read_record, record_body, record_text
from zbatch.provenance.uneditable import UneditableError

__all__ = [
    "Origin",
    "Record",
    "UneditableError",
    "Words",
    "embed",
    "find_words",
    "is_parameters",
    "parameters_text",
    "read_record",
    "record_body",
    "record_text",
]

"""The record in an XMP packet: a description of our own beside whatever others are there."""

from __future__ import annotations

import html
import re
from typing import Final

from zbatch.provenance.uneditable import UneditableError

_SPACE: Final = "urn:zbatch:provenance:1#"
_BEGIN: Final = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
)
_END: Final = '\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
_OURS: Final = re.compile(
    rb"\s*<zb-rdf:Description[^>]*><zbatch:record>[^<]*</zbatch:record></zb-rdf:Description>"
)
_RDF_END: Final = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?RDF\s*>")
_RECORD: Final = re.compile(rb"<zbatch:record\b[^>]*>([^<]*)</zbatch:record>|\bzbatch:record=\"([^\"<]*)\"")


def with_record(packet: bytes | None, record: str) -> bytes:
    """Give a packet with the record in it.

    Raises:
        UneditableError: the packet that is there is of a kind that is not understood.
    """
    description = (
        # A prefix of its own: another packet may call RDF whatever it likes.
        '<zb-rdf:Description xmlns:zb-rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" zb-rdf:about="" '
        f'xmlns:zbatch="{_SPACE}"><zbatch:record>{html.escape(record, quote=False)}</zbatch:record>'
        "</zb-rdf:Description>"
    )
    if packet is None:
        return f"{_BEGIN}{description}{_END}".encode("utf-8", "replace")
    packet = _OURS.sub(b"", packet)
    ends = list(_RDF_END.finditer(packet))
    if len(ends) != 1 or b"zbatch:record" in packet:
        raise UneditableError("its XMP packet is of a kind that is not understood")
    at = ends[0].start()
    return b"".join((packet[:at], description.encode("utf-8", "replace"), b"\n", packet[at:]))


def record_of(packet: bytes) -> str | None:
    """Give the record in a packet, in whichever form it was written again by another tool; or `None`."""
    found = _RECORD.search(packet)
    if found is None:
        return None
    text = found[1] if found[1] is not None else found[2]
    return html.unescape(text.decode("utf-8", "replace"))

"""A helper process that wants more memory than there is."""


def main() -> None:
    bytearray(1 << 60)

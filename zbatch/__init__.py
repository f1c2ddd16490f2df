"""zbatch: a declarative batch runner for image generation."""

__version__ = "0.1.0"

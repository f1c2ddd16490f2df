"""The OpenAPI document of the server, made from the same contract that checks the bodies."""

from __future__ import annotations

from typing import Any, Final

from zbatch.api.contract import (
    DEFAULTS,
    MAX_LORAS,
    MAX_SCALE,
    MAX_SEED,
    MODELS,
    OUTPUT_FORMATS,
    RESULT_PATH,
    submit_path,
)
from zbatch.api.results import TaskStatus
from zbatch.model import MEDIA_TYPES
from zbatch.server.metrics import MEDIA_TYPE as METRICS_TYPE
from zbatch.server.orders import LONGEST, LONGEST_PATH

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_SIDE: Final = "(?:25[6-9]|2[6-9][0-9]|[3-9][0-9]{2}|1[0-4][0-9]{2}|15[0-2][0-9]|153[0-6])"
"""256 to 1536 (sister)."""
_WORDS: Final = r"[^\s\u001c-\u001f\u0085\ufeff]"
"""Anything but blanks."""
_IMAGE: Final[dict[str, Any]] = {
    "type": ["string", "null"],
    "format": "uri",
    "pattern": "^(?:[hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:)",
}

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "prompt": {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST["prompt"],
        "pattern": _WORDS,
        "description": "Positive prompt for generation.",
    },
    "size": {
        "type": ["string", "null"],
        "default": DEFAULTS["size"],
        "pattern": rf"^{_SIDE}\*{_SIDE}$",
        "description": "Pixel dimensions of the generated image (width*height), 256 to 1536 a side.",
    },
    "seed": {
        "type": ["integer", "null"],
        "minimum": -1,
        "maximum": MAX_SEED,
        "default": -1,
        "description": "Random seed; -1 means a random one, told in extra.seed.",
    },
    "loras": {
        "type": ["array", "null"],
        "maxItems": MAX_LORAS,
        "default": [],
        "description": "List of LoRAs to apply (up to 3).",
        "items": {
            "type": "object",
            "required": ["path"],
            "additionalProperties": False,
            "properties": {
                "path": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": LONGEST_PATH,
                    "pattern": _WORDS,
                    "description": "URL or path of the weights.",
                },
                "scale": {"type": ["number", "null"], "minimum": 0, "maximum": MAX_SCALE, "default": 1},
            },
        },
    },
    "image_url": _IMAGE
    | {"description": "Reference image for image-to-image: an http(s) URL or a data: URI."},
    "strength": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 1,
        "description": "Needs image_url; 0 gives the reference back, 1 ignores it.",
    },
    "mask": _IMAGE | {"description": "Needs image_url. White areas are repainted, black ones are kept."},
    "output_format": {"enum": [*OUTPUT_FORMATS, None], "default": DEFAULTS["output_format"]},
    "enable_base64_output": {
        "type": ["boolean", "null"],
        "default": DEFAULTS["enable_base64_output"],
        "description": "The image comes as a data: URI in image_url.",
    },
}
_NEEDS_IMAGE: Final[dict[str, Any]] = {
    "anyOf": [
        {"required": ["image_url"], "properties": {"image_url": {"type": "string"}}},
        {"properties": {"strength": {"type": "null"}, "mask": {"type": "null"}}},
    ]
}
"""`strength` and `mask` need `image_url`; null counts as absent, as in every optional field."""

_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["code", "reason", "message", "metadata"],
    "properties": {
        "code": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
        "reason": {"type": "string", "pattern": "^[A-Z_]+$"},
        "message": _TEXT,
        "metadata": {"type": "object"},
    },
}

_RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["task", "extra", "images", "videos", "audios"],
    "properties": {
        "task": {
            "type": "object",
            "required": ["task_id", "status", "reason", "task_type", "eta", "progress_percent"],
            "properties": {
                "task_id": _TEXT,
                "status": {"enum": [status.value for status in TaskStatus]},
                "reason": _TEXT,
                "task_type": _TEXT,
                "eta": {"type": "integer"},
                "progress_percent": {"type": "number"},
            },
        },
        "extra": {"type": "object"},
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["image_url", "image_url_ttl", "image_type"],
                "properties": {
                    "image_url": _TEXT,
                    "image_url_ttl": {
                        "type": "string",
                        "pattern": "^[0-9]+$",
                        "description": "Seconds, as text (observed)",
                    },
                    "image_type": {"enum": [*OUTPUT_FORMATS]},
                },
            },
        },
        "videos": {"type": "array"},
        "audios": {"type": "array"},
    },
}


_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "engine", "version", "tasks"],
    "properties": {
        "status": {"const": "ok"},
        "engine": _TEXT,
        "version": _TEXT,
        "tasks": {
            "type": "object",
            "required": ["open", "finished"],
            "properties": {"open": {"type": "integer"}, "finished": {"type": "integer"}},
        },
    },
}


def openapi_document(base_url: str, version: str, *, keys: bool = False) -> dict[str, Any]:
    """Describe the API at `base_url`, as OpenAPI 3.1; `keys` tells whether it asks for them."""
    security: list[dict[str, list[str]]] = [{"key": []}] if keys else [{"key": []}, {}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "zbatch serve", "version": version},
        "servers": [{"url": base_url}],
        "paths": {
            **{
                submit_path(model): {"post": _submit(model, fields) | {"security": security}}
                for model, fields in MODELS.items()
            },
            RESULT_PATH: {"get": _task_result() | {"security": security}},
            "/v3/files/{task_id}/{name}": {"get": _download()},
            "/healthz": {"get": _plain("healthz", {"200": _json("Alive", _HEALTH)})},
            "/readyz": {
                "get": _plain(
                    "readyz",
                    {"200": _json("Ready", {"type": "object"}), "503": _error("SERVICE_NOT_AVAILABLE")},
                )
            },
            "/metrics": {"get": _metrics() | {"security": security}},
            "/openapi.json": {"get": _plain("openapi", {"200": _json("This document", {"type": "object"})})},
        },
        "components": {
            "schemas": {"Error": _ERROR, "TaskResult": _RESULT},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _plain(name: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "responses": responses | {"400": _error("INVALID_REQUEST")}}


def _metrics() -> dict[str, Any]:
    text = {"description": "For Prometheus", "content": {METRICS_TYPE: {"schema": _TEXT}}}
    return _plain("metrics", {"200": text, "401": _error("FAILED_TO_AUTH")})


def _download() -> dict[str, Any]:
    def parameter(name: str, place: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": place, "required": True, "schema": _TEXT | schema}

    images: dict[str, Any] = {MEDIA_TYPES[name]: {"schema": {}} for name in OUTPUT_FORMATS}
    answers = {
        "200": {"description": "The image", "content": images},
        "403": _error("ACCESS_DENY: the signature is wrong or has expired"),
        "404": _error("IMAGE_NOT_FOUND"),
    }
    return _plain("download", answers) | {
        "description": "Not built by hand: image_url of a result is such a URL, whole and signed.",
        "parameters": [
            parameter("task_id", "path"), parameter("name", "path"), parameter("expires", "query"),
            parameter("signature", "query"),
        ],
    }  # fmt: skip


def _submit(model: str, fields: tuple[str, ...]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["prompt"],
        "additionalProperties": False,
        "properties": {name: _FIELDS[name] for name in fields},
        **_NEEDS_IMAGE,
    }
    accepted = {"type": "object", "required": ["task_id"], "properties": {"task_id": _TEXT}}
    links = {"result": {"operationId": "task-result", "parameters": {"task_id": "$response.body#/task_id"}}}
    retry = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds"}}
    return {
        "operationId": f"submit-{model}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": _json("Accepted", accepted) | {"links": links},
            "400": _error("INVALID_REQUEST_BODY, INVALID_IMAGE_FORMAT or INVALID_IMAGE_SIZE"),
            "401": _error("FAILED_TO_AUTH"),
            "408": _error("REQUEST_TIMEOUT"),
            "413": _error("INVALID_REQUEST_BODY"),
            "429": _error("RATE_LIMIT_EXCEEDED") | {"headers": retry},
            "503": _error("SERVICE_NOT_AVAILABLE"),
        },
    }


def _task_result() -> dict[str, Any]:
    task_id = {"name": "task_id", "in": "query", "required": True, "schema": _TEXT | {"minLength": 1}}
    # A link takes whole values out of an answer, and what a download needs is inside of image_url.
    links = {
        "download": {
            "operationId": "download",
            "parameters": {"path.task_id": "$response.body#/task/task_id"},
            "description": "name, expires and signature are those in images[].image_url",
        }
    }
    return {
        "operationId": "task-result",
        "parameters": [task_id],
        "responses": {
            "200": _json("The task", {"$ref": "#/components/schemas/TaskResult"}) | {"links": links},
            "400": _error("INVALID_REQUEST_BODY"),
            "401": _error("FAILED_TO_AUTH"),
            "404": _error("TASK_NOT_FOUND"),
        },
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(reasons: str) -> dict[str, Any]:
    return _json(reasons, {"$ref": "#/components/schemas/Error"})

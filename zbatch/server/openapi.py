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
    TaskStatus,
    submit_path,
)

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_OPTIONAL_TEXT: Final[dict[str, Any]] = {"type": ["string", "null"], "minLength": 1}

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "prompt": {"type": "string", "minLength": 1, "pattern": r"\S"},
    "size": {
        "type": ["string", "null"],
        "default": DEFAULTS["size"],
        "pattern": r"^[1-9][0-9]{2,3}\*[1-9][0-9]{2,3}$",
        "description": "width*height in pixels, 256 to 1536 a side",
    },
    "seed": {"type": ["integer", "null"], "minimum": -1, "maximum": MAX_SEED, "default": -1},
    "loras": {
        "type": ["array", "null"],
        "maxItems": MAX_LORAS,
        "default": [],
        "items": {
            "type": "object",
            "required": ["path"],
            "additionalProperties": False,
            "properties": {
                "path": {"type": "string", "minLength": 1, "pattern": r"\S"},
                "scale": {"type": ["number", "null"], "minimum": 0, "maximum": MAX_SCALE, "default": 1},
            },
        },
    },
    "image_url": _OPTIONAL_TEXT | {"description": "http(s) URL or data: URI of the reference image"},
    "strength": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 1,
        "description": "needs image_url; 0 gives the reference back, 1 ignores it",
    },
    "mask": _OPTIONAL_TEXT | {"description": "needs image_url; white is repainted, black is kept"},
    "output_format": {
        "enum": [*OUTPUT_FORMATS, None],
        "default": DEFAULTS["output_format"],
    },
    "enable_base64_output": {"type": ["boolean", "null"], "default": DEFAULTS["enable_base64_output"]},
}

_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["code", "reason", "message", "metadata"],
    "properties": {
        "code": {"type": "integer"},
        "reason": _TEXT,
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
                "properties": {"image_url": _TEXT, "image_url_ttl": _TEXT, "image_type": _TEXT},
            },
        },
        "videos": {"type": "array"},
        "audios": {"type": "array"},
    },
}


def openapi_document(base_url: str, version: str) -> dict[str, Any]:
    """Describe the API that is served at `base_url`, as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "zbatch serve", "version": version},
        "servers": [{"url": base_url}],
        "paths": {
            **{submit_path(model): {"post": _submit(model, fields)} for model, fields in MODELS.items()},
            RESULT_PATH: {"get": _task_result()},
            "/healthz": {"get": {"operationId": "healthz", "responses": {"200": _json("Alive", {})}}},
            "/readyz": {
                "get": {
                    "operationId": "readyz",
                    "responses": {"200": _json("Ready", {}), "503": _error("SERVICE_NOT_AVAILABLE")},
                }
            },
        },
        "components": {
            "schemas": {"Error": _ERROR, "TaskResult": _RESULT},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _submit(model: str, fields: tuple[str, ...]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["prompt"],
        "additionalProperties": False,
        "properties": {name: _FIELDS[name] for name in fields},
        "dependentRequired": {"strength": ["image_url"], "mask": ["image_url"]},
    }
    accepted = {"type": "object", "required": ["task_id"], "properties": {"task_id": _TEXT}}
    return {
        "operationId": f"submit-{model}",
        "security": [{"key": []}, {}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": _json("Accepted", accepted),
            "400": _error("INVALID_REQUEST_BODY, INVALID_IMAGE_FORMAT or INVALID_IMAGE_SIZE"),
            "401": _error("FAILED_TO_AUTH"),
            "413": _error("INVALID_REQUEST_BODY"),
            "429": _error("RATE_LIMIT_EXCEEDED, with Retry-After"),
            "503": _error("SERVICE_NOT_AVAILABLE"),
        },
    }


def _task_result() -> dict[str, Any]:
    return {
        "operationId": "task-result",
        "security": [{"key": []}, {}],
        "parameters": [{"name": "task_id", "in": "query", "required": True, "schema": _TEXT}],
        "responses": {
            "200": _json("The task", {"$ref": "#/components/schemas/TaskResult"}),
            "400": _error("INVALID_REQUEST_BODY"),
            "401": _error("FAILED_TO_AUTH"),
            "404": _error("TASK_NOT_FOUND"),
        },
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(reasons: str) -> dict[str, Any]:
    return _json(reasons, {"$ref": "#/components/schemas/Error"})

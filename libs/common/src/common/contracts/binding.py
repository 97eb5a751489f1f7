"""How a CloudEvent lies in a Kafka record (Kafka binding 3, JSON format 3): attributes in headers, or all in one JSON object."""

import base64
import binascii
from typing import Any, Protocol

from common.contracts.strict_json import strict_json
from common.kernel.errors import Malformed

EXTENSIONS = ("partitionkey", "sequence", "correlationid", "causationid", "recordedtime", "replayof")
REQUIRED = ("specversion", "id", "source", "type", "time")
ATTRIBUTES = (*REQUIRED, "subject", "datacontenttype", "dataschema", *EXTENSIONS)
_HEADERS = frozenset({"content-type", *(f"ce_{name}" for name in ATTRIBUTES)})
_CLOUDEVENTS = "application/cloudevents"


class Carrier(Protocol):
    """What of a record carries an event."""

    @property
    def value(self) -> bytes | None:
        """The bytes."""

    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        """The headers, a name perhaps several times."""


def head(record: Carrier, attributes: dict[str, str]) -> str | None:
    """The content type of the data of a record, its attributes put into `attributes`; None where all is in one JSON object.

    `Malformed` names what the record is instead of an event.
    """
    headers = _text_headers(record)
    content_type = headers.pop("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith(_CLOUDEVENTS):
        _refuse_format(content_type.removeprefix(_CLOUDEVENTS))
        return None
    if not headers:
        return None
    attributes |= {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    for name in REQUIRED:
        if not attributes.get(name) and f"ce-{name}" in headers:
            raise Malformed("missing", field=f"ce_{name}", reason=f"on Kafka the header is called ce_{name}, not ce-{name} as in HTTP")
    return content_type


def data(record: Carrier, content_type: str | None, attributes: dict[str, str]) -> Any:
    """The data of the event whose `head` was read; without a content type it holds the attributes too, which are put into `attributes`."""
    assert record.value is not None
    return _structured(record.value, attributes) if content_type is None else _data(record.value, content_type, "content-type")


def is_attribute(name: str) -> bool:
    """Whether a header of this name is one of ours."""
    return name.removeprefix("ce_") in ATTRIBUTES or name == "content-type"


def _refuse_format(suffix: str) -> None:
    if suffix.startswith("-batch"):
        raise Malformed("unsupported_format", field="content-type", reason="a batch: a Kafka record holds one event")
    if suffix not in ("", "+json"):
        known = suffix if suffix in ("+avro", "+protobuf", "+xml") else "+ another format"
        reason = f"a structured event in {known.lstrip('+ ')}: only JSON is read ({_CLOUDEVENTS}+json)"
        raise Malformed("unsupported_format", field="content-type", reason=reason)


def _text_headers(record: Carrier) -> dict[str, str]:
    """The headers of the binding, by name; those with the dash of HTTP's too, so that the mistake can be told."""
    found: dict[str, str] = {}
    for name, raw in record.headers:
        if name not in _HEADERS:
            name = name.lower()
            if not (name.startswith("ce_") or name == "content-type" or (name.startswith("ce-") and name[3:] in ATTRIBUTES)):
                continue  # a foreign header is none of ours, whatever bytes it holds
        if raw is None:
            raise Malformed("empty", field=_field(name), reason="the header has no value")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("bad_encoding", field=_field(name), reason="expected UTF-8") from None
        if found.setdefault(name, text) != text:
            raise Malformed("duplicate_key", field=_field(name), reason="the header stands twice, with different values")
    return found


def _field(name: str) -> str:
    return name if is_attribute(name) else "header"


def _structured(value: bytes, attributes: dict[str, str]) -> Any:
    body = strict_json(value, field="event")
    if not isinstance(body, dict) or not any(name in body for name in REQUIRED):
        raise Malformed("not_an_event", field="event", reason="expected ce_ headers, or a CloudEvents object with its attributes")
    for name, found in body.items():
        if isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool) and name != "specversion"):
            attributes[name] = str(found)
    for name in ATTRIBUTES:
        if body.get(name) is not None and name not in attributes:
            hint = ' "1.0"' if name == "specversion" else ""
            raise Malformed("bad_attribute", field=f"ce_{name}", reason=f"expected text{hint}, not {_kind(body[name])}")
    content_type = attributes.get("datacontenttype", "").partition(";")[0].strip().lower()
    if "data_base64" in body and body["data_base64"] is not None:
        if body.get("data") is not None:
            raise Malformed("duplicate_key", field="data_base64", reason="an event has data or data_base64, not both")
        return _data(_decoded(body["data_base64"]), content_type, "ce_datacontenttype")
    if "data" not in body:
        return _NOTHING
    if not _is_json(content_type) and not isinstance(body["data"], dict):
        raise _no_json("ce_datacontenttype")
    return body["data"]


class _Nothing:
    """The data of an event that has none; told after its attributes, which matter more."""


_NOTHING = _Nothing()


def has_data(data: Any) -> bool:
    """Whether the event had any data at all."""
    return data is not _NOTHING


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, AttributeError):
        raise Malformed("bad_encoding", field="data_base64", reason="expected base64") from None


def _data(raw: bytes, content_type: str, named: str) -> Any:
    try:
        return strict_json(raw)
    except Malformed as problem:
        if problem.rule in ("bad_json", "bad_encoding") and not _is_json(content_type):
            raise _no_json(named) from None
        raise


def _is_json(content_type: str) -> bool:
    return content_type in ("", "application/json", "text/json") or content_type.endswith("+json")


def _no_json(named: str) -> Malformed:
    return Malformed("unsupported_format", field=named, reason="the data are in another format: only JSON is read")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"

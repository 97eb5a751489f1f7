"""What the demo adds to a clean quarter, as real life does: repeats, claims that a rule refuses, and records that nobody can read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from common.contracts.claims.intake import CustomerAnswered
from common.contracts.envelope import encode
from common.contracts.event import Envelope
from common.kernel.ids import derived_id
from ops.simulation.claims import Sent

REPEATED = 5


def extras(claims: Sequence[Sent]) -> Iterator[Sent]:
    """Five claims sent twice, two second answers to one request, and three records without sense."""
    yield from claims[-REPEATED:]
    requests = [claim for claim in claims if claim.topic == "service-request-claims"]
    for claim in [claim for claim in requests if _type(claim) == CustomerAnswered.TYPE][:2]:
        again = CustomerAnswered(request_id=claim.key, by="E1100")
        id = derived_id(claim.at, "demo", claim.key, "again")
        envelope = Envelope(id, "/simulator", again.TYPE, claim.key, claim.at, claim.at, replay_of="simulated:extras")
        value, headers = encode(again, envelope, key=claim.key)
        yield replace(claim, value=value, headers=tuple(headers))
    first = requests[0]
    unlike = tuple((name, b"no-such-id" if name == "ce_id" else value) for name, value in first.headers)
    yield replace(first, value=b'{"request_id": ', headers=unlike)
    yield replace(first, value=b"\xff\xfe", headers=(("comment", b"no event at all"),))
    yield replace(first, headers=tuple(pair for pair in unlike if pair[0] != "ce_time"))


def _type(claim: Sent) -> str:
    return dict(claim.headers)["ce_type"].decode()

"""Sends usage over gRPC, from Python.

The contract is plain protobuf, so the stubs come from it. In a checkout of UsageFlow:

    pip install grpcio grpcio-tools
    mkdir -p stubs
    python -m grpc_tools.protoc -I proto --python_out=stubs --grpc_python_out=stubs \
        buf/validate/validate.proto usageflow/v1/error.proto usageflow/v1/permission.proto \
        usageflow/v1/usage.proto usageflow/v1/usage_service.proto
    PYTHONPATH=stubs USAGEFLOW_URL=http://127.0.0.1:8787 USAGEFLOW_API_KEY=uf_test_... python docs/examples/track.py
"""

import json
import os
import sys
import uuid
from urllib.parse import urlsplit

import grpc
from usageflow.v1 import error_pb2, usage_pb2, usage_service_pb2, usage_service_pb2_grpc

# Every event has a key, so the same call may be made again: what is stored already is a duplicate, and counts once.
RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "usageflow.v1.UsageService", "method": "TrackUsage"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ]
    }
)


def open_channel(url: str) -> grpc.Channel:
    options = [("grpc.service_config", RETRIES)]
    parts = urlsplit(url)
    if parts.scheme == "https":
        return grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(parts.netloc, options)


def main() -> int:
    api_key = os.environ["USAGEFLOW_API_KEY"]
    events = [
        # Amounts are text: a float would lose digits.
        usage_pb2.UsageEvent(metric="API_CALL", amount="12", customer_id="acme", idempotency_key=str(uuid.uuid4())),
        usage_pb2.UsageEvent(metric="API_KALL", amount="1", customer_id="acme", idempotency_key=str(uuid.uuid4())),
    ]
    with open_channel(os.environ["USAGEFLOW_URL"]) as channel:
        usage = usage_service_pb2_grpc.UsageServiceStub(channel)
        try:
            answer = usage.TrackUsage(
                usage_service_pb2.TrackUsageRequest(events=events),
                metadata=[("authorization", f"Bearer {api_key}")],
                timeout=30,
            )
        except grpc.RpcError as error:
            request_id = dict(error.trailing_metadata() or ()).get("x-request-id", "")
            print(f"{error.code().name}: {error.details()} {request_id}".rstrip(), file=sys.stderr)
            return 1
    # One answer for each event, in the order sent.
    for event, result in zip(events, answer.results):
        outcome = usage_pb2.UsageOutcome.Name(result.outcome).removeprefix("USAGE_OUTCOME_")
        reason = error_pb2.ErrorReason.Name(result.reason).removeprefix("ERROR_REASON_") if result.reason else ""
        print(f"{event.metric}: {outcome} {reason}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where MiniStack's Lambda is not AWS's: layers attached twice, batches of a queue's messages, and events that a
function fails on, which AWS hands over twice more and then leaves in the function's dead-letter queue.

``install()`` puts these functions in the place of MiniStack's own, in the process that runs it.
"""

from __future__ import annotations

import json
import random
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import eventbridge, lambda_svc, sns, sqs

# Lambda polls a queue with several pollers, each with a batch of its own, so that files dropped together arrive in
# several invocations (design.md section 6). How many messages the next one takes is drawn from these.
BATCHES = (1, 2, 3, 5, 8)
SEED = 7

_draw = random.Random(SEED)  # noqa: S311


def install() -> None:
    """Put the additions in place."""
    attach, receive = lambda_svc._normalize_layer_attachments, sqs._receive_messages_for_esm

    def attach_once(layers: list[Any] | None) -> tuple[Any, Any]:
        repeated = layers_twice([one if isinstance(one, str) else (one or {}).get("Arn", "") for one in layers or []])
        if repeated:
            return None, error_response_json(
                "InvalidParameterValueException",
                "Two different versions of the same layer are not allowed to be referenced in the same function: "
                + ", ".join(repeated),
                400,
            )
        return attach(layers)

    def receive_few(queue_url: str, most: int) -> list[dict[str, Any]]:
        return receive(queue_url, min(most, _draw.choice(BATCHES)))

    lambda_svc._normalize_layer_attachments = attach_once
    sqs._receive_messages_for_esm = receive_few
    sns._lambda_svc = _Asynchronous()
    eventbridge._dispatch_to_lambda = dispatch


class _Asynchronous:
    """MiniStack's Lambda as SNS has to use it: what it invokes, it invokes asynchronously."""

    def __getattr__(self, name: str) -> Any:
        invokes = name == "_execute_function_with_config_scope"
        return getattr(lambda_svc, "invoke_async_with_retry" if invokes else name)


def dispatch(arn: str, payload: str) -> None:
    """EventBridge's event to a function, asynchronously."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        lambda_svc.invoke_async_with_retry(
            lambda_svc._execution_record_for_config(function, config), json.loads(payload)
        )


def layers_twice(arns: list[str]) -> list[str]:
    """Layers (without version) that a function would have more than once, be it in the same version."""
    layers = [arn.rpartition(":")[0] for arn in arns]
    return sorted({layer for layer in layers if layers.count(layer) > 1})

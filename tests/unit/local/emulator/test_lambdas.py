import threading

import pytest
from ministack.services import lambda_svc

from local.emulator import lambdas

REGION = "arn:aws:lambda:eu-central-1:123456789012:layer"


def test_a_layer_in_two_versions_or_twice_in_one_is_seen():
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:libraries:1"]) == [f"{REGION}:libraries"]
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:code:1", f"{REGION}:libraries:2"]) == [
        f"{REGION}:libraries"
    ]


def test_different_layers_are_fine():
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:code:1"]) == []
    assert lambdas.layers_twice([]) == []


@pytest.mark.parametrize(("failures", "calls", "letters"), [(0, 1, 0), (2, 3, 0), (9, 3, 1)])
def test_an_event_that_a_function_fails_on_is_handed_over_twice_more_and_then_left_as_a_letter(
    monkeypatch, failures, calls, letters
):
    """As Lambda does with all that EventBridge and SNS invoke."""
    seen, left, done = [], [], threading.Event()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    config = {"FunctionName": "f", "FunctionArn": arn, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:::letters"}}
    record = {"config": config}

    def execute(function, event):
        seen.append(event)
        failed = len(seen) <= failures
        if len(seen) == 3 and failed:
            threading.Timer(0.2, done.set).start()
        elif not failed:
            done.set()
        return {"body": {}, **({"error": True} if failed else {})}

    monkeypatch.setattr(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", 0)
    monkeypatch.setattr(lambda_svc, "_execute_function", execute)
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda arn: (record, config, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda function, config: function)
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda arn, *_: left.append(arn))
    lambdas.dispatch(arn, '{"detail": 1}')
    assert done.wait(10)
    assert seen == [{"detail": 1}] * calls
    assert len(left) == letters


def test_sns_invokes_asynchronously_and_has_all_else_of_lambda():
    theirs = lambdas._Asynchronous()
    assert theirs._execute_function_with_config_scope is lambda_svc.invoke_async_with_retry
    assert theirs._get_func_record_for_ref is lambda_svc._get_func_record_for_ref

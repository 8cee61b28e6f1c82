"""May this role do that? Asked where MiniStack does not ask: roles that a service uses for someone else."""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, sts

from local.emulator.service_model import ServiceError


def role_name(role_arn: str) -> str:
    """``arn:aws:iam::<account>:role/some/path/name`` → ``name``."""
    return role_arn.rsplit("/", 1)[-1]


def require(role_arn: str, session: str, action: str, resource: str, context: dict[str, Any] | None = None) -> None:
    """Raise ``AccessDeniedException`` unless the role's policies allow ``action`` on ``resource``.

    ``context`` holds condition keys, such as ``iam:PassedToService``.
    """
    account = get_account_id()
    principal = f"arn:aws:sts::{account}:assumed-role/{role_name(role_arn)}/{session}"
    asked = iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=_lower(context),
    )
    limits = iam_evaluator._permissions_boundary(iam._roles, role_name(role_arn), account)
    answer = iam_evaluator.evaluate(asked, iam_evaluator._gather_role_policies(role_name(role_arn), account), *limits)
    if answer.decision != "Allow":
        reason = (
            "with an explicit deny in an identity-based policy"
            if answer.decision == "Deny"
            else f"because no identity-based policy allows the {action} action"
        )
        raise ServiceError(
            "AccessDeniedException",
            f"User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}",
        )


def may_read(role_arn: str, bucket: str, key: str) -> bool:
    """Do the role's policies, as they are now, let it read the object?"""
    try:
        require(role_arn, "job", "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
    except ServiceError:
        return False
    return True


def require_of_caller(access_key: str, action: str, resource: str, context: dict[str, Any] | None = None) -> None:
    """The same for the caller of an HTTP request, who is known by an access key."""
    denied = iam_evaluator.enforce(
        access_key,
        action,
        action.partition(":")[0],
        get_region(),
        resource_arn=resource,
        service_context=_lower(context),
    )
    if denied is not None:
        who = getattr(denied, "principal_arn", "") or "the caller"
        raise ServiceError(
            "AccessDeniedException",
            f"User: {who} is not authorized to perform: {action} on resource: {resource} because no "
            f"identity-based policy allows the {action} action",
        )


def trusts(role_arn: str, service: str, context: dict[str, Any] | None = None) -> bool:
    """Does the role exist, and does its trust policy let ``service`` (``sagemaker.amazonaws.com``) assume it?"""
    role = iam._roles.get(role_name(role_arn))
    if role is None:
        return False
    document = role.get("AssumeRolePolicyDocument") or "{}"
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    asked = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=get_account_id(),
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region=get_region(),
        service_context=_lower(context),
    )
    allowed = False
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", [])
        if (
            iam_evaluator._service_principal_matches(statement.get("Principal"), service)
            and iam_evaluator._action_matches("sts:AssumeRole", [actions] if isinstance(actions, str) else actions, [])
            and iam_evaluator._conditions_met(statement.get("Condition", {}), asked)
        ):
            if statement.get("Effect") == "Deny":
                return False
            allowed = True
    return allowed


def credentials(role_arn: str, session: str) -> dict[str, Any]:
    """Temporary credentials of the role, as boto3 takes them. Everything done with them is held to its policies."""
    access_key, secret, token = sts._gen_session_access_key(), sts._gen_secret(), sts._gen_session_token()
    account = role_arn.split(":")[4]
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name(role_arn)}/{session}",
            "UserId": f"{sts._role_id(role_arn)}:{session}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        },
    )
    return {"aws_access_key_id": access_key, "aws_secret_access_key": secret, "aws_session_token": token}


def _lower(context: dict[str, Any] | None) -> dict[str, Any]:
    return {key.lower(): value for key, value in (context or {}).items()}

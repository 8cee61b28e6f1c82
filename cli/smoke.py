"""``headroom smoke``: does a deployed stack work, from a dropped file to the notification?

It runs against any stack, on AWS or in the laptop cloud, with the caller's credentials and boto3 alone. It drops a
small fleet into a dataset of its own, follows the run, looks at everything that a user of the stack relies on, and
removes what it has made. A run costs a few cents; the machines are those of the stack.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli import follow
from functions import failures, following, images, models, prices
from functions.names import model_group

EMULATOR = "000000000000"  # the laptop cloud's account
SERVERS, DAYS = 6, 120
# EventBridge begins to send events for a new bucket minutes after the bucket was created.
START_SECONDS = 900
RUN_SECONDS = 4 * 3600
MAIL_SECONDS = 120
POLL_SECONDS = 2.0
OUTPUTS = (
    "IngestBucketName", "ArtifactBucketName", "LedgerTable", "StateMachineArn", "TopicArn", "DashboardName",
    "ArrivalLettersArn", "EventLettersArn", "FunctionLettersArn", "InstanceTypes", "JobNamePrefix",
)  # fmt: skip
RESULTS = (
    "report.html", "risk_summary.json", "risk_flagged_forecasts.parquet", "server_clusters.csv",
    "optimization_recommendations.json", "risk_heatmap.png", "utilization_clusters.png", "data_quality.json",
)  # fmt: skip


class SmokeFailure(Exception):
    """Something does not work; the message says what, and ``look`` where to look."""

    def __init__(self, what: str, look: str = "") -> None:
        self.look = look
        super().__init__(what)


@dataclass
class Smoke:
    """One smoke test of a stack. ``client`` makes a boto3 client by the service's name."""

    client: Callable[[str], Any]
    stack: str
    dataset: str
    say: Callable[[str], None] = print
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """The whole test; returns the run's output.

        Raises:
            SmokeFailure: the stack does not do what it should.
        """
        self.look_at_stack()
        account = self.client("sts").get_caller_identity()["Account"]
        self.look_at_quotas(account)
        self.look_at_prices(self.client("cloudformation").meta.region_name)
        self.look_at_alarms("before")
        self.look_at_topic()
        self.own_dataset()
        try:
            with self.subscribed() as received:
                self.drop()
                execution = self.started()
                output = self.followed(execution)
                self.look_at_results(output["run_id"])
                self.look_at_pointer(output["run_id"])
                self.look_at_notification(received, output["run_id"])
            self.look_at_alarms("after")
            self.look_at_letters()
        finally:
            self.clean_up()
        return output

    def ok(self, what: str) -> None:
        self.say(f"ok    {what}")

    def warn(self, what: str) -> None:
        self.warnings.append(what)
        self.say(f"warn  {what}")

    # ---------------------------------------------------------------- what is deployed

    def look_at_stack(self) -> None:
        try:
            [found] = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            raise SmokeFailure(
                f"there is no stack {self.stack} that you may see: {error}", "region and account"
            ) from error
        status = found["StackStatus"]
        self.parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        if not status.endswith("_COMPLETE") or status.startswith(("ROLLBACK", "DELETE")):
            raise SmokeFailure(
                f"the stack is in state {status}",
                f"aws cloudformation describe-stack-events --stack-name {self.stack} "
                "--query \"StackEvents[?contains(ResourceStatus, 'FAILED')]\"",
            )
        missing = [name for name in OUTPUTS if name not in self.outputs]
        if missing:
            raise SmokeFailure(f"the stack lacks the outputs {', '.join(missing)}", "deploy the present template")
        self.ok(f"stack {self.stack} is in state {status} and has its outputs")
        if date.today() + timedelta(days=90) > images.END_OF_PATCHING:
            self.warn(f"AWS patches the job image {images.TAG} until {images.END_OF_PATCHING}: move to a newer release")

    def look_at_quotas(self, account: str) -> None:
        """A new account may have a quota of 0 for a type of machine: no run can start then."""
        if account == EMULATOR:
            self.say("      quotas: not checked: emulator")
            return
        needed, wished = self.quotas()
        names = needed | wished
        try:
            pages = self.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
            quotas = {one["QuotaName"]: one for page in pages for one in page["Quotas"] if one["QuotaName"] in names}
        except ClientError as error:
            self.warn(f"quotas: not checked, you may not read them: {error}")
            return
        for name, (least, what) in sorted(names.items()):
            quota = quotas.get(name, {"Value": 0, "QuotaCode": "?"})
            if quota["Value"] >= least:
                self.ok(f"quota '{name}': {quota['Value']:.0f}")
                if quota["Value"] < 2 * least and name in needed:
                    self.warn(
                        f"quota '{name}' is {quota['Value']:.0f}: two datasets cannot run at the same time, the second "
                        "one waits"
                    )
                continue
            short = f"the quota '{name}' is {quota['Value']:.0f}, and {least} is needed: {what}"
            asking = (
                "aws service-quotas request-service-quota-increase --service-code sagemaker "
                f"--quota-code {quota['QuotaCode']} --desired-value {2 * least}"
            )
            if name in needed:
                raise SmokeFailure(short, asking)
            self.warn(f"{short}. To ask for more: {asking}")

    def quotas(self) -> tuple[dict[str, tuple[int, str]], dict[str, tuple[int, str]]]:
        """Quotas without which no run goes to its end, and those without which something else does not: each with how
        many machines it must allow, and what happens otherwise."""
        preprocess, train, assess = self.outputs["InstanceTypes"].split(",")
        spot = "spot " if self.parameters.get("TrainOnSpot") == "true" else ""
        needed = {f"{kind} for processing job usage": (1, "no run can start") for kind in (preprocess, assess)}
        needed[f"{train} for {spot}training job usage"] = (1, "no run can start")
        wished = {}
        engine, instances = self.parameters.get("Engine", "auto"), int(self.parameters.get("SparkInstances", "1"))
        spark = f"{self.parameters.get('SparkInstanceType')} for processing job usage"
        if engine == "spark":
            needed[spark] = (instances, "no run can be assessed by Spark, as the parameter Engine says")
        elif engine == "auto" and float(self.parameters.get("SparkFromGb", "0")) and spark not in needed:
            wished[spark] = (instances, "a panel of SparkFromGb or more cannot be assessed")
        if self.parameters.get("Challenger") == "on":
            transform = f"{self.parameters.get('ChallengerInstanceType')} for transform job usage"
            wished[transform] = (1, "a challenger ends without a comparison")
        return needed, wished

    def look_at_prices(self, region: str) -> None:
        """Without prices no run is refused for its cost, which nobody would notice before the bill."""
        given = self.parameters.get("InstancePricesUsd", "").split(",")
        told = dict.fromkeys((one.partition("=")[0].strip() for one in given), 0.0)
        kinds = set(self.outputs["InstanceTypes"].split(","))
        if self.parameters.get("Challenger") == "on":
            kinds |= {self.parameters["ChallengerInstanceType"], prices.AUTOML["instance_type"]}
        if self.parameters.get("Engine") == "spark" or float(self.parameters.get("SparkFromGb", "0")):
            kinds.add(self.parameters["SparkInstanceType"])
        missing = sorted(kinds - prices.known(region, told).keys())
        if missing and float(self.parameters.get("MaxRunCostUsd", "0")):
            self.warn(
                f"MaxRunCostUsd refuses nothing: no price is known here for {', '.join(missing)} in {region}; set the "
                "stack's parameter InstancePricesUsd (docs/operations.md, What a run costs)"
            )

    def look_at_alarms(self, when: str) -> None:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        names = [
            one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] == "AWS::CloudWatch::Alarm"
        ]
        alarms = self.client("cloudwatch").describe_alarms(AlarmNames=names, MaxRecords=100)["MetricAlarms"]
        telling = [one for one in alarms if self.outputs["TopicArn"] in one.get("AlarmActions", [])]
        if len(alarms) < len(names) or not telling:
            raise SmokeFailure(
                f"of {len(names)} alarms, {len(alarms)} exist and {len(telling)} notify somebody", "deploy again"
            )
        ringing = [one for one in alarms if one["StateValue"] == "ALARM"]
        for alarm in ringing:
            self.warn(f"{when} the run, alarm {alarm['AlarmName']} is on: {alarm.get('AlarmDescription', '')}")
        if not ringing:
            self.ok(f"{when} the run, none of {len(alarms)} alarms is on")

    def look_at_topic(self) -> None:
        attributes = self.client("sns").get_topic_attributes(TopicArn=self.outputs["TopicArn"])["Attributes"]
        if int(attributes.get("SubscriptionsPending", 0)):
            self.warn("a subscription to the notifications waits for confirmation: click the link in AWS's mail")
        if int(attributes.get("SubscriptionsConfirmed", 0)):
            self.ok(f"{attributes['SubscriptionsConfirmed']} subscriptions to the notifications are confirmed")
        else:
            self.warn("nobody is told of runs: no subscription to the topic is confirmed")

    # ---------------------------------------------------------------- a run

    def own_dataset(self) -> None:
        """The dataset is removed afterwards, so it must be nobody's."""
        listed = self.client("s3").list_objects_v2(
            Bucket=self.outputs["IngestBucketName"], Prefix=f"incoming/{self.dataset}/", MaxKeys=1
        )
        if listed.get("Contents") or self.items():
            raise SmokeFailure(
                f"dataset {self.dataset!r} exists, and a smoke test removes its dataset afterwards",
                "choose another name with --dataset, or leave it out",
            )

    def drop(self) -> None:
        s3, bucket = self.client("s3"), self.outputs["IngestBucketName"]
        s3.put_object(Bucket=bucket, Key=f"config/{self.dataset}.yaml", Body=b"horizon: 14\n")
        s3.put_object(Bucket=bucket, Key=f"incoming/{self.dataset}/fleet.csv", Body=fleet().encode())
        self.ok(f"a fleet of {SERVERS} servers is dropped into s3://{bucket}/incoming/{self.dataset}/")

    def started(self) -> str:
        states, deadline = self.client("stepfunctions"), time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            listed = states.list_executions(stateMachineArn=self.outputs["StateMachineArn"], maxResults=50)
            for execution in listed["executions"]:
                if re.fullmatch(rf"{self.dataset}-\d{{8}}T.*", execution["name"]):
                    self.ok(f"the file has started the run {execution['name']}")
                    return execution["executionArn"]
            time.sleep(POLL_SECONDS)
        raise SmokeFailure(
            f"no run has started within {START_SECONDS // 60} minutes",
            f"dead letters ({self.outputs['ArrivalLettersArn']}, {self.outputs['EventLettersArn']}), the log of the "
            "ingest function, and whether the bucket's EventBridge notifications are on",
        )

    def followed(self, execution: str) -> dict[str, Any]:
        states, deadline, told = self.client("stepfunctions"), time.monotonic() + RUN_SECONDS, 0
        while True:
            described = states.describe_execution(executionArn=execution)
            steps = following.steps(states, execution)
            for step in steps[told : len(steps) if described["status"] in follow.FINAL else len(steps) - 1]:
                self.say(
                    f"      {step.name}: {step.seconds(datetime.now(UTC)):.0f} s{' FAILED' if step.failed else ''}"
                )
                told += 1
            if described["status"] == "SUCCEEDED":
                self.ok("the run has succeeded")
                return json.loads(described["output"])
            if described["status"] in follow.FINAL:
                why = failures.of_execution(described, steps)
                log = follow.log_of_failed(self, why, 15)
                at = f" in {steps[-1].name}" if steps else ""
                raise SmokeFailure(
                    "\n".join([f"the run has {described['status'].lower()}{at}: {why.reason}", *log]),
                    f"aws stepfunctions get-execution-history --execution-arn {execution}",
                )
            if time.monotonic() > deadline:
                raise SmokeFailure(f"the run is still under way after {RUN_SECONDS // 3600} hours", execution)
            time.sleep(POLL_SECONDS)

    # ---------------------------------------------------------------- what came of it

    def look_at_results(self, run: str) -> None:
        s3, bucket = self.client("s3"), self.outputs["ArtifactBucketName"]
        folder = f"runs/{self.dataset}/{run}/assessment/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        sizes = {one["Key"].removeprefix(folder): one["Size"] for page in pages for one in page.get("Contents", [])}
        missing = [name for name in RESULTS if not sizes.get(name)]
        if missing:
            raise SmokeFailure(f"results are missing or empty: {', '.join(missing)}", f"s3://{bucket}/{folder}")
        summary = json.loads(s3.get_object(Bucket=bucket, Key=f"{folder}risk_summary.json")["Body"].read())
        if summary["servers"] != SERVERS or summary["horizon"] != 14:
            raise SmokeFailure(
                f"risk_summary.json has {summary['servers']} servers and {summary['horizon']} days "
                f"instead of {SERVERS} and 14",
                f"s3://{bucket}/{folder}data_quality.json",
            )
        self.ok(f"all results are there: {sum(sizes.values()) / 1e3:,.0f} kB in s3://{bucket}/{folder}")

    def look_at_pointer(self, run: str) -> None:
        items = {one["item"]["S"]: one for one in self.items()}
        state = items.pop("STATE", {})
        if state.get("current_run", {}).get("S") != run or "running" in state:
            raise SmokeFailure(f"run {run} is not the dataset's current one: {state}", self.outputs["LedgerTable"])
        waiting = [name for name, item in items.items() if "waiting" in item]
        if waiting:
            raise SmokeFailure(f"files of the run still wait: {', '.join(waiting)}", self.outputs["LedgerTable"])
        self.ok("the run is the dataset's current one, no file waits, and the lock is free")

    @contextmanager
    def subscribed(self) -> Iterator[str]:
        """The address of a queue that gets the notifications meanwhile."""
        sqs, sns, topic = self.client("sqs"), self.client("sns"), self.outputs["TopicArn"]
        url = sqs.create_queue(
            QueueName=f"{self.stack}-{self.dataset}"[:80], Attributes={"SqsManagedSseEnabled": "true"}
        )
        url = url["QueueUrl"]
        subscription = None
        try:
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
            yield url
        finally:
            if subscription:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            sqs.delete_queue(QueueUrl=url)

    def look_at_notification(self, queue: str, run: str) -> None:
        sqs, deadline = self.client("sqs"), time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []):
                if run in message["Body"]:
                    self.ok("the notification has arrived")
                    return
        raise SmokeFailure(
            "no notification about the run has arrived", f"the topic {self.outputs['TopicArn']} and its key"
        )

    def look_at_letters(self) -> None:
        sqs = self.client("sqs")
        for output in ("ArrivalLettersArn", "EventLettersArn", "FunctionLettersArn"):
            name = self.outputs[output].rpartition(":")[2]
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            if count := int(asked["Attributes"]["ApproximateNumberOfMessages"]):
                self.warn(f"there are {count} messages in the dead-letter queue {name} (docs/operations.md)")

    # ---------------------------------------------------------------- cleaning up

    def clean_up(self) -> None:
        """Remove the dataset: its files, runs, entries of the ledger and models. Job descriptions stay on AWS."""
        removed = []
        for what, remove in (
            ("files", lambda: self._delete(self.outputs["IngestBucketName"], f"incoming/{self.dataset}/")),
            ("settings", lambda: self._delete(self.outputs["IngestBucketName"], f"config/{self.dataset}.yaml")),
            ("runs", lambda: self._delete(self.outputs["ArtifactBucketName"], f"runs/{self.dataset}/")),
            ("ledger", self._delete_items),
            ("models", self._delete_models),
        ):
            try:
                remove()
                removed.append(what)
            except ClientError as error:
                self.warn(f"could not clean up {what} of dataset {self.dataset}: {error}")
        self.ok(f"cleaned up: {', '.join(removed)} of dataset {self.dataset}")

    def _delete(self, bucket: str, prefix: str) -> None:
        s3 = self.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})

    def items(self) -> list[dict[str, Any]]:
        """The dataset's entries in the ledger."""
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.outputs["LedgerTable"],
                KeyConditionExpression="dataset = :dataset",
                ExpressionAttributeValues={":dataset": {"S": self.dataset}},
                ConsistentRead=True,
            )
        )
        return [item for page in pages for item in page["Items"]]

    def _delete_items(self) -> None:
        for item in self.items():
            key = {name: item[name] for name in ("dataset", "item")}
            self.client("dynamodb").delete_item(TableName=self.outputs["LedgerTable"], Key=key)

    def _delete_models(self) -> None:
        sagemaker = self.client("sagemaker")
        group = model_group(self.outputs["JobNamePrefix"], self.dataset)
        if not models.has_group(sagemaker, group):
            return
        for version in list(models.versions(sagemaker, group)):
            sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)


def fleet() -> str:
    """A small fleet's daily CPU as a CSV, the last day yesterday: weekly seasons, and one server that climbs."""
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    lines = ["timestamp,server_id,cpu"]
    for server in range(SERVERS):
        for day in range(DAYS):
            weekday = 8 * math.sin(2 * math.pi * day / 7)
            climb = 0.25 * day if server == 0 else 0
            noise = (server * 7919 + day * 104_729) % 40 / 10
            lines.append(
                f"{first + timedelta(days=day)},smoke-{server + 1},{30 + 4 * server + weekday + climb + noise:.2f}"
            )
    return "\n".join(lines) + "\n"

"""AWS's own container images that have the Python version of Headroom's jobs: for scikit-learn, and for Spark."""

from __future__ import annotations

from datetime import date

# Its registries, one account per region. Here and not in the template, where a region that is not in a mapping
# cannot be deployed to at all, not even with an image of one's own.
ACCOUNTS = {
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
    "ca-central-1": "341280168497",
    "sa-east-1": "737474898029",
    "eu-central-1": "492215442770",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "me-south-1": "801668240914",
    "il-central-1": "898809789911",
    # From the list of the image's earlier versions (aws/sagemaker-python-sdk, image_uri_config/sklearn.json); a
    # region's account is the same for all of them.
    "ap-south-2": "628508329040",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "eu-central-2": "680994064768",
    "eu-south-2": "104374241257",
    "me-central-1": "272398656194",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
}
# AWS patches version 1.9-0 until then; a newer one is a change of TAG here, and of requirements/toolkit.in.
TAG = "1.9-0-cpu-py3"
END_OF_PATCHING = date(2027, 7, 16)


# The Spark image's registries (aws/sagemaker-spark-container, available_images.md; the last two from
# aws/sagemaker-python-sdk, image_uri_config/spark.json).
SPARK_ACCOUNTS = {
    "us-east-1": "173754725891",
    "us-east-2": "314815235551",
    "us-west-1": "667973535471",
    "us-west-2": "153931337802",
    "ap-northeast-1": "411782140378",
    "ap-northeast-2": "860869212795",
    "ap-east-1": "732049463269",
    "ap-south-1": "105495057255",
    "ap-southeast-1": "759080221371",
    "ap-southeast-2": "440695851116",
    "af-south-1": "309385258863",
    "me-south-1": "750251592176",
    "sa-east-1": "737130764395",
    "ca-central-1": "446299261295",
    "eu-central-1": "906073651304",
    "eu-north-1": "330188676905",
    "eu-west-1": "571004829621",
    "eu-west-2": "836651553127",
    "eu-west-3": "136845547031",
    "eu-south-1": "753923664805",
    "cn-north-1": "671472414489",
    "cn-northwest-1": "844356804704",
    "ap-northeast-3": "364406365360",
    "us-gov-west-1": "271483468897",
}
# Spark 3.5 with Python 3.12 and Java 17. In its releases before v1.3, python3 is Python 3.9.
SPARK_TAG = "3.5-cpu-py312-v1.3"


def aws_image(region: str) -> str | None:
    """The address of AWS's scikit-learn image in a region; None where it is not known."""
    return _address(region, ACCOUNTS, f"sagemaker-scikit-learn:{TAG}")


def aws_spark_image(region: str) -> str | None:
    """The address of AWS's Spark image in a region; None where it is not known."""
    return _address(region, SPARK_ACCOUNTS, f"sagemaker-spark-processing:{SPARK_TAG}")


def _address(region: str, accounts: dict[str, str], image: str) -> str | None:
    account = accounts.get(region)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return account and f"{account}.dkr.ecr.{region}.{suffix}/{image}"

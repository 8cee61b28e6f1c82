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

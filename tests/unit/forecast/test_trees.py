import lightgbm
import numpy as np
import pandas as pd
import pytest

from headroom.forecast import trees

STEPS = 20


def features(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Tables as the booster's are: of series, of what repeats every 7 steps, of both, of steps; some values missing."""
    random = np.random.default_rng(seed)
    shapes = {"own": (count, 1), "gaps": (count, 1), "week": (count, 7), "ahead": (count, STEPS), "step": (1, STEPS)}
    found = {name: random.normal(size=shape) for name, shape in shapes.items()}
    for name in ("gaps", "week"):
        found[name][random.random(shapes[name]) < 0.2] = np.nan
    return found


def rows_of(tables: dict[str, np.ndarray], count: int) -> pd.DataFrame:
    every = np.arange(STEPS)
    whole = {name: (table[:, every % table.shape[1]]) for name, table in tables.items()}
    return pd.DataFrame(
        {name: np.broadcast_to(table, (count, STEPS)).ravel() for name, table in whole.items()}, dtype=np.float32
    )


def trained(**parameters: object) -> lightgbm.Booster:
    given = rows_of(features(300), 300)
    filled = given.fillna(0.5)
    target = filled["own"] * filled["week"] + filled["ahead"] * (filled["step"] > 0) - filled["gaps"]
    about = {"objective": "quantile", "alpha": 0.5, "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(about | parameters, lightgbm.Dataset(given, target), 20)


# With missing values that training has not seen, and more series than are worked out at a time.
@pytest.mark.parametrize("count", [1, 2, trees.PAIRS // STEPS + 3])
def test_the_trees_say_what_lightgbm_says(count):
    model, tables = trained(), features(count, seed=1)
    tables["own"][::3] = np.nan
    tables["ahead"][::2, 3] = np.nan
    found = trees.predict(trees.trees_of(model.model_to_string()), [*tables.values()], count, STEPS)
    np.testing.assert_array_equal(found.ravel(), model.predict(rows_of(tables, count)))


def test_a_value_on_a_threshold_goes_where_lightgbm_sends_it():
    model, tables = trained(), features(3, seed=2)
    parts = trees.trees_of(model.model_to_string())
    of_ahead = np.concatenate([one.threshold[one.feature == 3] for one in parts])
    steps = np.concatenate([of_ahead, np.nextafter(of_ahead, np.float32(np.inf))])[:STEPS]
    tables["ahead"][:, : len(steps)] = steps
    found = trees.predict(parts, [*tables.values()], 3, STEPS)
    np.testing.assert_array_equal(found.ravel(), model.predict(rows_of(tables, 3)))


def test_only_what_is_missing_goes_right_of_a_threshold_beyond_all_numbers():
    given = rows_of(features(300), 300)
    target = given["gaps"].isna() + 0.1 * given["step"]
    about = {"objective": "quantile", "alpha": 0.5, "verbosity": -1, "num_threads": 1}
    model, tables = lightgbm.train(about, lightgbm.Dataset(given, target), 5), features(50, seed=3)
    assert " inf" in model.model_to_string() or "=inf" in model.model_to_string()
    found = trees.predict(trees.trees_of(model.model_to_string()), [*tables.values()], 50, STEPS)
    np.testing.assert_array_equal(found.ravel(), model.predict(rows_of(tables, 50)))
    assert len(set(found[np.isnan(tables["gaps"][:, 0])].ravel())) > 1


def test_a_model_that_learned_nothing_says_the_same_of_all():
    model, tables = trained(min_data_in_leaf=10_000), features(2)
    found = trees.predict(trees.trees_of(model.model_to_string()), [*tables.values()], 2, STEPS)
    np.testing.assert_array_equal(found.ravel(), model.predict(rows_of(tables, 2)))


def test_a_tree_with_too_many_leaves_is_refused():
    with pytest.raises(ValueError, match="leaves"):
        trees.trees_of(trained(num_leaves=40).model_to_string())


def test_a_text_that_was_cut_off_or_changed_is_refused():
    text = trained().model_to_string()
    for damaged in (text[: len(text) // 2], text.replace("\nleft_child=", "\nleft_child=0 ", 1), "", "{}"):
        with pytest.raises((ValueError, LookupError)):
            trees.trees_of(damaged)
    looped = text.replace("\nright_child=", "\nright_child=0 ", 1).replace("\nleft_child=", "\nleft_child=0 ", 1)
    with pytest.raises((ValueError, LookupError, RecursionError)):
        trees.trees_of(looped)

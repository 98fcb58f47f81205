"""Several animals: fields, peaks, assembly, figures; slow versions and numbers by hand."""

import fake_infos
import numpy as np
import pytest
import tensorflow as tf

from beampose.trainer import assemble, calibrate, decode, graph, matching, targets

NAN = np.nan
EDGES = np.array([[0, 1], [0, 2], [1, 2]])
TRUTH = np.array(
    [[[40, 40], [70, 44], [100, 40]], [[44, 100], [80, 110], [NAN, NAN]], [[NAN, NAN]] * 3]
)


def maps(truth, cell=(8.0, 10.0), rows=16, columns=20):
    """Ideal maps of one frame, (1, rows, columns, …), as a perfect head would give them."""
    sizes = tf.constant([cell], tf.float32)
    x, y = targets.centres(rows, columns, sizes, tf.zeros((1, 2)))
    points = tf.constant(truth[None], tf.float32)
    scoremap, locref = targets.pose_targets(points, x, y, pos_dist_thresh=12, locref_stdev=7.0)
    paf = targets.paf_targets(points, x, y, EDGES, width=12.0)
    return scoremap, locref, paf, x, y, sizes


def answered(truth, count=4):
    """Outputs of a perfect head for one frame."""
    scoremap, locref, paf, x, y, cell = maps(truth)
    found = decode.peaks(scoremap, locref, x, y, locref_stdev=7.0, count=count, apart=6.0)
    costs = decode.edge_costs(found, paf, cell, EDGES)
    return {
        "peaks": found.place.numpy()[0],
        "likelihood": found.likelihood.numpy()[0],
        "edge_costs": costs.numpy()[0],
    }


def rules(animals=3, **changes):
    made = assemble.Rules(
        individuals=tuple(f"a{i}" for i in range(animals)),
        bodyparts=("nose", "neck", "tail"),
        animals=animals,
        unique=(),
        edges=EDGES,
        min_affinity=np.full(3, 0.1),
        weights=np.ones(3),
        reach=np.full((3, 3), np.inf),
        min_likelihood=0.1,
        min_parts=1,
        identity=False,
    )
    return made._replace(**changes)


def test_fields_equal_a_loop_over_cells():
    _, _, paf, x, y, _ = maps(TRUTH)
    for (r, c), (e, (a, b)) in zip(
        np.ndindex(16, 20), [(e, tuple(p)) for e, p in enumerate(EDGES)] * 110, strict=False
    ):
        best, expected = 0.0, np.zeros(2)
        for animal in TRUTH:
            along = animal[b] - animal[a]
            length = np.hypot(*along)
            if not length > 0:
                continue
            unit, offset = along / length, np.array([x[0, c], y[0, r]]) - animal[a]
            beside = abs(offset[0] * unit[1] - offset[1] * unit[0]) / 12.0
            if 0 <= offset @ unit <= length and 1 - beside > best:
                best, expected = 1 - beside, unit * (1 - beside)
        np.testing.assert_allclose(paf[0, r, c, e], expected, atol=1e-5)


def test_labels_come_back_through_maps_peaks_and_assembly():
    found = assemble.assemble(answered(TRUTH), rules())
    matched = matching.match(TRUTH[None], found[None], 3)[0]
    np.testing.assert_allclose(matched[..., :2], TRUTH, atol=0.5)


@pytest.mark.parametrize(
    "animal", [[[0.0, 0]], [[0.0, 0], [40, 0]]], ids=["one bodypart", "two in a line"]
)
def test_animals_without_an_area_are_matched_to_their_labels(animal):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1000, (20, 4, 1, 2)) + np.array(animal)
    near = truth + rng.normal(0, 3, truth.shape)
    mixed = np.stack([one[rng.permutation(4)] for one in near])
    mixed = np.concatenate([mixed, np.ones((*mixed.shape[:3], 1))], axis=-1)
    mixed[0, 0] = NAN
    apart = np.linalg.norm(matching.match(truth, mixed, 4)[..., :2] - truth, axis=-1)
    assert np.nanmax(apart) < 20 and np.isnan(apart).sum() == len(animal)


def test_a_single_point_is_no_animal_of_three_bodyparts():
    assert calibrate.least_parts(TRUTH[:1].repeat(20, axis=0)) == 2
    assert calibrate.least_parts(TRUTH[:1, :2]) == calibrate.least_parts(TRUTH[:1, :1]) == 1


def test_a_frame_without_animals_gives_none():
    found = assemble.assemble(answered(np.full((3, 3, 2), NAN)), rules())
    assert np.isnan(found).all()


def test_more_animals_than_configured_leave_the_surest():
    outputs = answered(TRUTH)
    outputs["likelihood"][outputs["peaks"][..., 1] > 80] *= 0.5
    found = assemble.assemble(outputs, rules(animals=1))
    np.testing.assert_allclose(found[0, :, :2], TRUTH[0], atol=0.5)


@pytest.mark.parametrize(("parts", "seen"), [(1, 1), (2, 0)])
def test_one_visible_bodypart_is_an_animal_only_if_that_is_enough(parts, seen):
    alone = np.full((3, 3, 2), NAN)
    alone[1, 2] = 90, 60
    found = assemble.assemble(answered(alone), rules(min_parts=parts))
    assert np.isfinite(found[..., 0]).sum() == seen
    if seen:
        np.testing.assert_allclose(found[0, 2, :2], alone[1, 2], atol=0.5)


def test_unique_bodyparts_are_the_highest_peak_and_of_no_animal():
    outputs = answered(TRUTH)
    known = rules(unique=(2,), edges=EDGES[:1], min_affinity=np.full(1, 0.1), weights=np.ones(1))
    known = known._replace(individuals=("a", "b", "single"), animals=2)
    outputs["edge_costs"] = outputs["edge_costs"][:1]
    found = assemble.assemble(outputs, known)
    np.testing.assert_allclose(found[2, 2, :2], TRUTH[0, 2], atol=0.5)
    assert np.isnan(found[:2, 2]).all() and np.isnan(found[2, :2]).all()


def test_identity_decides_the_rows():
    outputs = answered(TRUTH[:2])
    lower = outputs["peaks"][..., 1] > 80
    outputs["identity"] = np.where(lower[..., None], [4.0, -4.0], [-4.0, 4.0])
    found = assemble.assemble(outputs, rules(animals=2, identity=True))
    np.testing.assert_allclose(found[::-1, :2, :2], TRUTH[:2, :2], atol=0.5)


def test_noise_has_no_more_peaks_than_asked_for_and_ends_soon():
    rng = np.random.default_rng(0)
    noise = tf.constant(rng.random((2, 40, 50, 3)), tf.float32)
    locref = tf.constant(rng.normal(0, 1, (2, 40, 50, 3, 2)), tf.float32)
    cell = tf.fill((2, 2), 8.0)
    x, y = targets.centres(40, 50, cell, tf.zeros((2, 2)))
    found = decode.peaks(noise, locref, x, y, locref_stdev=7.0, count=5, apart=6.0)
    assert found.place.shape == (2, 3, 5, 2)
    assert np.isfinite(found.place).all()
    paf = tf.constant(rng.normal(0, 1, (2, 40, 50, 3, 2)), tf.float32)
    costs = decode.edge_costs(found, paf, cell, EDGES)
    one = {
        "peaks": found.place.numpy()[0],
        "likelihood": found.likelihood.numpy()[0],
        "edge_costs": costs.numpy()[0],
    }
    made = assemble.assemble(one, rules())
    assert np.isfinite(made[..., 0]).sum() <= 9


def test_maps_with_fewer_cells_than_peaks_are_read():
    x, y = targets.centres(1, 2, tf.fill((1, 2), 8.0), tf.zeros((1, 2)))
    flat = tf.zeros((1, 1, 2, 3, 2))
    found = decode.peaks(tf.fill((1, 1, 2, 3), 0.5), flat, x, y, locref_stdev=1.0, count=4, apart=1)
    assert found.likelihood.shape == (1, 3, 4)
    assert (found.likelihood.numpy()[..., 2:] == 0).all()


def test_rules_survive_info_json():
    import json

    reach = np.full((3, 3), NAN)
    reach = np.array([[np.inf, 40, 50], [40, np.inf, 60], [50, 60, np.inf]])
    known = rules(reach=reach, min_parts=2)
    info = fake_infos.model(
        individuals=list(known.individuals),
        bodyparts=list(known.bodyparts),
        assembly=json.loads(json.dumps(assemble.facts(known).plain())),
    )
    again = assemble.rules(info)
    for one, other in zip(known, again, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="finds one animal"):
        assemble.rules(fake_infos.model())


def test_few_bodyparts_make_a_complete_graph_and_many_the_skeleton_joined():
    points = np.random.default_rng(0).uniform(0, 100, (20, 6, 2))
    assert len(graph.choose(points, range(6), [], most=15)) == 15
    chosen = graph.choose(points, range(6), [(0, 1), (3, 2), (4, 5)], most=6)
    assert {(0, 1), (2, 3), (4, 5)} <= set(map(tuple, chosen.tolist()))
    assert len(chosen) == 5
    near = np.cumsum(np.full((20, 6, 2), 10.0), axis=1)
    chain = graph.choose(near, range(6), [], most=5)
    assert chain.tolist() == [[i, i + 1] for i in range(5)]


@pytest.mark.parametrize(
    "parts, drawn, most", [(6, 0, 15), (6, 3, 6), (6, 0, 5), (3, 0, 1), (9, 12, 20)]
)
def test_a_graph_has_no_more_edges_than_a_plan_counts(parts, drawn, most):
    points = np.random.default_rng(0).normal(size=(4, parts, 2))
    skeleton = [(a, b) for a in range(parts) for b in range(a)][:drawn]
    edges = graph.choose(points, range(parts), skeleton, most=most)
    assert len(edges) <= graph.most_edges(parts, drawn, most)


def test_an_edge_that_says_nothing_counts_nothing():
    outputs = [answered(TRUTH[:2]) for _ in range(12)]
    for one in outputs:
        one["edge_costs"][1] = 0.3
    found = calibrate.calibrate(rules(animals=2), [TRUTH[:2]] * 12, outputs, 12.0)
    assert found.weights[0] == 1
    assert found.weights[1] == 0
    assert calibrate.least_parts(TRUTH) == 1


def poses(*shifts):
    """Two animals of four points in a box of 40 x 10, each moved by (dx, dy); NaN = not found."""
    box = np.array([[0, 0], [40, 0], [40, 10], [0, 10.0]])
    return np.stack([box + (100 * i, 0) + np.array(shift) for i, shift in enumerate(shifts)])


def predicted(points, likelihood=1.0):
    sure = np.where(np.isnan(points[..., :1]), NAN, likelihood)
    return np.concatenate([points, sure], axis=-1)


def test_oks_is_that_of_the_formula():
    found = matching.oks(poses((0, 0)), predicted(poses((3, 4))))
    assert found[0, 0] == pytest.approx(np.exp(-25 / (2 * 0.2**2 * 400)))
    half = poses((0, 0))
    half[0, :2] = NAN
    assert matching.oks(poses((0, 0)), predicted(half))[0, 0] == pytest.approx(0.5)
    alone = poses((0, 0))
    alone[0, 1:] = NAN
    assert np.isnan(matching.oks(alone, predicted(half))).all()


def test_mean_precision_of_a_found_and_a_missed_animal():
    truth = poses((0, 0), (0, 0))[None]
    right = predicted(poses((0, 0), (NAN, NAN)))[None]
    # One of two: precision 1 up to recall 0.5, which is 51 of 101 recalls.
    assert matching.average_precision(truth, right) == pytest.approx((51 / 101, 0.5))
    ghost = right.copy()
    ghost[0, 1] = predicted(poses((500, 500)), 0.5)[0]
    assert matching.average_precision(truth, ghost) == pytest.approx((51 / 101, 0.5))
    ghost[0, 1, :, 2] = 2.0
    # The surer one is wrong: precision is at most a half.
    assert matching.average_precision(truth, ghost) == pytest.approx((0.5 * 51 / 101, 0.5))


def test_predictions_are_matched_whatever_their_row_and_misses_are_told():
    truth = poses((0, 0), (0, 0))[None]
    found = predicted(poses((3, 4), (0, 12)))[None, ::-1].copy()
    found[0, 0, 0] = NAN
    figures = matching.animals_metrics(
        truth, found, list("abcd"), pcutoff=0.5, animals=2, unique=(), identity=True
    )
    assert figures["mean_error_px"] == pytest.approx((4 * 5 + 3 * 12) / 7)
    assert (figures["points"], figures["labeled"]) == (7, 8)
    assert figures["share_within_px"]["5"] == pytest.approx(4 / 8)
    assert figures["share_found"] == pytest.approx(7 / 8)
    assert figures["identity_accuracy"] == 0


def test_frames_without_labels_have_no_figures():
    nothing = np.full((2, 2, 4, 2), NAN)
    figures = matching.animals_metrics(
        nothing, predicted(nothing), list("abcd"), pcutoff=0.5, animals=2, unique=(), identity=False
    )
    assert figures["mAP"] is None and figures["mean_error_px"] is None


def test_pycocotools_gives_the_same_precision_and_recall():
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 200, (12, 3, 5, 2))
    truth[rng.random((12, 3, 5)) < 0.15] = NAN
    truth[3, 1], truth[5] = NAN, NAN
    found = predicted(np.nan_to_num(truth) + rng.normal(0, 12, truth.shape))
    found[..., 2] = rng.uniform(0.2, 1, (12, 3, 1))
    images = [{"id": i} for i in range(12)]
    annotations, results = [], []
    for i, k in np.ndindex(12, 3):
        seen = np.isfinite(truth[i, k, :, 0])
        area = float(matching.areas(truth[i, k]))
        if seen.sum() >= 2:
            flat = np.column_stack([np.nan_to_num(truth[i, k]), 2 * seen]).ravel().tolist()
            annotations.append(
                {"id": len(annotations) + 1, "image_id": i, "category_id": 1, "keypoints": flat}
                | {"num_keypoints": int(seen.sum()), "area": area, "iscrowd": 0}
                | {"bbox": [0, 0, 1, 1]}
            )
        flat = np.column_stack([found[i, k, :, :2], np.ones(5)]).ravel().tolist()
        results.append(
            {"image_id": i, "category_id": 1, "keypoints": flat, "score": found[i, k, 0, 2]}
        )
    known = coco.COCO()
    known.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
    known.createIndex()
    judge = evaluation.COCOeval(known, known.loadRes(results), "keypoints")
    judge.params.kpt_oks_sigmas = np.full(5, matching.OKS_SIGMA)
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    judge.evaluate()
    judge.accumulate()
    expected = judge.eval["precision"].mean(), judge.eval["recall"].mean()
    assert matching.average_precision(truth, found) == pytest.approx(expected)

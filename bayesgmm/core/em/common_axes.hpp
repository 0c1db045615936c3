// Axes that components share while their shapes vary: Sigma_k = lambda_k D A_k D'.
//
// With s_k = sum_j log (D' W_k D)_jj, the best orthogonal D minimises
//
//     VVE:  sum_k N_k s_k / N                    common principal components (Flury 1984)
//     EVE:  log sum_k exp(s_k / D)               equal volumes
//
// Both fall under rotations of two axes at a time (Flury & Gautschi 1986, SIAM J. Sci. Stat.
// Comput. 7, 169-184): in the angle t = 4 theta the product of component k's two variances is
//
//     v_k(t) = 1 + b_k (1 - cos t) - c_k sin t
//
// times what it is at t = 0, with its least value at the angle of its own principal axes. (In this
// form no digits are lost where variances are many orders apart.) Neither is convex: the search for
// one rotation begins at the best of these angles, the search for all axes at several bases.
#pragma once

#include "linear_algebra/small_matrices.hpp"

namespace bayesgmm {
namespace common_axes {

// Rotations end where a sweep gains so little (in nats a row): axes are then exact to its root. Or
// where it gains little and no less than the one before: that is rounding.
inline constexpr double LEAST_GAIN = 1e-26, ROUNDING = 1e-20;
inline constexpr int MOST_SWEEPS = 400;
// Sweeps by which a basis shows what it leads to.
inline constexpr int TRIAL_SWEEPS = 3;
// Newton steps of a rotation that is near its end: what is left, the next sweep finds.
inline constexpr int FEW_STEPS = 3, MOST_STEPS = 50;

struct Criterion {
    ConstVector counts;
    bool equal_volumes;
};

// log v; NaN where v is not positive.
inline Vec log_or_nan(Vec v) {
    const Vec least = splat(std::numeric_limits<double>::min());
    return v >= least ? log_positive(greater(v, least)) : splat(NOT_A_NUMBER);
}

// exp(x) of either sign, with NaN as NaN.
inline Vec exp_of(Vec x) {
    const Vec least = exp_nonpositive(x > 0.0 ? -x : x);
    return x > 0.0 ? 1.0 / least : (x <= 0.0 ? least : x);
}

// --- the scatters in a basis --------------------------------------------------------------------

// A basis, its axes as rows, and the lower triangles of all scatters in it.
//
// An entry of all components lies together, padded to whole vectors by unit matrices: what is done
// to two axes is then the same few vector instructions for all.
struct Rotated {
    Index k, d, width;
    Numbers numbers;

    Rotated(Index k, Index d)
        : k(k), d(d), width((k + LANES - 1) / LANES * LANES),
          numbers(d * (d + 1) / 2 * width + d * d + d) {}

    // Entry (i, j), i >= j, of each component.
    double *at(Index i, Index j) { return numbers.data() + (i * (i + 1) / 2 + j) * width; }
    Matrix basis() { return {at(d, 0), {d, d}}; }
    Vector scratch() { return {at(d, 0) + d * d, {d}}; }
};

// W_k in the basis: B W_k B'.
inline void rotate_all(ConstMatrices scatters, Rotated &rotated) {
    const Index K = rotated.k, d = rotated.d;
    const Matrix basis = rotated.basis();
    const Vector half = rotated.scratch();
    for (Index i = 0; i < d; ++i)
        for (Index k = 0; k < K; ++k) {
            fill(half, 0.0);
            add_rows(half, 1.0, basis[i], scatters[k]);
            for (Index j = 0; j <= i; ++j) rotated.at(i, j)[k] = inner_product(half, basis[j]);
        }
    for (Index i = 0; i < d; ++i)
        for (Index j = 0; j <= i; ++j)
            std::fill(rotated.at(i, j) + K, rotated.at(i, j) + rotated.width, i == j ? 1.0 : 0.0);
}

// Rotate axes j < i.
inline void rotate(Rotated &rotated, Index j, Index i, Rotation by) {
    const auto [c, s] = by;
    const auto turn = [c = c, s = s](double *first, double *second, Index size) {
        for (Index l = 0; l < size; l += LANES) {
            const Vec u = load(first + l), v = load(second + l);
            store(c * u + s * v, first + l);
            store(c * v - s * u, second + l);
        }
    };
    const Index width = rotated.width;
    turn(rotated.at(j, 0), rotated.at(i, 0), j * width);
    for (Index m = j + 1; m < i; ++m) turn(rotated.at(m, j), rotated.at(i, m), width);
    for (Index m = i + 1; m < rotated.d; ++m) turn(rotated.at(m, j), rotated.at(m, i), width);
    for (Index l = 0; l < rotated.width; l += LANES) {
        double *const pp = rotated.at(j, j) + l, *const qq = rotated.at(i, i) + l;
        double *const rr = rotated.at(i, j) + l;
        const Vec p = load(pp), q = load(qq), r = load(rr);
        store(c * (c * p + s * r) + s * (c * r + s * q), pp);
        store(c * (c * q - s * r) - s * (c * r - s * p), qq);
        store(c * (c * r - s * p) + s * (c * q - s * r), rr);
    }
    rotate_rows(rotated.basis(), j, i, by);
}

// s_k of each component; NaN where a variance is not positive.
inline void sums_of_logs(Rotated &rotated, Vector sums) {
    for (Index l = 0; l < rotated.width; l += LANES) {
        Vec s = {};
        for (Index j = 0; j < rotated.d; ++j) s += log_or_nan(load(rotated.at(j, j) + l));
        store(s, sums.data + l);
    }
}

inline double objective(Rotated &rotated, const Criterion &criterion) {
    const double d = static_cast<double>(rotated.d);
    Numbers padded(rotated.width);
    sums_of_logs(rotated, padded);
    const Vector sums = padded.view().part(0, rotated.k);
    if (!criterion.equal_volumes)
        return inner_product(criterion.counts, sums) / sum(criterion.counts);
    const double most = *std::max_element(sums.begin(), sums.end());
    double s = 0.0;
    for (const double each : sums) s += std::exp((each - most) / d);
    return std::log(s) + most / d;
}

// --- one rotation -------------------------------------------------------------------------------

// What the objective of one rotation is made of.
//
// VVE (power 0): sum_k share_k log v_k(t). EVE (power 1 / D): sum_k share_k v_k(t)^power, with
// shares so that it is 1 at t = 0. The product of the two variances is v_k(t) times the unit.
struct Plane {
    Index k, width;
    double power;
    Table rows;
    double *shares, *b, *c, *units;

    Plane(Index k, Index width, double power)
        : k(k), width(width), power(power), rows(4, width), shares(rows[0].data), b(rows[1].data),
          c(rows[2].data), units(rows[3].data) {}
    Plane(const Plane &) = delete;
};

// The shares of VVE, and those of EVE for the scatters as they are.
inline void weigh(Plane &plane, Rotated &rotated, const Criterion &criterion) {
    const Vector shares{plane.shares, {plane.k}};
    if (criterion.equal_volumes) {
        sums_of_logs(rotated, Vector{plane.shares, {plane.width}});
        const double most = *std::max_element(shares.begin(), shares.end());
        for (double &each : shares) each = std::exp((each - most) * plane.power);
        std::fill(plane.shares + plane.k, plane.shares + plane.width, 0.0);
    } else {
        assign(shares, criterion.counts);
    }
    scale(shares, 1.0 / sum(shares));
}

// The shares of EVE after a rotation, without the logarithms of all other variances.
inline void weigh_again(Plane &plane, const double *p, const double *q) {
    for (Index l = 0; l < plane.width; l += LANES) {
        const Vec ratio = load(p + l) * load(q + l) / load(plane.units + l);
        store(load(plane.shares + l) * exp_of(plane.power * log_or_nan(ratio)), plane.shares + l);
    }
    const Vector shares{plane.shares, {plane.width}};
    scale(shares, 1.0 / sum(shares));
}

// Fill v_k for axes with variances p, q and covariances r; false if none depends on the angle.
inline bool take(Plane &plane, const double *p, const double *q, const double *r) {
    Vec bent = {};
    for (Index l = 0; l < plane.width; l += LANES) {
        const Vec pp = load(p + l), qq = load(q + l), rr = load(r + l);
        const Vec half = 0.5 * (pp - qq), unit = pp * qq, inverse = 1.0 / unit;
        const Vec b = 0.5 * (half * half - rr * rr) * inverse, c = half * rr * inverse;
        store(b, plane.b + l);
        store(c, plane.c + l);
        store(unit, plane.units + l);
        bent = greater(greater(b, -b) + greater(c, -c), bent);
    }
    bool any = false;
    for (Index l = 0; l < LANES; ++l) any = any || bent[l] > 1e-15;
    return any;
}

// The objective of one rotation and its first two derivatives at an angle.
struct Curve {
    double t, value, first, second;
};

inline Curve along(const Plane &plane, double t) {
    const double cosine = std::cos(t), sine = std::sin(t),
                 less = 2.0 * std::pow(std::sin(0.5 * t), 2);
    Vec value = {}, first = {}, second = {};
    for (Index l = 0; l < plane.width; l += LANES) {
        const Vec share = load(plane.shares + l), b = load(plane.b + l), c = load(plane.c + l);
        const Vec cosines = b * cosine + c * sine;
        const Vec v = 1.0 + b * less - c * sine, inverse = 1.0 / v;
        const Vec slope = (b * sine - c * cosine) * inverse, bend = cosines * inverse;
        const Vec log_v = log_or_nan(v);
        if (plane.power == 0.0) {
            value += share * log_v;
            first += share * slope;
            second += share * (bend - slope * slope);
        } else {
            const Vec e = share * exp_of(plane.power * log_v);
            value += e;
            first += e * plane.power * slope;
            second += e * plane.power * (bend + (plane.power - 1.0) * slope * slope);
        }
    }
    return {t, sum_of_lanes(value), sum_of_lanes(first), sum_of_lanes(second)};
}

struct Turn {
    double t = 0.0, gain = 0.0;
};

// The angle that minimises the objective of one rotation, and nats a row it gains.
//
// With `wide` every component's own angle is tried as a beginning, and the search goes on to the
// end; else it takes a few steps from where it is.
inline Turn best_rotation(const Plane &plane, bool wide) {
    Curve here = along(plane, 0.0);
    const double begun = here.value;
    double gain = 0.0;
    bool far = false;
    for (Index k = 0; wide && k < plane.k; ++k) {
        const Curve own = along(plane, std::atan2(plane.c[k], plane.b[k]));
        if (!(own.value < here.value)) continue;
        here = own;
        far = true;
    }
    for (int i = 0; i < (wide ? MOST_STEPS : FEW_STEPS); ++i) {
        double step = -std::copysign(0.3, here.first);
        if (here.second > 0.0 && std::abs(here.first) < 0.5 * here.second)
            step = -here.first / here.second;
        if (std::abs(step) < 1e-4) {
            // A decrease so small is lost in the rounding of the objective, not in its slope.
            gain += 0.5 * std::abs(here.first * step);
            here.t += step;
            if (std::abs(step) < 1e-8) break;
            here = along(plane, here.t);
            continue;
        }
        Curve there = along(plane, here.t + step);
        for (int halvings = 0; !(there.value < here.value) && halvings < 40; ++halvings) {
            step *= 0.5;
            there = along(plane, here.t + step);
        }
        if (!(there.value < here.value)) break;
        here = there;
        far = true;
    }
    return {here.t, far ? begun - here.value : gain};
}

// --- all rotations ------------------------------------------------------------------------------

// Rotate each pair of axes once; nats a row that this gained.
inline double sweep(Rotated &rotated, const Criterion &criterion, bool wide, Plane &plane) {
    double gain = 0.0;
    weigh(plane, rotated, criterion);
    for (Index i = 0; i < rotated.d; ++i)
        for (Index j = 0; j < i; ++j) {
            const double *const p = rotated.at(j, j), *const q = rotated.at(i, i);
            if (!take(plane, p, q, rotated.at(i, j))) continue;
            const Turn turn = best_rotation(plane, wide);
            if (turn.t == 0.0) continue;
            rotate(rotated, j, i, {std::cos(0.25 * turn.t), std::sin(0.25 * turn.t)});
            if (criterion.equal_volumes) weigh_again(plane, p, q);
            gain += turn.gain;
        }
    return gain;
}

// Sweep until nothing is gained, at most `sweeps` times, the first few of them `wide`.
inline void descend(Rotated &rotated, const Criterion &criterion, int sweeps, int wide) {
    const double power = criterion.equal_volumes ? 1.0 / static_cast<double>(rotated.d) : 0.0;
    Plane plane(rotated.k, rotated.width, power);
    double last = INFINITE;
    for (int i = 0; i < sweeps; ++i) {
        const double gain = sweep(rotated, criterion, i < wide, plane);
        if (!(gain > LEAST_GAIN) || (gain < ROUNDING && gain > 0.5 * last)) return;
        last = gain;
    }
}

// The best basis found from the data alone; its objective.
inline double search(ConstMatrices scatters, const Criterion &criterion, Rotated &best) {
    const Index K = best.k, d = best.d;
    Rotated trial(K, d);
    Table pooled(d, d);
    Numbers values(d);
    for (Index k = 0; k < K; ++k) accumulate(pooled.flat(), scatters[k].flat());
    double least = INFINITE;
    // The data's own axes, those of all components together, and each component's.
    for (Index b = 0; b < (d > 2 ? K + 2 : 1); ++b) {
        if (b == 0)
            for (Index i = 0; i < d; ++i) trial.basis()(i, i) = 1.0;
        else
            eigen_symmetric(b == 1 ? ConstMatrix(pooled) : scatters[b - 2], values, trial.basis());
        rotate_all(scatters, trial);
        descend(trial, criterion, TRIAL_SWEEPS, TRIAL_SWEEPS);
        const double value = objective(trial, criterion);
        if (b > 0 && !(value < least)) continue;
        least = value;
        std::swap(best, trial);
    }
    descend(best, criterion, MOST_SWEEPS, TRIAL_SWEEPS);
    return objective(best, criterion);
}

}  // namespace common_axes

// Common axes (D, D) as rows, and the scatters' variances (K, D) along them.
//
// `axes` holds a basis to begin at, or NaN. With `sweeps` they go on from there, at most so often.
// With 0 they end at the maximum, and bases made from the data are tried too: the given one is kept
// only if it ends better than these. Returns 0, or 1 + the index of a component without spread
// along some axis.
inline Index fit_common_axes(ConstMatrices scatters, ConstVector counts, bool equal_volumes,
                             Matrix axes, int sweeps, Matrix variances) {
    using namespace common_axes;
    const Criterion criterion{counts, equal_volumes};
    const Index K = scatters.shape[0], d = scatters.shape[1];
    Rotated best(K, d);
    if (std::isnan(axes(0, 0))) {
        search(scatters, criterion, best);
    } else {
        assign(best.basis().flat(), axes.flat());
        rotate_all(scatters, best);
        descend(best, criterion, sweeps > 0 ? sweeps : MOST_SWEEPS, sweeps > 0 ? 0 : TRIAL_SWEEPS);
        if (sweeps == 0) {
            Rotated found(K, d);
            const double value = objective(best, criterion);
            if (search(scatters, criterion, found) <= value + 1e-12) std::swap(best, found);
        }
    }
    assign(axes.flat(), best.basis().flat());
    for (Index k = 0; k < K; ++k)
        for (Index j = 0; j < d; ++j) {
            variances(k, j) = best.at(j, j)[k];
            if (!(variances(k, j) > 0.0)) return k + 1;
        }
    return 0;
}

}  // namespace bayesgmm
